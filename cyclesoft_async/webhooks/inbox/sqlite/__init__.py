"""Inbox in a SQLite file."""

from .inbox import SqliteInbox

__all__ = ["SqliteInbox"]
