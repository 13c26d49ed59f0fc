"""Bulk sync: the account's workshop orders in a database of your own (extra: store)."""

from .estimate.estimate import SyncEstimate, estimate
from .fetch.stream import windows
from .follow import Follower
from .report import SyncProgress, SyncReport, SyncStopped, SyncSuspicious
from .store.store import Store
from .sync import sync_workshop_orders

__all__ = [
    "Follower",
    "Store",
    "SyncEstimate",
    "SyncProgress",
    "SyncReport",
    "SyncStopped",
    "SyncSuspicious",
    "estimate",
    "sync_workshop_orders",
    "windows",
]
