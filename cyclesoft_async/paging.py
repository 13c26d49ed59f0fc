"""Lists that the server hands out page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Generic, TypeVar

from .errors import PaginationError, ResponseDecodeError
from .transport import Page, RejectedRow

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

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Page[T]]], *, path: str, cursor: str | None = None
    ) -> None:
        self._fetch = fetch
        self._path = path
        self._cursor = cursor

    def __await__(self) -> Generator[None, None, Page[T]]:
        """Fetch the first page."""
        return self._first().__await__()

    async def _first(self) -> Page[T]:
        return await self._fetch(self._cursor)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Every item of every page.

        Raises:
            ResponseDecodeError: A row could not be read; iterate over `pages()` to go on without it.
            PaginationError: See `pages`.
        """
        async for page in self.pages():
            for row in page.rejected:
                raise ResponseDecodeError(f"row {row.index} of the page: {row.reason}", status=200).in_call(
                    "GET", self._path, attempts=1, waited=0.0, quota=None
                )
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Page by page; a page without items is a page too, and does not end the list.

        Raises:
            PaginationError: A cursor came back, which would never end, or points at another path.
        """
        cursor = self._cursor
        seen = {cursor}
        while True:
            page = await self._fetch(cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return
            if cursor in seen:
                raise self._no_way_on("the server gave a cursor for the second time")
            if not self._is_ours(cursor):
                raise self._no_way_on("the next page is not at the path that was called")
            seen.add(cursor)

    async def collect(self) -> list[T]:
        """Every item of every page, in one list."""
        return [item async for item in self]

    def _is_ours(self, cursor: str) -> bool:
        return cursor.partition("?")[0] == self._path

    def _no_way_on(self, reason: str) -> PaginationError:
        return PaginationError(reason, status=200).in_call(
            "GET", self._path, attempts=1, waited=0.0, quota=None
        )
