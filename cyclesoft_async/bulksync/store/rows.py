"""Orders and their lines as the tuples that the database takes.

This runs for every order of a sync. Values go by position and the text of a day in UTC is made once: by name,
and through `astimezone`, it would cost more than decoding the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Final, TypeAlias

from msgspec.structs import astuple

from cyclesoft_async.models import AMSTERDAM, WorkshopOrder

from .tables import ExactDecimal, UtcDateTime, workshop_order_items, workshop_orders

Row: TypeAlias = tuple[object, ...]
RawOrder: TypeAlias = tuple[WorkshopOrder, bytes]
"""An order and its JSON."""

# An order's columns are its plain values, then its times, and then the raw JSON.
_ADDED: Final = ("raw",)
_TIMES: Final = [column.name for column in workshop_orders.columns if isinstance(column.type, UtcDateTime)]
_PLAIN: Final = [name for name in list(workshop_orders.columns.keys()) if name not in {*_TIMES, *_ADDED}]
_plain = attrgetter(*_PLAIN)
_times = attrgetter(*_TIMES)
_DECIMALS: Final = [
    place
    for place, column in enumerate(workshop_order_items.columns)
    if isinstance(column.type, ExactDecimal)
]
_NUL: Final = b"\\u0000"
_TWO_DIGITS: Final = [f"{number:02}" for number in range(60)]
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def order_row(order: WorkshopOrder, raw: bytes) -> Row:
    """Return the row of an order; the columns are those of `tables.workshop_orders`.

    Raises:
        OverflowError: A time lies outside of the years 1 to 9999, once it is UTC.
    """
    row = (*_plain(order), *map(utc_text, _times(order)), raw_text(raw))
    return _without_nul(row) if _NUL in raw else row


def raw_text(raw: bytes) -> str:
    """Return an order's JSON as it is stored."""
    # Undocumented properties are not decoded: their bytes need not be UTF-8.
    return raw.decode(errors="replace")


def modified_text(order: WorkshopOrder) -> str | None:
    """Return an order's `datetime_modified` as `utc_text` writes it.

    Raises:
        OverflowError: It lies outside of the years 1 to 9999.
    """
    return utc_text(order.datetime_modified)


def line_rows(order: WorkshopOrder, raw: bytes) -> Iterable[Row]:
    """Return the rows of an order's lines; the columns are those of `tables.workshop_order_items`."""
    key = order.workshop_order_id
    lines: list[Row] = []
    for position, line in enumerate(order.order_items):
        row = [key, position, *astuple(line)]
        for place in _DECIMALS:
            if (value := row[place]) is not None:
                row[place] = str(value)
        lines.append(tuple(row))
    return map(_without_nul, lines) if _NUL in raw else lines


def _without_nul(row: Row) -> Row:
    """Drop NUL: PostgreSQL cannot store it, and in SQLite a text seems to end there."""
    return tuple(value.replace("\0", "") if isinstance(value, str) else value for value in row)


def utc_text(moment: datetime | None) -> str | None:
    """Write an aware time as UTC, e.g. "2025-07-01 07:30:00.000000".

    Raises:
        OverflowError: It lies outside of the years 1 to 9999.
    """
    if moment is None:
        return None
    plain = moment.tzinfo is AMSTERDAM and not moment.microsecond
    day = _day(moment.date()) if plain else None
    if day is None:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    hours_ahead, this_day, day_before = day
    hour = moment.hour - hours_ahead
    if hour < 0:
        hour += 24
        this_day = day_before
    return f"{this_day} {_TWO_DIGITS[hour]}:{_TWO_DIGITS[moment.minute]}:{_TWO_DIGITS[moment.second]}.000000"


@lru_cache(maxsize=10_000)
def _day(day: date) -> tuple[int, str, str] | None:
    """Return how many hours Amsterdam is ahead of UTC, and the day and the one before it as text.

    None on a day on which the offset changes, and before 1940, when it was no whole number of hours.
    """
    first, last = (datetime.combine(day, at, AMSTERDAM).utcoffset() for at in (time.min, time.max))
    if first is None or first != last or first % _HOUR:
        return None
    return first // _HOUR, day.isoformat(), (day - _DAY).isoformat()
