"""Estimate: the requests and the time that a sync will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from time import monotonic
from typing import Literal

from msgspec import Struct

from cyclesoft_async._arguments import check_type
from cyclesoft_async.bulksync.account_hash import account_hash
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.fetch.plan import Plan
from cyclesoft_async.bulksync.fetch.readers import bulk_session, validate_range
from cyclesoft_async.bulksync.store import queries, runs
from cyclesoft_async.bulksync.store.account import check_account
from cyclesoft_async.bulksync.store.runs import StoredRun
from cyclesoft_async.bulksync.store.store import Store
from cyclesoft_async.bulksync.sync_orders import resumable_run
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.snapshots import QuotaSnapshot

from .sampling import take_sample
from .simulation import SimulatedList, simulate_requests

_RESERVED_SHARE = 20  # a session leaves a twentieth of the day to interactive calls unless told otherwise
_FRESH = timedelta(days=7)


class SyncEstimate(Struct, frozen=True, kw_only=True):
    """Cost of a sync; of one that would be resumed, what is left of it."""

    orders: int
    requests: int
    minutes: float
    """Without the nights that it waits for the next day's quota."""
    days: int
    """Amsterdam days that it takes: the day's quota allows no faster. 1: it can be done today."""
    ready_at: datetime
    """If it begins now, and resumes as soon as there is quota; aware, in UTC."""
    resumes: bool
    """Whether it would resume a run that was stopped."""
    source: Literal["last run", "sample"]
    """The basis: the last run of the same days, or a sample of the days."""
    requests_now: int
    """Requests that this estimate took."""
    quota: QuotaSnapshot
    """What is left of the quota."""


async def estimate(
    cs: CycleSoftSession,
    store: Store | None,
    *,
    date_from: date,
    date_until: date,
    concurrency: int = 8,
    resume: bool | None = None,
) -> SyncEstimate:
    """Return what `sync_workshop_orders` with the same arguments would cost; as a rule within a tenth.

    It takes one request if these days were synced lately. Otherwise it takes up to a tenth of the sync's own
    requests, or two dozen, and those of a day that has dozens of pages. A closed season is found if it is
    longer than a tenth of the range, and a single busy day in a shop of a few thousand orders.

    Args:
        cs: The session.
        store: The database; None if it is not known yet.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many windows would be read at the same time.
        resume: As for the sync.

    Raises:
        UsageError: As for the sync.
        QuotaExhausted: There is no quota left for estimating either.
        RequestError: A call went wrong for good.
        StoreError: The database can't be read.
    """
    if store is not None:
        check_type("store", store, Store)
    validate_range(date_from, date_until, concurrency)
    whole = Window(date_from, date_until)
    stored = await _from_store(cs, store, whole, resume=resume)
    before, began = cs.quota.sent, monotonic()
    if stored.counts is not None:
        # Only an answer shows what is left of the quota.
        page = await bulk_session(cs).workshop_orders.list(date_from=date_from, date_until=date_until)
        counts = stored.counts
        page_size = len(page.items) or 1
        starts: Sequence[int] = [day for day in sorted(counts) for _ in range(counts[day])]
    else:
        sample = await take_sample(cs, whole)
        starts, page_size = sample.starts(), sample.page_size
    cost = max(1, cs.quota.sent - before)
    seconds_each = (monotonic() - began) / cost
    listed = SimulatedList(starts, page_size)
    unread = [whole] if stored.run is None else stored.run.unread
    plan = Plan(unread, stored.known, page_size=page_size if stored.known else None, readers=concurrency)
    requests = simulate_requests(listed, unread, plan, concurrency) + stored.refetches
    minutes, days, ready_at = _schedule(requests, seconds_each / concurrency, cs.quota)
    return SyncEstimate(
        orders=sum(map(listed.orders, unread)),
        requests=requests,
        minutes=minutes,
        days=days,
        ready_at=ready_at,
        resumes=stored.run is not None,
        source="sample" if stored.counts is None else "last run",
        requests_now=cost,
        quota=cs.quota,
    )


class _Stored(Struct, frozen=True, kw_only=True):
    """What the store knows of a range."""

    run: StoredRun | None = None
    """The run to resume."""
    known: Mapping[int, int] = {}
    """Orders of days that were read of late."""
    counts: Mapping[int, int] | None = None
    """Orders of all days, if the last run has read all of them and they cannot have changed much."""
    refetches: int = 0
    """Orders that would be requested one by one."""


async def _from_store(
    cs: CycleSoftSession, store: Store | None, whole: Window, *, resume: bool | None
) -> _Stored:
    if store is not None:
        async with store.open_if_there() as writer:
            if writer is not None:
                await writer.run(check_account, account_hash(cs), adopt=store.adopt)
                last = await writer.run(runs.last_run, whole.first, whole.last)
                known = await writer.run(runs.known_days, whole)
                run = resumable_run(last, resume=resume)
                return _Stored(
                    run=run,
                    known=known,
                    counts=known if _is_fresh(last) else None,
                    refetches=await writer.run(queries.count_hidden, whole.first, whole.last),
                )
    return _Stored(run=resumable_run(None, resume=resume))


def _is_fresh(last: StoredRun | None) -> bool:
    if last is None or last.finished_at is None:
        return False
    is_past = last.date_until < last.finished_at.astimezone(AMSTERDAM).date()
    return is_past or datetime.now(UTC) - last.finished_at <= _FRESH


def _schedule(requests: int, pace: float, quota: QuotaSnapshot) -> tuple[float, int, datetime]:
    """Minutes of work, Amsterdam days, and when it is done; `pace` is seconds for each request."""
    reserve = quota.daily.limit // _RESERVED_SHARE
    of_a_day = max(1, quota.daily.limit - reserve)
    later = max(0, requests - max(0, quota.daily.remaining - reserve))
    nights = ceil(later / of_a_day)
    minutes = _minutes(requests, quota.minutely.remaining, quota.minutely.limit, pace)
    now = datetime.now(UTC)
    if not nights:
        return minutes, 1, now + timedelta(minutes=minutes)
    last_day = later - (nights - 1) * of_a_day
    midnight = datetime.combine(
        now.astimezone(AMSTERDAM).date() + timedelta(days=nights), time.min, AMSTERDAM
    )
    rest = _minutes(last_day, quota.minutely.limit, quota.minutely.limit, pace)
    return minutes, 1 + nights, midnight.astimezone(UTC) + timedelta(minutes=rest)


def _minutes(requests: int, at_once: int, limit: int, pace: float) -> float:
    """Return the server's minutes or the readers' own time, the longer of the two."""
    return max(requests * pace / 60, ceil(max(0, requests - at_once) / max(1, limit)))
