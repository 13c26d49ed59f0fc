"""What a sync will cost, before it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from time import monotonic
from typing import Literal

from msgspec import Struct

from cyclesoft_async.bulksync.fetch.plan import Part
from cyclesoft_async.bulksync.fetch.readers import check, in_bulk
from cyclesoft_async.bulksync.history import known_orders, to_go_on_with
from cyclesoft_async.bulksync.store.runs import StoredRun
from cyclesoft_async.bulksync.store.store import Store
from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.snapshots import QuotaSnapshot

from .sampling import take_sample
from .simulation import Book, rehearse

_RESERVED_SHARE = 20  # a session leaves a twentieth of the day to interactive calls unless told otherwise


class SyncEstimate(Struct, frozen=True, kw_only=True):
    """What a sync needs; of one that would go on, what is left of it."""

    orders: int
    requests: int
    minutes: float
    """Without the nights that it waits for the next day's quota."""
    days: int
    """Amsterdam days that it takes: the day's quota allows no faster. 1: it can be done today."""
    ready_at: datetime
    """If it begins now, and goes on as soon as there is quota; aware, in UTC."""
    resumes: bool
    """Whether it would go on with a run that was stopped."""
    source: Literal["last run", "sample"]
    """Where it is known from: the last run of the same days, or some days that were looked at."""
    requests_now: int
    """What this estimate cost."""
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
    """What `sync_workshop_orders` with the same arguments would cost; as a rule within a tenth.

    It costs one request if the store has had these days synced lately, and up to a tenth of the sync itself,
    or two dozen requests, if not.

    Args:
        cs: The session.
        store: Where the orders would go; None if that is not known yet.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many parts of the range would be read at the same time.
        resume: As for the sync.

    Raises:
        UsageError: As for the sync.
        QuotaExhausted: There is no quota left for estimating either.
        RequestError: A call went wrong for good.
        StoreError: The database can't be read.
    """
    check(date_from, date_until, concurrency)
    whole = Window(date_from, date_until)
    run, known = await _from_store(store, whole, resume=resume)
    before, began = cs.quota.sent, monotonic()
    if known:
        # Only an answer tells what is left of the quota.
        page = await in_bulk(cs).workshop_orders.list(date_from=date_from, date_until=date_until)
        starts = [day.toordinal() for day in sorted(known) for _ in range(known[day])]
        book = Book(starts, len(page.items) or 1)
    else:
        sample = await take_sample(cs, whole)
        book = Book(sample.starts(), sample.page_size)
    cost = max(1, cs.quota.sent - before)
    seconds_each = (monotonic() - began) / cost
    parts = [Part(0, whole)] if run is None else book.parts(run.windows)
    orders = sum(map(book.orders, parts))
    requests = rehearse(book, parts, concurrency)
    minutes, days, ready_at = _schedule(requests, seconds_each / concurrency, cs.quota)
    return SyncEstimate(
        orders=orders,
        requests=requests,
        minutes=minutes,
        days=days,
        ready_at=ready_at,
        resumes=run is not None,
        source="last run" if known else "sample",
        requests_now=cost,
        quota=cs.quota,
    )


async def _from_store(
    store: Store | None, whole: Window, *, resume: bool | None
) -> tuple[StoredRun | None, Mapping[date, int]]:
    if store is None:
        return to_go_on_with(None, resume=resume), {}
    async with store.open_if_there() as writer:
        if writer is None:
            return to_go_on_with(None, resume=resume), {}
        last = await writer.last_run(whole.first, whole.last)
        return to_go_on_with(last, resume=resume), await known_orders(writer, last)


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
    """The server's minutes or the readers' own time, whichever takes longer."""
    return max(requests * pace / 60, ceil(max(0, requests - at_once) / max(1, limit)))
