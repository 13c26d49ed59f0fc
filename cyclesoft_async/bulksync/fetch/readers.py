"""Reading a range of days concurrently, whatever becomes of the pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import date
from typing import TypeAlias

import anyio
from anyio.abc import ObjectSendStream

from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.errors import (
    LedgerError,
    QuotaExhausted,
    RateLimitedError,
    ServerError,
    StoreError,
    TransportError,
    UsageError,
)
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import Page
from cyclesoft_async.session import CycleSoftSession

from .plan import Part, Plan, split_days, start_days

PASSING = (TransportError, ServerError, RateLimitedError, LedgerError, StoreError)
"""What goes over by itself: whoever runs for days tries again."""

# Seconds that a request waits for the quota: enough for any minute, and for a midnight that is near.
_PATIENCE = 300.0
# Windows for each reader when windows can't be cut later: none has to wait long for the last one.
_WINDOWS_PER_READER = 4


class Arrival:
    """A page of a part; the part's next page is fetched once this one is kept.

    Attributes:
        orders: How many of its orders count as the part's own.
    """

    def __init__(self, part: Part, page: Page[WorkshopOrder]) -> None:
        self.part = part
        self.page = page
        self.orders = 0
        self.kept = anyio.Event()


class _Stop:
    """The quota is used up for a reader."""

    def __init__(self, part: Part, why: QuotaExhausted) -> None:
        self.part = part
        self.why = why


class NewRequests:
    """Counts what a session puts on the wire, so that every request is told of once."""

    def __init__(self, cs: CycleSoftSession) -> None:
        self._cs = cs
        self._told = cs.quota.sent

    def take(self) -> int:
        """How many there were since the last time."""
        sent = self._cs.quota.sent
        new, self._told = sent - self._told, sent
        return new


Keep: TypeAlias = Callable[[Sequence[Arrival]], Awaitable[None]]
Cut: TypeAlias = Callable[[Part, date], Awaitable[int]]


def in_bulk(cs: CycleSoftSession) -> CycleSoftSession:
    """The session, stepping behind interactive calls; it waits for minutes, but not for the next day."""
    return cs.with_options(lane="bulk", max_wait=_PATIENCE)


def check(date_from: date, date_until: date, concurrency: int) -> None:
    """Refuse what can't work.

    Raises:
        UsageError: The range of days is empty, or concurrency is less than one.
    """
    if date_from > date_until:
        raise UsageError("date_from lies after date_until")
    if concurrency < 1:
        raise UsageError("concurrency is at least one")


async def first_page(
    cs: CycleSoftSession, whole: Window, concurrency: int
) -> tuple[list[Window], Page[WorkshopOrder] | None]:
    """Begin a range: the windows to read, and the first page of the first one if it is of use.

    When the pages come in the order of the scheduled start there is one window, to be cut as it is read. If
    not, there are many from the start, and the page that told so is of no use.
    """
    page = await in_bulk(cs).workshop_orders.list(date_from=whole.first, date_until=whole.last)
    probe = Part(0, whole)
    probe.read(start_days(page), page.cursor)
    if probe.in_order or probe.done:
        return [whole], page
    return split_days(whole.first, whole.last, concurrency * _WINDOWS_PER_READER), None


async def read_parts(
    cs: CycleSoftSession,
    plan: Plan,
    *,
    first: Page[WorkshopOrder] | None = None,
    concurrency: int,
    keep: Keep,
    cut: Cut,
) -> None:
    """Read what the plan has left, several parts at the same time.

    Args:
        cs: The session.
        plan: What to read; it is kept up to date.
        first: The first page of its first part, if that was fetched already.
        concurrency: How many parts are read at the same time.
        keep: Called with the pages that wait; the plan has noted them already.
        cut: Called before a part is cut; gives the number of the new part.

    Raises:
        QuotaExhausted: The quota is used up; every page that came before was kept.
        RequestError: A call went wrong for good.
    """
    # The first answer tells what is left of the day; whoever waits for the quota already does not hear of it.
    employed = 1
    if first is not None:
        await _keep([Arrival(plan.parts[0], first)], plan, keep)
        employed = concurrency
        del first  # it would last as long as the readers
    bulk = in_bulk(cs)
    send, receive = anyio.create_memory_object_stream[Arrival | _Stop](concurrency)
    stopped: QuotaExhausted | None = None
    try:
        # In this order: a cancelled reader must not find the stream closed first.
        async with send, receive, anyio.create_task_group() as readers:
            while True:
                while stopped is None and plan.reading < employed:
                    part = await _next_part(plan, cut)
                    if part is None:
                        break
                    readers.start_soon(_read, bulk, part, send)
                if not plan.reading:
                    break
                waiting = [await receive.receive()]
                employed = concurrency
                waiting += [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
                for stop in (one for one in waiting if isinstance(one, _Stop)):
                    stop.part.reading = False
                    stopped = stop.why
                arrivals = [one for one in waiting if isinstance(one, Arrival)]
                if arrivals:
                    await _keep(arrivals, plan, keep)
    except ExceptionGroup as failures:
        # The first failure cancelled the others; callers expect it, and not a group of one.
        raise failures.exceptions[0] from None
    if stopped is not None:
        raise stopped


async def _next_part(plan: Plan, cut: Cut) -> Part | None:
    part = plan.take()
    if part is None and (where := plan.where_to_cut()) is not None:
        plan.cut(*where, await cut(*where))
        part = plan.take()
    return part


async def _keep(arrivals: Sequence[Arrival], plan: Plan, keep: Keep) -> None:
    for arrival in arrivals:
        arrival.orders = plan.read(arrival.part, start_days(arrival.page), arrival.page.cursor)
    await keep(arrivals)
    for arrival in arrivals:
        arrival.kept.set()


async def _read(bulk: CycleSoftSession, part: Part, send: ObjectSendStream[Arrival | _Stop]) -> None:
    try:
        async with aclosing(pages_of(bulk, part)) as pages:
            async for page in pages:
                arrival = Arrival(part, page)
                await send.send(arrival)
                await arrival.kept.wait()
                if part.done:
                    return
    except QuotaExhausted as why:
        await send.send(_Stop(part, why))


def pages_of(bulk: CycleSoftSession, part: Part) -> AsyncGenerator[Page[WorkshopOrder]]:
    """The pages of a part, from its cursor on; of one that is cut meanwhile, to its old end."""
    if part.cursor is not None:
        return bulk.workshop_orders.list(cursor=part.cursor).pages()
    window = part.window
    return bulk.workshop_orders.list(date_from=window.first, date_until=window.last).pages()
