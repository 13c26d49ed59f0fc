"""Lists that the server hands out page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from http import HTTPStatus
from typing import Generic, TypeVar

from msgspec.structs import replace

from .errors import PaginationError
from .transport import Call, Page, RejectedRow

__all__ = ["Page", "Paginator", "RejectedRow"]

T = TypeVar("T")


class Paginator(Generic[T]):
    """A list that is fetched as it is read; nothing is sent before.

    ::

        async for order in cs.workshop_orders.list(date_from=day): ...      # every item
        async for page in cs.workshop_orders.list(date_from=day).pages(): ...   # page by page
        first = await cs.workshop_orders.list(date_from=day)                # the first page only

    Each iteration starts anew. The list can change while it is read, and an item that a change moves may then
    come twice or not at all. Vendor page: "Pagination" (Introduction).
    """

    def __init__(self, fetch: Callable[[Call, bool], Awaitable[Page[T]]], first: Call) -> None:
        """Take the first page's call, and what fetches a page: whole, or what can be read of it."""
        self._fetch = fetch
        self._first = first

    def __await__(self) -> Generator[None, None, Page[T]]:
        """Fetch the first page."""
        return self._fetch(self._first, False).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Every item of every page.

        Raises:
            ResponseDecodeError: A row could not be read; iterate over `pages()` to go on without it.
            PaginationError: See `pages`.
        """
        async for page in self._pages(whole=True):
            # A variable for the item would outlive the page, and show people's data in a later traceback.
            for index in range(len(page.items)):
                yield page.items[index]

    async def collect(self) -> list[T]:
        """Every item of every page, in one list.

        Raises:
            ResponseDecodeError: A row could not be read.
            PaginationError: See `pages`.
        """
        pages = [replace(page, body=b"") async for page in self._pages(whole=True)]
        return [item for page in pages for item in page.items]

    def pages(self) -> AsyncGenerator[Page[T]]:
        """Page by page; a page without items is a page too, and does not end the list.

        Raises:
            PaginationError: A cursor came back, which would never end, or points at another path.
        """
        return self._pages(whole=False)

    async def _pages(self, *, whole: bool) -> AsyncGenerator[Page[T]]:
        call = self._first
        seen = {hash(call)}  # and not the calls: a list can have ten thousand pages
        while True:
            page = await self._fetch(call, whole)
            yield page
            if page.cursor is None:
                return
            call = call.at(page.cursor)
            if call.path != self._first.path:
                raise self._no_way_on("the next page is not at the path that was called")
            if hash(call) in seen:
                raise self._no_way_on("the server gave a cursor for the second time")
            seen.add(hash(call))

    def _no_way_on(self, reason: str) -> PaginationError:
        error = PaginationError(reason, status=HTTPStatus.OK)
        return error.in_call(self._first.method, self._first.path, attempts=0, waited=0.0, quota=None)
