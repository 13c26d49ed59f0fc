"""Immutable snapshots of the quota, for users and for errors."""

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
    """Requests that count against the window, those of other integrations included as far as known."""
    remaining: int
    """Requests that could be sent now."""
    resets_at: datetime | None
    """When the whole window is free again, aware, in UTC. None if nothing is used, or if it is unknown."""
    source: Literal["header", "estimate"]
    """Source of the limit: the server's headers, or the documented default."""


class QuotaSnapshot(Struct, frozen=True, kw_only=True):
    """The quota of the account at one moment."""

    minutely: WindowQuota
    daily: WindowQuota
    resets_at: datetime | None
    """When the next request can be sent, aware, in UTC. None if one can be sent now."""
    waiting: int
    """Calls of this client that wait for the quota."""
    in_flight: int
    """Requests that were sent and whose response has not begun."""
    sent: int
    """Requests that this client has sent so far, without those that never had a connection."""
    refused: int
    """Responses with status 429 so far."""
