"""Mirrored tables: what the store knows of a kind of row. One is described in each file of `resources/`.

Rows become the tuples that the database takes here, for every row of a sync. Values go by position: by name
they would cost more than decoding the row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Date, Table, Text

from cyclesoft_async.codec.decode import decode

from .columns import BOOKKEEPING, ExactDecimal, UtcDateTime
from .values import has_odd_escape, raw_text, utc_text

T = TypeVar("T")

Row: TypeAlias = Sequence[object]
Key: TypeAlias = tuple[int | str, ...]
"""The values of a row's key columns."""
Received: TypeAlias = tuple[T, bytes]
"""A row and its JSON."""

_Conversion: TypeAlias = tuple[int, Callable[[Any], object]]
"""A column's place, and what its values become."""

_CONVERT: Final[Mapping[type, Callable[[Any], object]]] = {
    UtcDateTime: utc_text,
    Date: str,
    ExactDecimal: str,
}


class Stamp(Struct, frozen=True):
    """When rows came, as `values.utc_text` writes it."""

    asked_at: str | None
    """When they were requested, or their event was raised."""
    now: str | None
    """When they are stored."""


class Lines(Generic[T]):
    """A table of a row's lines: the elements of one of its lists.

    Args:
        of: The property that has the list.
        table: The table: the row's key, the line's `position`, then properties of a line.
    """

    def __init__(self, of: str, table: Table) -> None:
        self.table = table
        self.key: list[str] = [column.name for column in table.primary_key][:-1]
        self._lines: Callable[[T], Sequence[object]] = attrgetter(of)
        names = [column.name for column in table.columns][len(self.key) + 1 :]
        self._values, self._conversions = _values_of(names), _conversions(table)

    def rows(self, key: Key, item: T) -> Iterable[Row]:
        """Yield the rows of a row's lines."""
        for position, line in enumerate(self._lines(item)):
            row: list[object] = [*key, position, *self._values(line)]
            _convert(row, self._conversions)
            yield row


class Mirrored(Generic[T]):
    """A kind of row, and the table of it.

    Args:
        model: What a row is decoded as.
        table: The table: properties of the model, then the bookkeeping columns.
        lines: The table of its lines, if it has one.
        modified: The property that says when a row was last changed. None if there is none: then the copy
            that was requested later is the newer one.
        when_deleted: Values of a row that the server does not have any more, beside `deleted_at`.
        indexes: Columns of indexes for users' queries. Building one over stored rows costs a fraction of
            maintaining it while they arrive, so they are built when the first run has finished.

    Attributes:
        name: The table's name, and the resource's.
        key: The key's columns.
    """

    def __init__(
        self,
        model: type[T],
        table: Table,
        *,
        lines: Lines[T] | None = None,
        modified: str | None = None,
        when_deleted: Mapping[str, object] | None = None,
        indexes: Sequence[Column[Any]] = (),
    ) -> None:
        self.model = model
        self.table = table
        self.lines = lines
        self.modified = modified
        self.when_deleted: Mapping[str, object] = when_deleted or {}
        self.indexes = indexes
        self.name: str = table.name
        self.key: list[Column[Any]] = list(table.primary_key)
        names = [column.name for column in table.columns][: -len(BOOKKEEPING)]
        self._values, self._conversions = _values_of(names), _conversions(table)
        self._key = _values_of([column.name for column in self.key])
        self._modified = None if modified is None else attrgetter(modified)

    @property
    def tables(self) -> Collection[Table]:
        """The table and that of the lines."""
        return [self.table] if self.lines is None else [self.table, self.lines.table]

    def key_of(self, item: T) -> Key:
        """Return a row's key."""
        key: Key = self._key(item)
        return key

    def identify(self, raw: bytes) -> Key | None:
        """Return the key of a row that cannot be read, if it has one."""
        try:
            row = decode(raw, dict[str, Any])
        except msgspec.DecodeError:
            return None
        values = [row.get(column.name) for column in self.key]
        kinds = [str if is_text(column) else int for column in self.key]
        key = tuple(value for value, kind in zip(values, kinds, strict=True) if isinstance(value, kind))
        return key if len(key) == len(self.key) else None

    def modified_text(self, item: T) -> str | None:
        """Return when a row was last changed, as `utc_text` writes it.

        Raises:
            OverflowError: It lies outside of the years 1 to 9999.
        """
        return None if self._modified is None else utc_text(self._modified(item))

    def row(self, item: T, raw: bytes, stamp: Stamp, *, careful: bool = False) -> Row:
        """Return the row of the table.

        Args:
            item: The row.
            raw: Its JSON.
            stamp: When it came.
            careful: Whether JSON that only a lenient parser reads is written anew.

        Raises:
            OverflowError: A time lies outside of the years 1 to 9999, once it is UTC.
        """
        row: list[object] = [*self._values(item)]
        _convert(row, self._conversions)
        if careful or has_odd_escape(raw):
            row = _without_nul(row)
            text = raw_text(raw, careful=careful)
        else:
            text = raw.decode(errors="replace")
        row += (text, hash_of(raw), stamp.now, stamp.now, stamp.asked_at, None)
        return row

    def line_rows(self, item: T, raw: bytes) -> Iterable[Row]:
        """Return the rows of the lines' table."""
        if self.lines is None:
            return ()
        rows = self.lines.rows(self.key_of(item), item)
        return map(_without_nul, rows) if has_odd_escape(raw) else rows


def hash_of(raw: bytes) -> int:
    """Return a hash of a row's bytes, by which an unchanged row is known."""
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big", signed=True)


def _without_nul(row: Row) -> list[object]:
    """Drop NUL: PostgreSQL cannot store it, and in SQLite a text seems to end there."""
    return [value.replace("\0", "") if isinstance(value, str) else value for value in row]


def is_text(column: Column[Any]) -> bool:
    """Whether a column of a key is given as text; others are whole numbers."""
    return isinstance(column.type, Text | Date)


def key_text(key: Key) -> str:
    """Return a key as one text."""
    return "/".join(map(str, key))


def _values_of(names: Sequence[str]) -> Callable[[object], Any]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda item: (get(item),)


def _conversions(table: Table) -> Sequence[_Conversion]:
    return [
        (place, _CONVERT[type(column.type)])
        for place, column in enumerate(table.columns)
        if type(column.type) in _CONVERT and column.name not in BOOKKEEPING
    ]


def _convert(row: list[object], conversions: Sequence[_Conversion]) -> None:
    for place, convert in conversions:
        if (value := row[place]) is not None:
            row[place] = convert(value)
