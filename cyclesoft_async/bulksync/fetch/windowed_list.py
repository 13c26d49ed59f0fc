"""A list that is read by windows of days: its requests, the key of a row, and the day that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, Generic, TypeVar

from msgspec import Struct

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.models import AMSTERDAM, WorkshopOrder
from cyclesoft_async.pagination import Page, Paginator
from cyclesoft_async.session import CycleSoftSession

T = TypeVar("T")


class WindowedList(Struct, Generic[T], frozen=True, kw_only=True):
    """A list of the API that is read by windows of days."""

    of_window: Callable[[CycleSoftSession, Window], Paginator[T]]
    at_cursor: Callable[[CycleSoftSession, str], Paginator[T]]
    key: Callable[[T], int]
    day: Callable[[T], date | None]

    def days(self, page: Page[T]) -> Sequence[int]:
        """Return the days of a page's rows as ordinals; 0 for a row without one."""
        return [0 if day is None else day.toordinal() for day in map(self.day, page.items)]


def _start_day(order: WorkshopOrder) -> date | None:
    start = order.datetime_scheduled_start
    # A time keeps its own zone if Amsterdam's calendar has no day for it.
    return None if start is None or start.tzinfo is not AMSTERDAM else start.date()


WORKSHOP_ORDERS: Final[WindowedList[WorkshopOrder]] = WindowedList(
    of_window=lambda cs, window: cs.workshop_orders.list(date_from=window.first, date_until=window.last),
    at_cursor=lambda cs, cursor: cs.workshop_orders.list(cursor=cursor),
    key=lambda order: order.workshop_order_id,
    day=_start_day,
)
