"""Durable storage for deliveries until they are handled."""

from .browse import Entry, FailedAttempt, entries, failed_attempts
from .protocol import (
    ClaimedDelivery,
    Delivery,
    HandlerFailure,
    Inbox,
    QueuedDelivery,
    State,
    Stored,
)
from .selection import Selection
from .sqlite.inbox import SqliteInbox
from .stats import HandlerFailures, InboxStats, StateCount

__all__ = [
    "ClaimedDelivery",
    "Delivery",
    "Entry",
    "FailedAttempt",
    "HandlerFailure",
    "HandlerFailures",
    "Inbox",
    "InboxStats",
    "QueuedDelivery",
    "Selection",
    "SqliteInbox",
    "State",
    "StateCount",
    "Stored",
    "entries",
    "failed_attempts",
]
