"""One page of a list: its rows, those that could not be read, and where the next page is.

Vendor page: "Pagination" (Introduction). `data` may be one object where a list is promised, and
`pagination.next_url` may name a host that was never called.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from types import GenericAlias
from typing import Generic, TypeVar, cast
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from cyclesoft_async.codec.decode import decode, decode_as_documented
from cyclesoft_async.errors import ResponseDecodeError

from .response import Answer, Verdict, raise_for_failure, unreadable, verdict_of

T = TypeVar("T")

_SCHEME_AND_HOST = re.compile(r"(?:\w+:)?//[^/?#]+(?=/)")
_LEGAL_IN_ADDRESSES = "%/:?#[]@!$&'()*+,;="

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_CONTROLS_AS_SPACES = bytes.maketrans(bytes(range(32)), b" " * 32)


class RejectedRow(Struct, frozen=True, kw_only=True):
    """A row that is not what the vendor documents."""

    index: int
    """Its place in the page, from 0."""
    raw: bytes
    """The row as it came; it can hold people's data."""
    reason: str
    """What is wrong and where, e.g. "Expected `int`, got `array` - at `$.status_id`"."""

    @property
    def path(self) -> str:
        """Where in the row the fault is, e.g. "$.order_items[0].quantity"; "$" is the row as a whole."""
        _, _, path = self.reason.rpartition(" - at `")
        return path.rstrip("`") if path.startswith("$") else "$"

    def __repr__(self) -> str:
        return f"RejectedRow({self.index}, {self.reason!r})"


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    items: list[T]
    rejected: list[RejectedRow]
    """Rows that could not be read; the others are in `items`."""
    cursor: str | None
    """Where the next page starts; text to store and to resume from. None on the last page."""
    body: bytes
    """The answer as it came."""

    @property
    def raw_items(self) -> list[bytes]:
        """The rows of `items` as they came, in the same order, unknown properties included."""
        bad = {row.index for row in self.rejected}
        return [row for index, row in enumerate(_rows(self.body)) if index not in bad]

    def __repr__(self) -> str:
        more = "the last" if self.cursor is None else "more follow"  # a cursor holds the query's values
        return f"Page({len(self.items)} items, {len(self.rejected)} rejected, {more})"


class _Pagination(Struct, frozen=True):
    next_url: str | None = None


class _Tail(Struct, frozen=True):
    pagination: _Pagination | None = None


class _Envelope(Verdict, Generic[T], frozen=True, kw_only=True):
    data: list[T] | T | None
    pagination: _Pagination | None = None


class _LooseTail(Struct, frozen=True):
    pagination: object = None


class _LooseEnvelope(Struct, frozen=True):
    data: Raw


def read_whole_page(answer: Answer, row_type: type[T]) -> Page[T]:
    """The answer as a page of `row_type`.

    Raises:
        StatusError: The server says no.
        ResponseDecodeError: The answer is not JSON, not a page, or has a row that can't be read.
    """
    page = read_page(answer, row_type)
    for row in page.rejected:
        raise ResponseDecodeError(f"row {row.index} of the page: {row.reason}", status=answer.status)
    return page


def read_page(answer: Answer, row_type: type[T]) -> Page[T]:
    """The answer as a page of `row_type`: in one typed pass, and row by row when that fails.

    Raises:
        StatusError: The server says no.
        ResponseDecodeError: The answer is not JSON, or not a page.
    """
    decoder = cast("msgspec.json.Decoder[_Envelope[T]]", _page_decoder(cast("Hashable", row_type)))
    try:
        envelope = decode_as_documented(answer.body, decoder)
    except msgspec.DecodeError:
        envelope = None
    if envelope is None:
        return _read_row_by_row(answer, row_type)
    raise_for_failure(answer, envelope)
    rows = envelope.data
    items = cast("list[T]", [] if rows is None else rows if isinstance(rows, list) else [rows])
    return Page(items=items, rejected=[], cursor=_cursor(envelope.pagination), body=answer.body)


@lru_cache
def _page_decoder(row_type: Hashable) -> msgspec.json.Decoder[_Envelope[object]]:
    envelope = cast("type[_Envelope[object]]", GenericAlias(_Envelope, (row_type,)))
    return msgspec.json.Decoder(envelope)


def _read_row_by_row(answer: Answer, row_type: type[T]) -> Page[T]:
    legible = _legible(answer.body)
    raise_for_failure(answer, verdict_of(legible))
    rows, cursor = _rows_and_cursor(answer, legible)
    items: list[T] = []
    rejected: list[RejectedRow] = []
    for index, row in enumerate(rows):
        try:
            items.append(decode(row, row_type))
        except msgspec.DecodeError as error:
            rejected.append(RejectedRow(index=index, raw=row, reason=str(error)))
    return Page(items=items, rejected=rejected, cursor=cursor, body=answer.body)


def _legible(body: bytes) -> bytes:
    """The body, or one of the same length if a text has half of a surrogate pair or a control character.

    msgspec takes neither, not even where it only looks for the end of a row.
    """
    try:
        decode(body, Raw)
    except msgspec.DecodeError:
        return _SURROGATE.sub(rb"\\u20", body.translate(_CONTROLS_AS_SPACES))
    return body


def _rows_and_cursor(answer: Answer, legible: bytes) -> tuple[list[bytes], str | None]:
    try:
        return _rows(answer.body), _cursor(_pagination(legible))
    # ValueError: rows in another order than they came, as a key comes twice in a page that is not legible.
    except (msgspec.DecodeError, ValueError) as error:
        failure = unreadable(answer, error)
    # Raised out here because the context of msgspec's error can hold the body.
    raise failure


def _rows(body: bytes) -> list[bytes]:
    """The rows of `data` as they came; what can't be read in one of them does not hide the others."""
    try:
        return [bytes(row) for row in _split(body)[1]]
    except msgspec.DecodeError:
        legible = _legible(body)
    data, rows = _split(legible)
    found: list[bytes] = []
    end = legible.index(data)
    for row in map(bytes, rows):
        start = legible.index(row, end)
        end = start + len(row)
        found.append(body[start:end])
    return found


def _split(body: bytes) -> tuple[Raw, list[Raw]]:
    """`data`, and its rows, whether it is a list, one object, an object keyed by index, or null."""
    data = decode(body, _LooseEnvelope).data
    match bytes(data)[:1]:
        case b"[":
            return data, decode(data, list[Raw])
        case b"{":
            by_key = decode(data, dict[str, Raw])
            return data, list(by_key.values()) if all(map(str.isdecimal, by_key)) else [data]
        case b"n":
            return data, []
        case _:
            raise msgspec.ValidationError("Expected `array` - at `$.data`")


def _pagination(body: bytes) -> _Pagination | None:
    """What the answer says of the next page; PHP has `false`, `""` and `[]` for none."""
    found = decode(body, _LooseTail).pagination
    if not found or (isinstance(found, dict) and not cast("dict[str, object]", found).get("next_url")):
        return None
    return msgspec.convert({"pagination": found}, _Tail).pagination


def _cursor(pagination: _Pagination | None) -> str | None:
    """The path and query of `next_url`: real answers name other hosts, and credentials go to ours only.

    An address without a path, as "https://..." in the vendor's example, stays whole; it can't be followed.
    """
    if pagination is None or not pagination.next_url:
        return None
    address = _SCHEME_AND_HOST.match(pagination.next_url)
    return quote(pagination.next_url[address.end() if address else 0 :], safe=_LEGAL_IN_ADDRESSES)
