"""Lists that the API returns page by page: `Paginator`, `Page`, and how pages are read and followed.

Vendor page: "Pagination" (Introduction).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from types import GenericAlias
from typing import Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct, defstruct, field
from msgspec.structs import replace

from .codec.decode import Decoded, decode, decode_with_problems
from .errors import PaginationError, ResponseDecodeError, UsageError
from .transport import Call, ErrorBody, Response, decode_error, raise_for_error, read_error_body

__all__ = [
    "Page",
    "PageReader",
    "Pager",
    "Paginator",
    "RejectedRow",
    "Tail",
    "next_link",
    "next_offset",
    "next_page_number",
    "next_resultset",
    "next_url",
]

T = TypeVar("T")

_SCHEME_AND_HOST = re.compile(r"(?:\w+:)?//[^/?#]+(?=/)")
_LEGAL_IN_URLS = "%/:?#[]@!$&'()*+,;="

_OK = 200
# Nothing else runs while rows are read one by one: microseconds for each, ten for a rejected one.
_MOST_ROWS_READ_ALONE = 10_000
_MOST_REJECTED = 5_000
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_CONTROLS_AS_SPACES = bytes.maketrans(bytes(range(32)), b" " * 32)


class RejectedRow(Struct, frozen=True, kw_only=True):
    """A row that differs from what the vendor documents."""

    index: int
    """Position in the page, from 0."""
    raw: bytes
    """The row as it was received. It can hold people's data."""
    reason: str
    """What is wrong and where, e.g. "Expected `int`, got `array` - at `$.status_id`"."""

    @property
    def path(self) -> str:
        """Position of the fault within the row, e.g. "$.order_items[0].quantity". "$" is the whole row."""
        _, _, path = self.reason.rpartition(" - at `")
        return path.rstrip("`") if path.startswith("$") else "$"

    def __repr__(self) -> str:
        return f"RejectedRow({self.index}, {self.reason!r})"


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    items: list[T]
    rejected: list[RejectedRow]
    """Rows that could not be decoded. The others are in `items`."""
    cursor: str | None
    """Start of the next page: text to store and to resume from. None on the last page."""
    body: bytes
    """The response body as it was received, decompressed."""
    key: str = "data"
    """Name of the list in the body."""
    problems: list[str] = []
    """Odd values of optional properties, which are None in `items`: "row 3: Expected `int`, got `array` - at
    `$.status_id`". The value itself is not shown."""
    incomplete: list[RejectedRow] = []
    """Rows of `items` with a list of objects that could not be read, such as an order's lines. It is empty in
    the item, and named in `problems`. Plain iteration raises for such a row, as for a rejected one."""

    @property
    def raw_items(self) -> list[bytes]:
        """The rows of `items` as they were received, in the same order, with unknown properties."""
        rejected = {row.index for row in self.rejected}
        return [row for index, row in enumerate(_rows(self.body, self.key)) if index not in rejected]

    def without_incomplete(self) -> Page[T]:
        """Return the page with its incomplete rows among the rejected ones."""
        if not self.incomplete:
            return self
        rejected = {row.index for row in self.rejected}
        incomplete = {row.index for row in self.incomplete}
        places = (index for index in range(len(self.items) + len(rejected)) if index not in rejected)
        return replace(
            self,
            items=[item for index, item in zip(places, self.items, strict=True) if index not in incomplete],
            rejected=sorted([*self.rejected, *self.incomplete], key=lambda row: row.index),
            incomplete=[],
        )

    def __repr__(self) -> str:
        more = "last page" if self.cursor is None else "more pages follow"  # a cursor holds query values
        return f"Page({len(self.items)} items, {len(self.rejected)} rejected, {more})"


class Paginator(Generic[T]):
    """A list that is fetched while it is read. Creating one sends nothing.

    ::

        async for order in cs.workshop_orders.list(date_from=day): ...      # every item
        async for page in cs.workshop_orders.list(date_from=day).pages(): ...   # page by page
        first = await cs.workshop_orders.list(date_from=day)                # the first page only

    Each iteration starts anew. The list can change while it is read. An item that a change moves may then
    be returned twice or not at all.

    Args:
        fetch: Fetches the page of a call. Its second argument is whether a rejected row is an error.
        first: Call of the first page.
    """

    def __init__(self, fetch: Callable[[Call, bool], Awaitable[Page[T]]], first: Call) -> None:
        self._fetch = fetch
        self._first = first

    def __await__(self) -> Generator[None, None, Page[T]]:
        """Fetch the first page."""
        return self._fetch(self._first, False).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Iterate over every item of every page.

        Raises:
            ResponseDecodeError: A row could not be decoded. Iterate over `pages()` to continue without it.
            PaginationError: See `pages`.
        """
        async for page in self._pages(whole=True):
            # A variable for the item would outlive the page, and show people's data in a later traceback.
            for index in range(len(page.items)):
                yield page.items[index]

    async def collect(self) -> list[T]:
        """Return every item of every page in one list.

        Raises:
            ResponseDecodeError: A row could not be decoded.
            PaginationError: See `pages`.
        """
        pages = [replace(page, body=b"") async for page in self._pages(whole=True)]
        return [item for page in pages for item in page.items]

    def pages(self) -> AsyncGenerator[Page[T]]:
        """Iterate page by page. An empty page does not end the list.

        Raises:
            PaginationError: A cursor was repeated, which would never end, or points at another path.
        """
        return self._pages(whole=False)

    async def _pages(self, *, whole: bool) -> AsyncGenerator[Page[T]]:
        call = self._first
        seen = {hash(call)}  # hashes instead of calls: a list can have ten thousand pages
        while True:
            page = await self._fetch(call, whole)
            yield page
            if page.cursor is None:
                return
            call = call.at(page.cursor)
            if call.path != self._first.path:
                raise self._error("the cursor of the next page points at another path")
            if hash(call) in seen:
                raise self._error("the server repeated a cursor")
            seen.add(hash(call))

    def _error(self, reason: str) -> PaginationError:
        error = PaginationError(reason, status=_OK)
        return error.in_call(self._first.method, self._first.path, attempts=0, waited=0.0, quota=None)


class _Pagination(Struct, frozen=True, kw_only=True):
    next_url: str | None = None
    next_offset: int | None = None
    next: str | None = None
    page: int | None = None
    has_next_page: bool | None = None


class Tail(ErrorBody, frozen=True, kw_only=True):
    """Members of a page beside its rows."""

    pagination: _Pagination | None = None
    next_resultset: str | None = None


Pager: TypeAlias = Callable[[Call, Tail, bool], str | None]
"""Finds the next page by the call of a page, what it has beside its rows, and whether it has rows.

Returns the cursor of the next page, `path?query`; None after the last page.
"""


def next_url(call: Call, tail: Tail, has_rows: bool) -> str | None:  # noqa: ARG001 - a `Pager`
    """Follow `pagination.next_url`: its path and query on the configured host.

    Real responses name other hosts, which must not get the credentials. A URL without a path, as "https://..."
    in the vendor's example, stays whole; it cannot be followed.
    """
    return _target(tail.pagination.next_url) if tail.pagination else None


def next_link(call: Call, tail: Tail, has_rows: bool) -> str | None:  # noqa: ARG001 - a `Pager`
    """Follow `pagination.next`, like `next_url`."""
    return _target(tail.pagination.next) if tail.pagination else None


def next_resultset(call: Call, tail: Tail, has_rows: bool) -> str | None:  # noqa: ARG001 - a `Pager`
    """Follow `next_resultset`, a path. The last page names an empty one after it, which ends the list."""
    return _target(tail.next_resultset) if has_rows else None


def next_offset(call: Call, tail: Tail, has_rows: bool) -> str | None:  # noqa: ARG001 - a `Pager`
    """Pass `pagination.next_offset` back as `offset`, beside the filters of the call."""
    offset = tail.pagination.next_offset if tail.pagination else None
    return None if offset is None else _with_parameter(call, "offset", offset)


def next_page_number(call: Call, tail: Tail, has_rows: bool) -> str | None:  # noqa: ARG001 - a `Pager`
    """Pass the number after `pagination.page` as `page` while `has_next_page`, beside the filters."""
    if tail.pagination is None or not tail.pagination.has_next_page:
        return None
    return _with_parameter(call, "page", (tail.pagination.page or 1) + 1)


def _target(url: str | None) -> str | None:
    if not url:
        return None
    origin = _SCHEME_AND_HOST.match(url)
    return quote(url[origin.end() if origin else 0 :], safe=_LEGAL_IN_URLS)


def _with_parameter(call: Call, name: str, value: int) -> str:
    kept = [part for part in call.query.split("&") if part and part.partition("=")[0] != name]
    return f"{call.path}?{'&'.join([*kept, f'{name}={value}'])}"


class _Envelope(Tail, Generic[T], frozen=True, kw_only=True):
    """A page whose list has the name of `rows`; `PageReader` makes one for each name and type."""

    rows: list[T] | None


class PageReader(Generic[T]):
    """Decodes the pages of one list: in one typed pass, and row by row if that fails.

    Args:
        row_type: Type of a row.
        key: Name of the list in the body.
        follow: Finds the next page: `next_url`, `next_offset`, `next_resultset`, `next_link`,
            `next_page_number`.
        required: Name of the row's own id, if the type takes rows without one.

    Raises:
        UsageError: `key` is a property that every page has beside its rows, or no name.

    Attributes:
        key: As above.
        follow: As above.
    """

    def __init__(
        self, row_type: type[T], *, key: str = "data", follow: Pager = next_url, required: str | None = None
    ) -> None:
        rows = ("rows", GenericAlias(list, (row_type,)) | None, field(name=key))
        try:
            envelope = defstruct("Page", [rows], bases=(_Envelope,), frozen=True, kw_only=True)
        except ValueError:  # what every page has beside its list, or no name that JSON text can show
            raise UsageError(f"key must be the name of a page's list, such as data, got {key!r}") from None
        self._decode = msgspec.json.Decoder(cast("type[_Envelope[T]]", envelope)).decode
        self.row_type = row_type
        self.key = key
        self.follow = follow
        self._required = required

    def read(self, response: Response, *, call: Call, whole: bool) -> Page[T]:
        """Decode a page.

        Args:
            response: The response.
            call: Call that it answers.
            whole: Whether a row that cannot be decoded is a ResponseDecodeError.

        Raises:
            StatusError: The status or the body reports an error.
            ResponseDecodeError: The body is not a page, or `whole` and a row cannot be decoded.
            TransportError: The body is JSON that is cut off.
        """
        body = response.body
        try:
            envelope = self._decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError):
            envelope = None
        if envelope is None:
            return self._read_row_by_row(response, call=call, whole=whole)
        if envelope.error or response.status != _OK:
            raise_for_error(response, envelope)
        items = envelope.rows or []
        if self._required is not None and any(map(self._lacks_id, items)):
            return self._read_row_by_row(response, call=call, whole=whole)
        cursor = self.follow(call, envelope, bool(items))
        return Page(items=items, rejected=[], cursor=cursor, body=body, key=self.key)

    def _read_row_by_row(self, response: Response, *, call: Call, whole: bool) -> Page[T]:
        legible = _legible(response.body)
        raise_for_error(response, read_error_body(legible))
        rows, tail = _rows_and_tail(response, legible, self.key)
        if len(rows) > _MOST_ROWS_READ_ALONE:
            raise ResponseDecodeError(
                f"the page has {len(rows)} rows, not all as documented; it is too long to find which",
                status=response.status,
            )
        items: list[T] = []
        rejected: list[RejectedRow] = []
        incomplete: list[RejectedRow] = []
        problems: list[str] = []
        for index, row in enumerate(rows):
            try:
                decoded = self._decode_row(row)
            except msgspec.DecodeError as error:
                rejected.append(RejectedRow(index=index, raw=row, reason=str(error)))
                if len(rejected) == _MOST_REJECTED:
                    break
            else:
                items.append(decoded.value)
                problems += [f"row {index}: {problem}" for problem in decoded.problems]
                if decoded.losses:
                    incomplete.append(RejectedRow(index=index, raw=row, reason=decoded.losses[0]))
        if (whole and (rejected or incomplete)) or len(rejected) == _MOST_REJECTED:
            first = min(rejected + incomplete, key=lambda row: row.index)
            raise ResponseDecodeError(
                f"row {first.index} of the page: {first.reason}", status=response.status
            )
        return Page(
            items=items,
            rejected=rejected,
            cursor=self.follow(call, tail, bool(rows)),
            body=response.body,
            key=self.key,
            problems=problems,
            incomplete=incomplete,
        )

    def _decode_row(self, row: bytes) -> Decoded[T]:
        decoded = decode_with_problems(row, self.row_type)
        if self._required is not None and self._lacks_id(decoded.value):
            raise msgspec.ValidationError(f"Object missing required field `{self._required}`")
        return decoded

    def _lacks_id(self, item: T) -> bool:
        return getattr(item, self._required or "") is None


class _LooseTail(Struct, frozen=True):
    pagination: object = None
    next_resultset: object = None


def _legible(body: bytes) -> bytes:
    """Return the body, or one of the same length if a text has half a surrogate pair or a control character.

    msgspec accepts neither, not even where it only looks for the end of a row.
    """
    try:
        decode(body, Raw)
    except msgspec.DecodeError:
        return _SURROGATE.sub(rb"\\u20", body.translate(_CONTROLS_AS_SPACES))
    return body


def _rows_and_tail(response: Response, legible: bytes, key: str) -> tuple[list[bytes], Tail]:
    try:
        return _rows(response.body, key), _tail(legible)
    # ValueError: a key occurs twice in a page that is not legible, so rows cannot be found in order.
    except (msgspec.DecodeError, ValueError) as error:
        failure = decode_error(response, error)
    # Raised outside the block: the context of msgspec's error can hold the body.
    raise failure


def _rows(body: bytes, key: str) -> list[bytes]:
    """Return the rows of the list as they were received. An undecodable row does not hide the others."""
    try:
        return [bytes(row) for row in _split(body, key)[1]]
    except msgspec.DecodeError:
        legible = _legible(body)
    data, rows = _split(legible, key)
    found: list[bytes] = []
    end = legible.index(data)
    for row in map(bytes, rows):
        start = legible.index(row, end)
        end = start + len(row)
        found.append(body[start:end])
    return found


def _split(body: bytes, key: str) -> tuple[Raw, list[Raw]]:
    """Return the list and its rows: of a list, one object, an object keyed by index, or null."""
    members = decode(body, dict[str, Raw])
    if key not in members:
        raise msgspec.ValidationError(f"Object missing required field `{key}`")
    data = members[key]
    match bytes(data)[:1]:
        case b"[":
            return data, decode(data, list[Raw])
        case b"{":
            by_key = decode(data, dict[str, Raw])
            return data, list(by_key.values()) if all(map(str.isdecimal, by_key)) else [data]
        case b"n":
            return data, []
        case _:
            raise msgspec.ValidationError(f"Expected `array` - at `$.{key}`")


def _tail(body: bytes) -> Tail:
    """Return what a page says of the next one. PHP sends `false`, `""`, `[]` and `0` for none."""
    found = decode(body, _LooseTail)
    pagination = found.pagination or None
    if isinstance(pagination, dict):
        members = cast("dict[str, object]", pagination)
        pagination = {name: value for name, value in members.items() if value}
    tail = {"pagination": pagination, "next_resultset": found.next_resultset or None}
    return msgspec.convert(tail, Tail, strict=False)  # an offset can be text
