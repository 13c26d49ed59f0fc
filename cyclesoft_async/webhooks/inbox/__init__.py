"""Durable storage for deliveries until they are handled."""

from .browse import entries, failed_attempts
from .entry import Entry, FailedAttempt
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
from .stats import (
    HandlerFailures,
    HandlerFigures,
    InboxStats,
    ReceiverFigures,
    RunningHandler,
    StateCount,
)

__all__ = [
    "ClaimedDelivery",
    "Delivery",
    "Entry",
    "FailedAttempt",
    "HandlerFailure",
    "HandlerFailures",
    "HandlerFigures",
    "Inbox",
    "InboxStats",
    "QueuedDelivery",
    "ReceiverFigures",
    "RunningHandler",
    "Selection",
    "SqliteInbox",
    "State",
    "StateCount",
    "Stored",
    "entries",
    "failed_attempts",
]
