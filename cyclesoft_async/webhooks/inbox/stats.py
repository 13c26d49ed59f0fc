"""Figures about an inbox, for operators."""

from __future__ import annotations

from collections.abc import Sequence
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


class InboxStats(Struct, frozen=True, kw_only=True):
    """Figures about an inbox."""

    counts: Sequence[StateCount]
    oldest_due_at: datetime | None
    """Since when the oldest delivery waits that may be handled now. Aware, in UTC. None when none does."""
    handlers: Sequence[HandlerFailures]
    """Those that failed, most failures first."""
    stored: int = 0
    """Deliveries that this process stored since it opened the inbox."""
    duplicates: int = 0
    """Redelivered ones of this process."""
    quarantined: int = 0
    """Ones of this process whose id was stored with another body."""
