"""Which days are read by whom: a range is cut into windows, and cut again when a reader has nothing to do.

Pure: it decides, and sends and stores nothing. Every window costs a last page that is filled in part, so a
range begins as one window, and is cut only where a good deal is left to read. A window is cut at a day, while
somebody reads it: the reader stops as soon as it has read past the cut. That works only if the pages come in
the order of the scheduled start, which the vendor does not promise; so it is verified on every page, and what
did not come in order is neither cut nor stopped before its end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate
from math import ceil

from cyclesoft_async.bulksync.store.runs import StoredWindow, WindowPage
from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.models import AMSTERDAM, WorkshopOrder
from cyclesoft_async.pagination import Page

_PAGE_SIZE = 100
# Pages: of what is left of a window, so that half of it is worth the page that a cut costs.
_WORTH_CUTTING = 6.0


def start_days(page: Page[WorkshopOrder]) -> list[int]:
    """The days, as ordinals, on which the orders of a page start; 0 for none, which no list should have."""
    return [_start_day(order) for order in page.items]


def _start_day(order: WorkshopOrder) -> int:
    start = order.datetime_scheduled_start
    # A time keeps its own zone if Amsterdam's calendar has no day for it.
    return 0 if start is None or start.tzinfo is not AMSTERDAM else start.toordinal()


def split_days(first: date, last: date, parts: int) -> list[Window]:
    """Cut the days from `first` to `last`, both included, into at most `parts` windows of like length."""
    days = (last - first).days + 1
    parts = min(parts, days)
    edges = [first + timedelta(days=days * part // parts) for part in range(parts)]
    ends = [edge - timedelta(days=1) for edge in edges[1:]]
    return [Window(start, end) for start, end in zip(edges, [*ends, last], strict=True)]


class Part:
    """A window, and how far it was read.

    Args:
        number: Its number in the run.
        window: Its days.
        cursor: Where its next page starts; None from the beginning.
        reached: The last day that was read of before the cursor; None if there is none, or it is not known.
        rate: Orders a day, guessed.
        in_order: Whether the pages before the cursor came in order.

    Attributes:
        reading: A reader has it.
        done: Nothing more of it is wanted.
        in_order: All its pages so far came in the order of the scheduled start.
    """

    def __init__(
        self,
        number: int,
        window: Window,
        cursor: str | None = None,
        *,
        reached: date | None = None,
        rate: float = 0.0,
        in_order: bool = True,
    ) -> None:
        self.number = number
        self.window = window
        self.cursor = cursor
        self.rate = rate
        self.reading = self.done = False
        self.in_order = in_order
        self._reached = window.first.toordinal() - 1 if reached is None else reached.toordinal()
        self._begun = self._orders = 0

    @classmethod
    def of(cls, stored: StoredWindow) -> Part:
        """Return what is left of a stored window."""
        return cls(
            stored.number, stored.window, stored.cursor, reached=stored.reached, in_order=stored.in_order
        )

    def fetched(self, run_id: int, page: Page[WorkshopOrder], orders: int) -> WindowPage:
        """Return the page that was noted last as the store takes it."""
        return WindowPage(
            run_id=run_id,
            number=self.number,
            page=page,
            orders=orders,
            done=self.done,
            in_order=self.in_order,
            reached=self.reached,
        )

    def read(self, days: Sequence[int], cursor: str | None) -> int:
        """Note a page.

        Args:
            days: The days, as ordinals, on which its orders start.
            cursor: Where the next page starts.

        Returns:
            How many of its orders lie before the window's end, and so count as its own.
        """
        last = self.window.last.toordinal()
        way = [self._reached, *days]
        self.in_order = self.in_order and way == sorted(way)
        if days and self.in_order:
            self._begun = self._begun or days[0]
            self._reached = days[-1]
            self._orders += len(days)
            self.rate = self._orders / max(1, self._reached - self._begun)
        self.cursor = cursor
        self.done = cursor is None or (self.in_order and bool(days) and days[-1] > last)
        return sum(day <= last for day in days)

    @property
    def is_unread(self) -> bool:
        """Nothing of it was read yet."""
        return self._reached < self.window.first.toordinal()

    @property
    def reached(self) -> date | None:
        """The last day that something was read of in order."""
        return None if self.is_unread else date.fromordinal(self._reached)

    @property
    def days_left(self) -> range:
        """The days, as ordinals, of which nothing was read as far as known."""
        return range(0) if self.done else range(self._reached + 1, self.window.last.toordinal() + 1)

    @property
    def cuts(self) -> range:
        """The days, as ordinals, before which it can be cut; a window has one day at least, on both sides."""
        return self.days_left[1:] if self.is_unread else self.days_left


class Density:
    """How many orders there are in some days: known from before, or guessed from a rate.

    Args:
        known: Orders of every day; empty if nothing is known.
    """

    def __init__(self, known: Mapping[date, int]) -> None:
        self._days = sorted(day.toordinal() for day in known)
        self._sums = [0, *accumulate(known[date.fromordinal(day)] for day in self._days)]

    def orders(self, days: range, rate: float) -> float:
        """How many orders these days have."""
        if not self._days:
            return rate * len(days)
        low, high = self._between(days)
        return self._sums[high] - self._sums[low]

    def middle(self, days: range) -> int:
        """The day before which about half of the orders of these days lie."""
        if not self._days:
            return days[len(days) // 2]
        low, high = self._between(days)
        half = (self._sums[low] + self._sums[high]) / 2
        return self._days[bisect_left(self._sums, half, low + 1, high) - 1] + 1

    def _between(self, days: range) -> tuple[int, int]:
        return bisect_left(self._days, days.start), bisect_left(self._days, days.stop)


class Plan:
    """The parts of a range, and the decision who reads what next.

    Args:
        parts: What there is to read.
        known: Orders a day if they are known, to cut by; otherwise the pages that come tell.
    """

    def __init__(self, parts: Iterable[Part], known: Mapping[date, int] | None = None) -> None:
        self.parts = list(parts)
        self._density = Density(known or {})
        self._page_size = 0

    @property
    def reading(self) -> int:
        """How many parts are being read."""
        return sum(part.reading for part in self.parts)

    @property
    def pages_left(self) -> int:
        """How many pages are left to read, as far as can be guessed."""
        return sum(max(1, ceil(self._left(part))) for part in self.parts if not part.done)

    def take(self) -> Part | None:
        """A part that nobody reads, for a reader that has nothing to do; the largest first."""
        waiting = [part for part in self.parts if not part.reading and not part.done]
        part = max(waiting, key=self._left, default=None)
        if part is not None:
            part.reading = True
        return part

    def read(self, part: Part, days: Sequence[int], cursor: str | None) -> int:
        """Note a page of a part; see `Part.read`."""
        if cursor is not None:
            self._page_size = max(self._page_size, len(days))
        counted = part.read(days, cursor)
        part.reading = part.reading and not part.done
        return counted

    def where_to_cut(self) -> tuple[Part, date] | None:
        """The part with the most left to read, and the day to cut it at; None if that is not worth it."""
        part = max(self._divisible(), key=self._left, default=None)
        if part is None or self._left(part) < _WORTH_CUTTING:
            return None
        cuts, middle = part.cuts, self._density.middle(part.days_left)
        return part, date.fromordinal(min(max(middle, cuts[0]), cuts[-1]))

    def cut(self, part: Part, day: date, number: int) -> None:
        """The part ends before this day from now on; what it had from there is a new one."""
        self.parts.append(Part(number, Window(day, part.window.last), rate=part.rate))
        part.window = Window(part.window.first, day - timedelta(days=1))

    def _divisible(self) -> list[Part]:
        found = [part for part in self.parts if part.in_order]
        if len(found) < len(self.parts):
            # This list can come in any order: only what has shown that it does not is cut.
            found = [part for part in found if not part.is_unread]
        return [part for part in found if part.cuts]

    def _left(self, part: Part) -> float:
        return self._density.orders(part.days_left, part.rate) / (self._page_size or _PAGE_SIZE)
