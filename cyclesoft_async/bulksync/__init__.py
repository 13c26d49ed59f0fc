"""Bulk sync: the account's workshop orders in a database of your own (extra: store)."""

from .report import SyncProgress, SyncReport
from .run import sync_workshop_orders
from .store import Store

__all__ = ["Store", "SyncProgress", "SyncReport", "sync_workshop_orders"]
