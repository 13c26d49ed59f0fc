"""Inbox in an SQLite file."""

from .inbox import SqliteInbox

__all__ = ["SqliteInbox"]
