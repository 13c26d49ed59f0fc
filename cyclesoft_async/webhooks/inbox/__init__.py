"""Where deliveries are kept until they are handled."""

from .browse import Entry, entries
from .protocol import (
    ClaimedDelivery,
    Delivery,
    Inbox,
    QueuedDelivery,
    State,
    Stored,
)
from .sqlite.inbox import SqliteInbox

__all__ = [
    "ClaimedDelivery",
    "Delivery",
    "Entry",
    "Inbox",
    "QueuedDelivery",
    "SqliteInbox",
    "State",
    "Stored",
    "entries",
]
