"""Listed resources: how a kind of row is read that has a list of its own, without days."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import RowMapping

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import NotFoundError
from cyclesoft_async.pagination import Page, RejectedRow
from cyclesoft_async.session import CycleSoftSession

from .mirrored import Mirrored, Received

T = TypeVar("T")


class Batch(Struct, Generic[T], frozen=True, kw_only=True):
    """Rows of a list that one request has brought."""

    rows: Sequence[Received[T]]
    rejected: Sequence[RejectedRow]
    cursor: str | None = None
    """Cursor of the next page; None at the end."""


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """A kind of row that has a list of its own."""

    kind: Mirrored[T]
    """The row and its table."""
    read: Callable[[CycleSoftSession, datetime | None, str | None], Awaitable[Batch[T]]]
    """Makes one request: for rows changed since a time, or for all; or for those at a cursor."""
    is_incremental: bool = False
    """Whether the list can be asked for what changed since a time."""
    shows_all: bool = True
    """Whether a row that the whole list lacks is gone."""
    find: Callable[[CycleSoftSession, RowMapping], Awaitable[bytes | None]] | None = None
    """Requests one stored row by itself; None if the server does not have it. Without it a second reading of
    the list has to agree with the first before a row counts as deleted."""

    @property
    def name(self) -> str:
        """The resource's name, and its table's."""
        return self.kind.name


def batch_of(page: Page[T]) -> Batch[T]:
    """Return the rows of a page."""
    rows = list(zip(page.items, page.raw_items, strict=True))
    return Batch(rows=rows, rejected=page.rejected, cursor=page.cursor)


def decoded(raws: Iterable[Raw], kind: type[T]) -> Batch[T]:
    """Decode the rows of a list that comes without pages, one by one."""
    rows: list[Received[T]] = []
    rejected: list[RejectedRow] = []
    for index, raw in enumerate(map(bytes, raws)):
        try:
            rows.append((decode(raw, kind), raw))
        except msgspec.DecodeError as error:
            rejected.append(RejectedRow(index=index, raw=raw, reason=str(error)))
    return Batch(rows=rows, rejected=rejected)


class _Under(Struct, frozen=True):
    data: Raw


async def found_at(cs: CycleSoftSession, path: str, *, under_data: bool = False) -> bytes | None:
    """Request one row; None if the server does not have it."""
    kind: Any = _Under if under_data else Raw
    try:
        answer = await cs.request("GET", path, type=kind)
    except NotFoundError:
        return None
    return bytes(answer.data if under_data else answer)
