"""Figures about an inbox and the receivers that use it, for operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from .protocol import State


class StateCount(Struct, frozen=True, kw_only=True):
    """Number of deliveries in a state, by event."""

    state: State
    event_name: str | None
    """None for bodies that are no events."""
    count: int


class HandlerFailures(Struct, frozen=True, kw_only=True):
    """Failed attempts of a handler at deliveries that are still in the inbox."""

    handler: str
    failures: int
    mean_seconds: float
    """Mean duration of the failed attempts."""
    worst_seconds: float
    last_failed_at: datetime
    """Aware, in UTC."""


class HandlerFigures(Struct, frozen=True, kw_only=True):
    """Calls of a handler in one process since its receiver started."""

    handler: str
    attempts: int
    failures: int
    mean_seconds: float
    worst_seconds: float


class RunningHandler(Struct, frozen=True, kw_only=True):
    """A handler that is running."""

    handler: str
    event_id: str
    seconds: float
    """How long it has been running."""


class ReceiverFigures(Struct, frozen=True, kw_only=True):
    """Figures of one receiver since it started. It reports them to the inbox every five seconds."""

    id: str
    """Host, process and a random part: a restarted receiver has another one."""
    started_at: datetime
    """Aware, in UTC."""
    reported_at: datetime
    """Aware, in UTC."""
    stored: int
    """New deliveries."""
    duplicates: int
    """Redelivered ones."""
    quarantined: int
    """Ones whose id had been stored with another body."""
    refused: int
    """Requests answered 400 or 401: not signed with one of the secrets, or for another account."""
    unavailable: int
    """Deliveries answered 503, as they could not be stored."""
    handlers: Sequence[HandlerFigures] = ()
    running: Sequence[RunningHandler] = ()
    """Longest first."""


class Activity(Struct, frozen=True, kw_only=True):
    """What happened in equal spans of time. A span is its number, from 0, and is missing when empty."""

    handled: Mapping[int, int]
    """Deliveries that were handled."""
    failed: Mapping[int, int]
    """Attempts that failed."""


class InboxStats(Struct, frozen=True, kw_only=True):
    """Figures about an inbox."""

    counts: Sequence[StateCount]
    oldest_due_at: datetime | None
    """Since when the oldest delivery waits that may be handled now. Aware, in UTC. None when none does."""
    handlers: Sequence[HandlerFailures]
    """Those that failed, most failures first."""
    receivers: Sequence[ReceiverFigures] = ()
    """Receivers that reported within the last minute."""
