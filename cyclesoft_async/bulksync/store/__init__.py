"""Storage of mirrored rows and of the progress of a sync, in SQLite or PostgreSQL."""

from .store import Store

__all__ = ["Store"]
