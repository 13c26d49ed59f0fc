"""Readers: windows of a listing, several at the same time, each read to its end or listed again."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import date
from http import HTTPStatus
from typing import Final, Generic, TypeAlias, TypeVar

import anyio
from anyio.abc import ObjectSendStream
from msgspec.structs import replace

from cyclesoft_async._arguments import check_day, check_id, check_type
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.pages import FetchedPage
from cyclesoft_async.errors import (
    AuthenticationError,
    LedgerError,
    PaginationError,
    PermissionDeniedError,
    QuotaExhausted,
    RateLimitedError,
    ResponseError,
    ServerError,
    StoreError,
    TransportError,
    UsageError,
)
from cyclesoft_async.pagination import Page
from cyclesoft_async.session import CycleSoftSession

from .overlap import step_back
from .plan import SMALLEST_PAGE, Plan, WindowReader
from .windowed_list import WindowedList

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

TRANSIENT: Final = (TransportError, ServerError, RateLimitedError, LedgerError, StoreError)
"""Errors that pass by themselves: long-running callers retry them."""

# Seconds that a request waits for the quota: enough for any minute, and for a midnight that is near.
_MAX_WAIT: Final = 300.0
# Times that the list of a single day is read again because it changed meanwhile.
_ATTEMPTS: Final = 5
# By default a session leaves a twentieth of the day to interactive calls.
_RESERVED_SHARE: Final = 20


class InterruptedListError(Exception):
    """A list that cannot be read to its end as it began.

    Attributes:
        refusal: The server's refusal of a cursor; None if the list changed while it was read.
    """

    def __init__(self, refusal: Exception | None = None) -> None:
        super().__init__()
        self.refusal = refusal


class RequestCounter:
    """Counts what a session puts on the wire, so that every request is reported once."""

    def __init__(self, cs: CycleSoftSession) -> None:
        self._cs = cs
        self._reported = cs.quota.sent

    def take(self) -> int:
        """Return how many there were since the last time."""
        sent = self._cs.quota.sent
        new, self._reported = sent - self._reported, sent
        return new


OnPages: TypeAlias = Callable[[Sequence[FetchedPage[T]]], Awaitable[None]]


def bulk_session(cs: CycleSoftSession) -> CycleSoftSession:
    """Return the session with its calls in the lane "bulk"; they wait for minutes, not for the next day."""
    return cs.with_options(lane="bulk", max_wait=_MAX_WAIT)


def validate_range(date_from: date, date_until: date, concurrency: int) -> None:
    """Check the arguments of a sync.

    Raises:
        UsageError: A day is not a date, the range of days is empty, or concurrency is less than one.
    """
    for name, day in (("date_from", date_from), ("date_until", date_until)):
        check_type(name, day, date)
        check_day(name, day)
    check_id("concurrency", concurrency)
    if date_from > date_until:
        raise UsageError(f"date_from must not lie after date_until, got {date_from} and {date_until}")
    if concurrency < 1:
        raise UsageError(f"concurrency must be at least 1, got {concurrency}")


async def read_window(
    bulk: CycleSoftSession, listing: WindowedList[T], window: Window, *, attempt: int = 0
) -> AsyncGenerator[FetchedPage[T]]:
    """Yield the pages of a window's list from its beginning to its end.

    Cursors are used here only: after an interruption the list may have changed, and an unchanged row
    may have moved before an old cursor.

    Args:
        bulk: The session.
        listing: What to read.
        window: Its days.
        attempt: How often they were listed before. Of a single day the last attempt is taken as it comes.

    Raises:
        InterruptedListError: The list changed while it was read, so that rows may be missing, or the server
            refuses or repeats a cursor that it has just given. Both are cured by shorter windows.
        RequestError: A call went wrong for good.
    """
    is_last_attempt = len(window.days) == 1 and attempt >= _ATTEMPTS
    page = (await listing.of_window(bulk, window)).without_incomplete()
    pages, rows, position = 1, len(page.items), _size(page)
    cursors: set[str] = set()
    while True:
        yield FetchedPage(window=window, page=page, pages=pages, rows=rows, is_last=page.cursor is None)
        if page.cursor is None:
            return
        stepped_back = step_back(page.cursor, position)
        last_key = _last_key(listing, page) if stepped_back is not None else None
        cursor = page.cursor if stepped_back is None or last_key is None else stepped_back
        if cursor in cursors:
            error = _repeated(cursor)
            if is_last_attempt:
                raise error
            raise InterruptedListError(error)
        cursors.add(cursor)
        try:
            page = (await listing.at_cursor(bulk, cursor)).without_incomplete()
        except (AuthenticationError, PermissionDeniedError, RateLimitedError):
            raise
        except (ResponseError, UsageError) as error:  # the latter: it leads to another path
            if is_last_attempt:
                raise
            raise InterruptedListError(error) from None
        repeated = 0
        if last_key is not None and cursor != page.cursor:
            keys = [listing.key(row) for row in page.items]
            if last_key in keys:
                repeated = keys.index(last_key) + 1
            elif not is_last_attempt:
                raise InterruptedListError
            else:
                logger.warning("the list of %s changes faster than it can be read", window.first)
        pages += 1
        rows += len(page.items) - repeated
        position += _size(page) - (last_key is not None)


async def read_windows(
    cs: CycleSoftSession, plan: Plan, listing: WindowedList[T], *, concurrency: int, on_pages: OnPages[T]
) -> None:
    """Read all days of a plan, several windows at the same time.

    Args:
        cs: The session.
        plan: What to read; it is kept up to date.
        listing: What to read.
        concurrency: How many windows are read at the same time.
        on_pages: Called with the pages that wait, to store them.

    Raises:
        QuotaExhausted: The quota is used up; every page that came before was stored.
        RequestError: A call went wrong for good.
    """
    await _Readers(cs, plan, listing, concurrency, on_pages).run()


async def read_first_page(
    cs: CycleSoftSession, plan: Plan, listing: WindowedList[T], whole: Window
) -> FetchedPage[T] | None:
    """Choose the first windows of days of which nothing is known.

    Returns:
        The page of the list of all days, if it is the only one; otherwise it is of no further use.
    """
    page = (await listing.of_window(bulk_session(cs), whole)).without_incomplete()
    if page.cursor is not None:
        plan.start(listing.days(page), _size(page))
    elif _size(page) < SMALLEST_PAGE or whole.first == whole.last:
        return FetchedPage(window=whole, page=page, pages=1, rows=len(page.items), is_last=True)
    else:
        plan.start_unproven(whole, _size(page))
    return None


class _Result(Generic[T]):
    """What a reader has fetched, or why it ended before the end of its list."""

    def __init__(
        self, reader: WindowReader, outcome: FetchedPage[T] | InterruptedListError | QuotaExhausted
    ) -> None:
        self.reader = reader
        self.outcome = outcome
        self.handled = anyio.Event()


class _Readers(Generic[T]):
    def __init__(
        self,
        cs: CycleSoftSession,
        plan: Plan,
        listing: WindowedList[T],
        concurrency: int,
        on_pages: OnPages[T],
    ) -> None:
        self._cs = cs
        self._bulk = bulk_session(cs)
        self._plan = plan
        self._listing = listing
        self._concurrency = concurrency
        self._on_pages = on_pages
        # The first answer shows what is left of the day; readers that already wait for the quota miss it.
        self._employed = 1
        self._exhausted: QuotaExhausted | None = None

    async def run(self) -> None:
        send, receive = anyio.create_memory_object_stream[_Result[T]](self._concurrency)
        try:
            # In this order: a cancelled reader must not find the stream closed first.
            async with send, receive, anyio.create_task_group() as tasks:
                while True:
                    while (reader := self._next_reader()) is not None:
                        tasks.start_soon(self._read, reader, send)
                    if not self._plan.in_flight:
                        break
                    waiting = [await receive.receive()]
                    self._employed = self._concurrency
                    waiting += [
                        receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)
                    ]
                    await self._handle(waiting)
        except ExceptionGroup as failures:
            # The first failure cancelled the others; callers expect it, and not a group of one.
            raise failures.exceptions[0] from None
        if self._exhausted is not None:
            raise self._exhausted

    def _next_reader(self) -> WindowReader | None:
        busy = len(self._plan.in_flight)
        if self._exhausted is not None or busy >= self._employed or (busy and not self._has_quota()):
            return None
        return self._plan.take()

    def _has_quota(self) -> bool:
        """Whether the day's quota lasts for one more window: of an unfinished one all pages are lost."""
        daily = self._cs.quota.daily
        needed = sum(reader.pages_left for reader in self._plan.in_flight)
        return needed + self._plan.next_pages <= daily.remaining - daily.limit // _RESERVED_SHARE

    async def _handle(self, results: Sequence[_Result[T]]) -> None:
        fetched: list[FetchedPage[T]] = []
        for result in results:
            reader, outcome = result.reader, result.outcome
            if isinstance(outcome, QuotaExhausted):
                self._exhausted = outcome
                self._plan.in_flight.remove(reader)
            elif isinstance(outcome, InterruptedListError):
                self._plan.list_again(reader, refused=outcome.refusal is not None)
            else:
                days, rows = self._listing.days(outcome.page), _size(outcome.page)
                if outcome.is_last and self._plan.may_have_broken_off(reader, days, rows):
                    outcome = replace(outcome, is_last=False)
                    self._plan.list_again(reader, refused=False)
                else:
                    self._plan.note_page(reader, days, rows, is_last=outcome.is_last)
                fetched.append(outcome)
        if fetched:
            await self._on_pages(fetched)
        for result in results:
            result.handled.set()

    async def _read(self, reader: WindowReader, send: ObjectSendStream[_Result[T]]) -> None:
        try:
            listed = read_window(self._bulk, self._listing, reader.window, attempt=reader.attempt)
            async with aclosing(listed) as pages:
                async for page in pages:
                    result = _Result(reader, page)
                    await send.send(result)
                    await result.handled.wait()
                    if reader.is_cut:
                        return
        except (InterruptedListError, QuotaExhausted) as why:
            await send.send(_Result(reader, why))


def _repeated(cursor: str) -> PaginationError:
    error = PaginationError("the server repeated a cursor", status=HTTPStatus.OK)
    return error.in_call("GET", cursor.partition("?")[0], attempts=0, waited=0.0, quota=None)


def _size(page: Page[T]) -> int:
    return len(page.items) + len(page.rejected)


def _last_key(listing: WindowedList[T], page: Page[T]) -> int | None:
    """Return the key of a page's last row; None if there is none that could be read."""
    rejected = {row.index for row in page.rejected}
    if not page.items or _size(page) - 1 in rejected:
        return None
    return listing.key(page.items[-1])
