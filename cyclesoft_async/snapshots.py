"""Frozen pictures of the quota, for users to read and for errors to carry."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct


class WindowQuota(Struct, frozen=True, kw_only=True):
    """One of the account's limits, as far as this client knows it.

    Vendor page: "API limits" (Introduction).
    """

    limit: int
    """Requests that the server allows in the window."""
    used: int
    """Requests that count against the window now, other integrations' included as far as known."""
    remaining: int
    """Requests that could be sent at once."""
    resets_at: datetime | None
    """When the window has all of its room again, aware, in UTC; None while nothing is used or unknown."""
    source: Literal["header", "estimate"]
    """Whether the server's headers confirmed the limit, or it is the documented default."""


class QuotaSnapshot(Struct, frozen=True, kw_only=True):
    """The quota of the account at one moment."""

    minutely: WindowQuota
    daily: WindowQuota
    resets_at: datetime | None
    """When the next request may go, aware, in UTC; None when one may go at once."""
    waiting: int
    """Calls of this client that wait for the quota."""
    in_flight: int
    """Requests sent whose answers have not begun."""
    sent: int
    """Requests that this client has put on the wire so far; not those that never got a connection."""
    refused: int
    """Answers with status 429 so far."""
