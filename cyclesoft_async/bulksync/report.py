"""How far a sync is, and what came of it."""

from __future__ import annotations

from msgspec import Struct

from cyclesoft_async.snapshots import QuotaSnapshot


class SyncReport(Struct, frozen=True, kw_only=True):
    """What a sync did."""

    orders: int
    """Orders read and stored; an order that the store has in a newer version is read, and left alone."""
    rejected: int
    """Rows that could not be read; they are in the table `rejected_rows`."""
    pages: int
    requests: int
    """Requests that the session put on the wire meanwhile, repeated ones included."""
    rate_limited: int
    """Answers with status 429 among them."""
    seconds: float
    quota: QuotaSnapshot
    """What is left of the quota."""


class SyncProgress(SyncReport, frozen=True, kw_only=True):
    """A sync under way: the report so far."""

    windows_done: int
    windows: int
    """Parts that the range of days was cut into."""
