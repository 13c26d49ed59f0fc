"""Bulk sync: the account's workshop orders in a database of your own (extra: store)."""

from .estimate import SyncEstimate, estimate
from .following import Follower
from .report import SyncProgress, SyncReport, SyncStopped
from .run import sync_workshop_orders
from .store import Store
from .streaming import windows

__all__ = [
    "Follower",
    "Store",
    "SyncEstimate",
    "SyncProgress",
    "SyncReport",
    "SyncStopped",
    "estimate",
    "sync_workshop_orders",
    "windows",
]
