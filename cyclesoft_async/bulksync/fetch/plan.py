"""Plan: which days of a range are listed together, and which are read next.

Pure: it decides, and sends and stores nothing. Every window is a list of its own, because a server promises
no order in its lists.

What a plan costs, in requests: a list of `n` rows costs `ceil(n / page size)`, so each window wastes a part
of its last page. Windows have a few rows less than a whole number of pages, as far as is known how many rows
days have: by earlier runs, by the windows that were read, and by pages that came in the order of days. A list
that is cut costs the pages that were read of it. So it is cut early, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Final

from cyclesoft_async.bulksync.window import Window, halves, merged

from .density import DensityEstimate
from .ends import ListEnds
from .hints import empty_stretches, samples
from .window_reader import RowOrder, WindowReader

MOST_PAGES: Final = 5
"""Pages that a window is planned to have at most: what is read again after an interruption."""
_PAGE_SIZE: Final = 100
# A window that turns out so much larger than planned is planned again.
_FAR_TOO_LARGE: Final = 2 * MOST_PAGES
# Nothing shows how much is left of a list in no order, until it has so many times its planned pages.
_ENDLESS: Final = 6
# How many times as many pages as were read, and are read again, a window that is cut must have.
_WORTH: Final = 5
# Of so long a gap the middle is read first: what lies between two known days is estimated better.
_LONG_GAP_DAYS: Final = 30
_LONG_GAP_WINDOWS: Final = 3
_REFUSALS: Final = 3


class Plan:
    """The days that are left to read.

    Args:
        unread: Windows that cover them.
        known: Rows of days that earlier runs have counted, by ordinal.
        page_size: Rows in a full page; None if it is not known.
        largest_page: Rows of the largest page that earlier runs have read.
        attempt: How often the unread windows were listed before. They are listed as they are then.
    """

    def __init__(
        self,
        unread: Iterable[Window],
        known: Mapping[int, int] | None = None,
        *,
        page_size: int | None = None,
        largest_page: int = 0,
        attempt: int = 0,
    ) -> None:
        self._gaps = [window.days for window in unread]
        self._first: list[WindowReader] = []
        # A mean of windows whose last pages are not full: a full page has a little more.
        self._expected_page_size = page_size + 1 if page_size else _PAGE_SIZE
        self._full_page: int | None = None
        self._most_pages = MOST_PAGES
        self._refusals = 0
        self._order = RowOrder.UNKNOWN
        self._counted_before = dict(known or {})
        self._density = DensityEstimate(_span(self._gaps, self._counted_before), self._counted_before)
        self._ends = ListEnds(largest_page)
        self.in_flight: list[WindowReader] = []
        self.windows_read: int = 0
        if attempt:
            self._first = [self._reader(days, attempt=attempt) for days in self._gaps]
            self._gaps = []

    @property
    def _page_size(self) -> int:
        """Rows in a full page, as the pages of this run show, or as it was before."""
        return self._full_page or self._expected_page_size

    @property
    def pages_left(self) -> int:
        """How many pages are probably left to read."""
        waiting = sum(max(1.0, self._density.rows(gap) / self._page_size) for gap in self._gaps)
        return ceil(waiting) + sum(reader.pages_left for reader in [*self._first, *self.in_flight])

    @property
    def next_pages(self) -> int:
        """How many pages the next window probably has, or less."""
        return min(self._most_pages, max(1, self.pages_left))

    @property
    def windows(self) -> int:
        """How many windows there probably are, those included that were read."""
        waiting = sum(
            max(1, ceil(self._density.rows(gap) / self._page_size / self._most_pages)) for gap in self._gaps
        )
        return self.windows_read + len(self.in_flight) + len(self._first) + waiting

    def take(self) -> WindowReader | None:
        """Return the next window to read.

        Returns:
            None if all days are read or being read, and as long as nothing is known of the others.
        """
        if self._first:
            reader = self._first.pop()
        elif not self._gaps or self._must_wait:
            return None
        elif self._density.is_blank:
            reader = self._reader(max(self._gaps, key=len), is_probe=True)
            self._gaps.remove(reader.window.days)
        else:
            reader = self._next_window()
        self.in_flight.append(reader)
        return reader

    def split(self) -> Sequence[WindowReader]:
        """Return windows of all days that are left, for other readers; nothing is left here."""
        readers: list[WindowReader] = []
        while (reader := self.take()) is not None:
            readers.append(reader)
        readers += [self._reader(gap) for gap in self._gaps]
        self._gaps, self.in_flight = [], []
        return readers

    @property
    def _must_wait(self) -> bool:
        """Whether windows that are being read will show how many rows the other days have."""
        if self._density.is_blank:
            return bool(self.in_flight)
        # The pages of a list in no order show little before its end.
        is_blind = self._order is RowOrder.NONE and not self._counted_before
        return is_blind and len(self.in_flight) > self.windows_read

    def note_page(self, reader: WindowReader, days: Sequence[int], rows: int, *, is_last: bool) -> None:
        """Note a page of a window that is being read, and whether it was the last one."""
        shown = reader.add(days, rows)
        if is_last:
            self.in_flight.remove(reader)
            self.windows_read += 1
            self._density.learn(reader.planned_rows, reader.rows)
            self._density.count(reader.counted)
            return
        self._full_page = max(self._full_page or 0, rows)
        self._ends.add_full(rows)
        self._order = reader.order
        self._density.count(shown)
        if self._is_far_too_large(reader):
            self._cut(reader, days)

    def may_have_broken_off(self, reader: WindowReader, rows: int, days: Sequence[int] = ()) -> bool:
        """Whether the list of a window, which ends with a page of so many rows, may go on after it.

        A server that does not keep to the days has as many rows in each list, and is believed. `days` are
        those of the page's rows.
        """
        if 2 * sum(day in reader.window.days for day in days) < len(days):
            return False
        before, listed = self._counted_before, reader.window.days
        counted = sum(before[day] for day in listed) if all(day in before for day in listed) else None
        return self._ends.is_doubtful_at(
            rows, of_list=reader.rows + rows, counted=counted, days=len(listed), attempt=reader.attempt
        )

    def list_again(self, reader: WindowReader, *, refused: bool) -> None:
        """Let the days of a window that was not read to its end be listed again, in two windows if they can.

        Args:
            reader: The window.
            refused: Whether the server refused a cursor: when that repeats itself, windows have one page.
        """
        self._refusals += refused
        if self._refusals >= _REFUSALS:
            self._most_pages = 1
        self.in_flight.remove(reader)
        self._first += [self._reader(half.days, attempt=reader.attempt + 1) for half in halves(reader.window)]

    def _reader(self, days: range, *, attempt: int = 0, is_probe: bool = False) -> WindowReader:
        rows = self._density.rows(days)
        pages = max(1, ceil(rows / self._page_size))
        return WindowReader(Window.of(days), rows, pages, attempt, is_probe=is_probe)

    def _next_window(self) -> WindowReader:
        gap = max(self._gaps, key=lambda gap: (self._density.rows(gap), len(gap)))
        self._gaps.remove(gap)
        begin = gap.start
        pages = self._density.estimated(gap) / self._page_size
        if (
            self._order is not RowOrder.ASCENDING
            and len(gap) > _LONG_GAP_DAYS
            and pages > _LONG_GAP_WINDOWS * self._most_pages
        ):
            begin = gap[len(gap) // 2]
        days = self._density.best_window(range(begin, gap.stop), self._page_size, self._most_pages)
        self._gaps += [left for left in (range(gap.start, begin), range(days.stop, gap.stop)) if left]
        return self._reader(days)

    def _is_far_too_large(self, reader: WindowReader) -> bool:
        if len(reader.window.days) == 1:
            return False
        left = reader.unfinished
        if left is None:
            inside = sum(reader.counted.values())
            if 2 * inside < reader.rows:
                return False  # a server that does not keep to the days: shorter lists of it are no shorter
            return reader.is_probe or reader.pages >= _ENDLESS * reader.planned_pages
        pages = reader.pages + self._density.rows(left) / self._page_size
        if reader.is_probe and reader.pages == 1:
            return pages > MOST_PAGES
        return pages > max(_FAR_TOO_LARGE, 2 * reader.planned_pages, _WORTH * reader.pages)

    def _cut(self, reader: WindowReader, days: Sequence[int]) -> None:
        """Plan the days of a window again, by what its pages have shown."""
        reader.is_cut = True
        self.in_flight.remove(reader)
        window, seen = reader.window.days, reader.seen
        planned: list[range] = []
        if reader.unfinished is not None:
            last = reader.last_day
            if seen[last] > self._density.rows(range(last, last + 1)):
                self._density.count({last: seen[last]})
        elif not reader.is_probe:
            # No end after so many pages: probably as many follow.
            self._density.count({day: 2 * seen[day] for day in window})
        elif self._density.is_blank:
            empty = empty_stretches(window, days)
            left = Window.of(window).minus(map(Window.of, empty))
            sampled = [stretch for each in left for stretch in samples(each.days, days)]
            self._first += [self._reader(stretch, is_probe=True) for stretch in empty]
            self._first += [self._reader(stretch) for stretch in sampled]
            planned = [*empty, *sampled]
        left = Window.of(window).minus(map(Window.of, planned))
        self._gaps = merged([*self._gaps, *(each.days for each in left)])


def _span(gaps: Sequence[range], known: Iterable[int]) -> range:
    """Return the days that a plan speaks of: those of the gaps, and those that were counted."""
    days = [*known, *(day for gap in gaps for day in (gap[0], gap[-1]))]
    return range(min(days), max(days) + 1) if days else range(0)
