"""The sync itself: windows of days are read concurrently, and one writer stores their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from time import monotonic

import anyio
from anyio.abc import ObjectSendStream

from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.paging import Page
from cyclesoft_async.session import CycleSoftSession

from .report import SyncProgress, SyncReport
from .store import Store
from .windows import Window, split_days

# Days are not equally busy: with several windows for each reader none has to wait long for the last one.
_WINDOWS_PER_READER = 4


async def sync_workshop_orders(
    cs: CycleSoftSession,
    store: Store,
    *,
    date_from: date,
    date_until: date,
    concurrency: int = 8,
    on_progress: Callable[[SyncProgress], None] | None = None,
) -> SyncReport:
    """Copy the workshop orders of a range of days into a database.

    Runs in the session's "bulk" lane: interactive calls on the same session go first. Orders without a
    scheduled start are in no range of days, so the vendor's list does not give them.

    Args:
        cs: The session; its quota is shared with whatever else it does.
        store: Where the orders go.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many windows of days are read at the same time.
        on_progress: Called in the event loop after every stored page.

    Raises:
        UsageError: The range of days is empty, or concurrency is less than one.
        RequestError: A call went wrong for good; pages stored until then stay.
        StoreError: The database can't be opened or written; pages stored until then stay.
    """
    if date_from > date_until:
        raise UsageError("date_from lies after date_until")
    if concurrency < 1:
        raise UsageError("concurrency is at least one")
    windows = split_days(date_from, date_until, concurrency * _WINDOWS_PER_READER)
    tally = _Tally(cs, len(windows), on_progress or (lambda _: None))
    todo = iter(windows)
    async with store.open() as writer:
        pages, received = anyio.create_memory_object_stream[Page[WorkshopOrder]](concurrency)
        try:
            # In this order: a cancelled reader must not find the stream closed first.
            async with received, anyio.create_task_group() as readers:
                async with pages:
                    for _ in range(min(concurrency, len(windows))):
                        readers.start_soon(_read, cs, todo, pages.clone())
                async for page in received:
                    await writer.write(page)
                    tally.stored(page)
        except ExceptionGroup as failures:
            # The first failure cancelled the others; callers expect it, and not a group of one.
            raise failures.exceptions[0] from None
    return tally.report()


async def _read(
    cs: CycleSoftSession,
    todo: Iterator[Window],
    pages: ObjectSendStream[Page[WorkshopOrder]],
) -> None:
    bulk = cs.with_options(lane="bulk")
    async with pages:
        for window in todo:
            orders = bulk.workshop_orders.list(date_from=window.first, date_until=window.last)
            async for page in orders.pages():
                await pages.send(page)


class _Tally:
    """Counts what happens, and tells it on."""

    def __init__(self, cs: CycleSoftSession, windows: int, tell: Callable[[SyncProgress], None]) -> None:
        self._cs = cs
        self._tell = tell
        self._started = monotonic()
        self._before = cs.quota
        self._windows = windows
        self._windows_done = self._orders = self._rejected = self._pages = 0

    def stored(self, page: Page[WorkshopOrder]) -> None:
        self._orders += len(page.items)
        self._rejected += len(page.rejected)
        self._pages += 1
        self._windows_done += page.cursor is None
        self._tell(self._progress())

    def _progress(self) -> SyncProgress:
        quota = self._cs.quota
        return SyncProgress(
            orders=self._orders,
            rejected=self._rejected,
            pages=self._pages,
            requests=quota.sent - self._before.sent,
            rate_limited=quota.refused - self._before.refused,
            seconds=monotonic() - self._started,
            quota=quota,
            windows_done=self._windows_done,
            windows=self._windows,
        )

    def report(self) -> SyncReport:
        now = self._progress()
        return SyncReport(**{name: getattr(now, name) for name in SyncReport.__struct_fields__})
