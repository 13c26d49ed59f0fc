"""Where deliveries are kept until they are handled."""

from .browse import Entry, entries
from .protocol import (
    Delivery,
    Inbox,
    Queued,
    State,
    Stored,
    Work,
)
from .sqlite.inbox import SqliteInbox

__all__ = [
    "Delivery",
    "Entry",
    "Inbox",
    "Queued",
    "SqliteInbox",
    "State",
    "Stored",
    "Work",
    "entries",
]
