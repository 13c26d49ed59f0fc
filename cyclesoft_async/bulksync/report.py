"""How far a sync is, and what came of it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from cyclesoft_async.errors import QuotaExhausted
from cyclesoft_async.snapshots import QuotaSnapshot


class SyncReport(Struct, frozen=True, kw_only=True):
    """What a sync did; a run that was stopped and went on later counts as one."""

    orders: int
    """Orders read and stored; an order that the store has in a newer version is read, and left alone."""
    rejected: int
    """Rows that could not be read; they are in the table `rejected_rows`."""
    pages: int
    requests: int
    """Requests that the session put on the wire meanwhile, repeated ones included."""
    resumed: bool
    """Whether this went on with a run that had been stopped; the figures above are those of the whole run."""
    requests_now: int
    """Those of the requests that were not an earlier attempt's."""
    refetched: int
    """Orders asked for one by one, because the store had them in these days and the list has them no more."""
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
    """Parts that the range of days was cut into; they become more while it is read."""
    pages_left: int
    """A guess, from how densely the pages read so far lie."""


class SyncStopped(QuotaExhausted):
    """The quota is used up; what was read is stored, and the same call goes on from there.

    Attributes:
        progress: How far it got.
        resets_at: When it is worth going on, aware, in UTC.
        scope: Which limit is full; "daily" as a rule.
    """

    def __init__(self, resets_at: datetime, scope: str, progress: SyncProgress) -> None:
        super().__init__(resets_at, scope)
        self.progress = progress
