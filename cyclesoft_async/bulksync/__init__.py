"""Bulk sync: the account's workshop orders in a database of your own (extra: store)."""

from .estimate.estimate import SyncEstimate, estimate
from .fetch.stream import windows
from .follow import Follower
from .report import SyncProgress, SyncReport, SyncStopped, SyncSuspicious
from .store.store import Store
from .sync_orders import sync_workshop_orders
from .sync_tables import ALL_TABLES, SHOP_TABLES, TablesReport, sync

__all__ = [
    "ALL_TABLES",
    "SHOP_TABLES",
    "Follower",
    "Store",
    "SyncEstimate",
    "SyncProgress",
    "SyncReport",
    "SyncStopped",
    "SyncSuspicious",
    "TablesReport",
    "estimate",
    "sync",
    "sync_workshop_orders",
    "windows",
]
