"""Report: the figures of a sync, under way and at its end."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from cyclesoft_async.errors import CycleSoftError, QuotaExhausted
from cyclesoft_async.snapshots import QuotaSnapshot


class SyncReport(Struct, frozen=True, kw_only=True):
    """Figures of a sync; a run that was stopped and resumed counts as one."""

    date_from: date
    """First day that was read."""
    date_until: date
    """Last day that was read."""
    orders: int
    """Orders read and stored; one that the store has in a newer version is read and left alone."""
    rejected: int
    """Rows that could not be read; they are in the table `rejected_rows`."""
    pages: int
    requests: int
    """Requests that the session put on the wire meanwhile, repeated ones included."""
    resumed: bool
    """Whether this resumed a run that had been stopped; the figures above are those of the whole run."""
    requests_now: int
    """Requests without those of earlier attempts."""
    refetched: int
    """Orders requested one by one, because the store has them in these days and the lists do not any more."""
    rate_limited: int
    """Answers with status 429 among the requests of now."""
    seconds: float
    """Without earlier attempts."""
    quota: QuotaSnapshot
    """What is left of the quota."""


class SyncProgress(SyncReport, frozen=True, kw_only=True):
    """A sync under way: the report so far."""

    windows_done: int
    windows: int
    """Windows that the range of days is read in, as far as they are planned."""
    pages_left: int
    """An estimate, by how many orders the days have that were read so far."""


class SyncStopped(QuotaExhausted):
    """The quota is used up. What was read is stored, and the same call resumes.

    Attributes:
        progress: How far it got.
        resets_at: When it is worth resuming, aware, in UTC.
        scope: Which limit is full; "daily" as a rule.
    """

    def __init__(self, resets_at: datetime, scope: str, progress: SyncProgress) -> None:
        super().__init__(resets_at, scope)
        self.progress = progress


class SyncSuspicious(CycleSoftError):  # noqa: N818 - named as SyncStopped is
    """The lists lack orders that the server still has. Nothing was marked as deleted."""
