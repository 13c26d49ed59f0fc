"""Cost of a sync in requests, before it runs."""

from .estimate import SyncEstimate, estimate

__all__ = ["SyncEstimate", "estimate"]
