"""Stream: the pages of a range of days as they come, without a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import date

import anyio
from anyio.abc import ObjectSendStream

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.pages import FetchedPage
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import Page
from cyclesoft_async.session import CycleSoftSession

from .plan import Plan
from .readers import read_first_page, read_windows, validate_range
from .windowed_list import WORKSHOP_ORDERS


async def windows(
    cs: CycleSoftSession, *, date_from: date, date_until: date, concurrency: int = 8
) -> AsyncGenerator[Page[WorkshopOrder]]:
    """Yield the workshop orders of a range of days, page by page, read by several readers at the same time.

    ::

        async with aclosing(windows(cs, date_from=..., date_until=...)) as pages:
            async for page in pages: ...

    Pages come in no order. Each reader waits until its page was taken, so no more than `concurrency` of them
    wait. `aclosing` stops the readers at once when you leave early. An order can come twice: when it is moved
    meanwhile, and when a list changed and is read again. The copy with the newer `datetime_modified` counts.

    Args:
        cs: The session; calls are made in its lane "bulk".
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many pages are fetched at the same time.

    Raises:
        UsageError: The range of days is empty, or concurrency is less than one.
        QuotaExhausted: The day's quota, less what is reserved for interactive calls, is used up.
        RequestError: A call went wrong for good.
    """
    validate_range(date_from, date_until, concurrency)
    send, receive = anyio.create_memory_object_stream[Page[WorkshopOrder]]()
    # A task of its own, and no task group around the `yield`: a generator can be closed by another task.
    reading = asyncio.create_task(_read(cs, Window(date_from, date_until), concurrency, send))
    with receive:
        try:
            async for page in receive:
                yield page
            await reading
        finally:
            reading.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(reading, return_exceptions=True)


async def _read(
    cs: CycleSoftSession, whole: Window, concurrency: int, send: ObjectSendStream[Page[WorkshopOrder]]
) -> None:
    async def hand_on(fetched: Sequence[FetchedPage[WorkshopOrder]]) -> None:
        for each in fetched:
            await send.send(each.page)

    async with send:
        plan = Plan([whole], readers=concurrency)
        only = await read_first_page(cs, plan, WORKSHOP_ORDERS, whole)
        if only is not None:
            await hand_on([only])
        else:
            await read_windows(cs, plan, WORKSHOP_ORDERS, concurrency=concurrency, on_pages=hand_on)
