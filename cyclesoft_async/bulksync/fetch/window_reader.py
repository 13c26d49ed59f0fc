"""WindowReader: a window that is being read, and what its pages have shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from cyclesoft_async.bulksync.window import Window


class RowOrder(Enum):
    """Order of days in which the rows of a list come, as far as was seen."""

    UNKNOWN = auto()
    ASCENDING = auto()
    DESCENDING = auto()
    NONE = auto()


class WindowReader:
    """A window that is being read.

    Args:
        window: Its days.
        planned_rows: How many rows it probably has.
        planned_pages: How many pages it probably has.
        attempt: How often its days were listed before, without coming to the end.
        is_probe: Whether it is read to learn how many rows its days have: more than one page is not wanted.

    Attributes:
        pages: Pages read.
        rows: Rows of them.
        is_cut: The rest is not wanted: its days are planned again.
        order: The order of its rows up to now.
    """

    def __init__(
        self,
        window: Window,
        planned_rows: float = 0.0,
        planned_pages: int = 0,
        attempt: int = 0,
        *,
        is_probe: bool = False,
    ) -> None:
        self.window = window
        self.planned_rows = planned_rows
        self.planned_pages = planned_pages
        self.attempt = attempt
        self.is_probe = is_probe
        self.pages: int = 0
        self.rows: int = 0
        self.is_cut: bool = False
        self._days: Counter[int] = Counter()
        self.order: RowOrder = RowOrder.UNKNOWN
        self._unfinished = window.days

    @property
    def pages_left(self) -> int:
        """How many pages are probably left; one at least."""
        return max(1, self.planned_pages - self.pages)

    @property
    def counted(self) -> Mapping[int, int]:
        """The rows of each of its days, when all of them were read."""
        return {day: self._days[day] for day in self.window.days}

    @property
    def seen(self) -> Mapping[int, int]:
        """The rows of its days up to now."""
        return self._days

    @property
    def unfinished(self) -> range | None:
        """The days that probably have more rows, that of the last row included.

        None if the rows came in no order of days.
        """
        return self._unfinished if self.order in (RowOrder.ASCENDING, RowOrder.DESCENDING) else None

    @property
    def last_day(self) -> int:
        """The day of the last row, if rows come in an order of days."""
        return self._unfinished[0 if self.order is RowOrder.ASCENDING else -1]

    def add(self, days: Sequence[int], rows: int) -> Mapping[int, int]:
        """Record the number of rows of a page, and those of these days.

        Returns:
            The rows of the days that probably have no more of them, if the list is in an order of days.
        """
        self.pages += 1
        self.rows += rows
        self._days.update(days)
        before = self._unfinished
        self.order = self._order_with(days)
        if self.order is RowOrder.ASCENDING:
            self._unfinished = range(days[-1], before.stop)
            return {day: self._days[day] for day in range(before.start, days[-1])}
        if self.order is RowOrder.DESCENDING:
            self._unfinished = range(before.start, days[-1] + 1)
            return {day: self._days[day] for day in range(days[-1] + 1, before.stop)}
        return {}

    def _order_with(self, days: Sequence[int]) -> RowOrder:
        if not days or any(day not in self._unfinished for day in (days[0], days[-1])):
            return RowOrder.NONE
        if days[0] == days[-1] == min(days) == max(days):
            return self.order
        for order, is_reverse in ((RowOrder.ASCENDING, False), (RowOrder.DESCENDING, True)):
            if self.order in {order, RowOrder.UNKNOWN} and list(days) == sorted(days, reverse=is_reverse):
                return order
        return RowOrder.NONE
