"""Records that operators read: a delivery in an inbox, and a failed attempt at it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from .protocol import State


class Entry(Struct, frozen=True, kw_only=True):
    """A delivery in an inbox. Datetimes are aware, in UTC."""

    seq: int
    """Rises in the order of arrival."""
    account_id: int
    id: str
    event_name: str | None
    entity: str
    """Account, kind and id, with slashes between them."""
    state: State
    attempts: int
    replays: int
    received_at: datetime
    occurred_at: datetime | None
    error: str | None
    """Last line of the last error's traceback."""
    body: bytes
    """The JSON as it was delivered: people's data."""


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """A handler's failed attempt at a delivery."""

    attempt: int
    """Number of the attempt, from 1. A replay starts anew."""
    failed_at: datetime
    """Aware, in UTC."""
    handler: str
    error: str
    seconds: float
    """How long the handler ran."""
