"""Durable storage for deliveries until they are handled."""

from .base_inbox import BaseInbox
from .browse import Place, entries, failed_attempts
from .entry import Entry, FailedAttempt
from .protocol import (
    ClaimedDelivery,
    Completed,
    Delivery,
    HandlerFailure,
    Inbox,
    QueuedDelivery,
    State,
    Stored,
)
from .reader import Action, Reader
from .selection import Selection
from .slices import Found
from .sqlite.inbox import SqliteInbox
from .stats import (
    Activity,
    HandlerFailures,
    HandlerFigures,
    InboxStats,
    ReceiverFigures,
    RunningHandler,
    StateCount,
)

__all__ = [
    "Action",
    "Activity",
    "BaseInbox",
    "ClaimedDelivery",
    "Completed",
    "Delivery",
    "Entry",
    "FailedAttempt",
    "Found",
    "HandlerFailure",
    "HandlerFailures",
    "HandlerFigures",
    "Inbox",
    "InboxStats",
    "Place",
    "QueuedDelivery",
    "Reader",
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
