"""Plan: which days of a range are listed together, and which are read next.

Pure: it decides, and sends and stores nothing. Every window is a list of its own, because a server promises
no order in its lists. Each list costs a last page that is filled in part. So windows are planned by how many
rows their days have: as counted by earlier runs, or as estimated from the windows that were read first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Final

from cyclesoft_async.bulksync.date_ranges import Window, halves

from .density import DensityEstimate

MOST_PAGES: Final = 5
"""Pages that a window is planned to have at most: what is read again after an interruption."""
_PAGE_SIZE: Final = 100
# The first windows: enough rows of each to estimate the other days from.
_EXPLORED_PAGES: Final = 4
_EXPLORED_SHARE: Final = 0.5
_SHARE_WITHOUT_RATE: Final = 8
# A window that turns out so much larger than planned is planned again.
_FAR_TOO_LARGE: Final = 2 * MOST_PAGES
_REFUSALS: Final = 3
# A list that ends with a full page is complete if it has this share of the rows that were expected.
_PLAUSIBLE_SHARE: Final = 0.9
SMALLEST_PAGE: Final = 20
"""A page with fewer rows than this is not full on any server."""


class WindowReader:
    """A window that is being read.

    Args:
        window: Its days.
        planned_pages: How many pages it probably has.
        attempt: How often its days were listed before, without coming to the end.

    Attributes:
        pages: Pages read.
        rows: Rows of them.
        is_cut: The rest is not wanted: its days are planned again.
    """

    def __init__(self, window: Window, planned_pages: int = 0, attempt: int = 0) -> None:
        self.window = window
        self.planned_pages = planned_pages
        self.attempt = attempt
        self.pages: int = 0
        self.rows: int = 0
        self.is_cut = False
        self._days: Counter[int] = Counter()

    @property
    def pages_left(self) -> int:
        """How many pages are probably left; one at least."""
        return max(1, self.planned_pages - self.pages)

    @property
    def counted(self) -> Mapping[int, int]:
        """The rows of each of its days, when all of them were read."""
        return {day: self._days[day] for day in self.window.days}

    def add(self, days: Sequence[int], rows: int) -> None:
        """Record the number of rows of a page, and those of these days."""
        self.pages += 1
        self.rows += rows
        self._days.update(days)

    def is_far_too_large(self, days: Sequence[int]) -> bool:
        """Whether its first page, if in the order of days, shows that it has far more than planned."""
        length = len(self.window.days)
        if self.pages > 1 or length == 1 or list(days) != sorted(days) or not days:
            return False
        reached = max(1, days[-1] - self.window.days.start)
        return length / reached > max(_FAR_TOO_LARGE, 2 * self.planned_pages)


class Plan:
    """The days that are left to read.

    Args:
        unread: Windows that cover them.
        known: Rows of days that earlier runs have counted, by ordinal.
        page_size: Rows in a full page; None if it is not known.
        readers: How many windows are read at the same time.
    """

    def __init__(
        self,
        unread: Iterable[Window],
        known: Mapping[int, int] | None = None,
        *,
        page_size: int | None = None,
        readers: int = 8,
    ) -> None:
        self._gaps = [window.days for window in unread]
        self._again: list[tuple[Window, int]] = []
        self._readers = readers
        self._expected_page_size = page_size or _PAGE_SIZE
        self._full_page: int | None = None
        self._most_pages = MOST_PAGES
        self._refusals = 0
        span = range(self._gaps[0].start, self._gaps[-1].stop) if self._gaps else range(0)
        self._density = DensityEstimate(span, known or {})
        self.in_flight: list[WindowReader] = []
        self.windows_read: int = 0

    @property
    def _page_size(self) -> int:
        """Rows in a full page, as the pages of this run show, or as it was before."""
        return self._full_page or self._expected_page_size

    @property
    def needs_first_page(self) -> bool:
        """Whether nothing is known of the days: `start` wants a page of their list."""
        return bool(self._gaps) and self._density.is_blank

    @property
    def pages_left(self) -> int:
        """How many pages are probably left to read."""
        waiting = sum(max(1.0, self._density.rows(gap) / self._page_size) for gap in self._gaps)
        return ceil(waiting) + len(self._again) + sum(reader.pages_left for reader in self.in_flight)

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
        return self.windows_read + len(self.in_flight) + len(self._again) + waiting

    def start_unproven(self, window: Window, rows: int) -> None:
        """Read the days in two windows: their list has one page, as a list that breaks off has."""
        self._expected_page_size = max(1, rows)
        self._gaps = []
        self._again = [(half, 0) for half in halves(window)]

    def start(self, days: Sequence[int], rows: int) -> None:
        """Choose the first windows by the first page of the list of all days, which has more pages.

        They are spread over the range, so that seasons and weekdays show.
        """
        [gap] = self._gaps
        self._full_page = max(1, rows)
        in_order = bool(days) and list(days) == sorted(days)
        # The last day may have rows on the next page; a rate from no whole day is too low, and a start.
        rate = rows / max(1, days[-1] - gap.start) if in_order else 0.0
        if rate:
            self._density.guess(rate)
            length = max(1, ceil(_EXPLORED_PAGES * rows / rate))
        else:
            length = max(1, len(gap) // (self._readers * _SHARE_WITHOUT_RATE))
            self._density.guess(rows / length)
        if length * self._readers > _EXPLORED_SHARE * len(gap):
            return
        step = (len(gap) - length) / max(1, self._readers - 1)
        starts = [gap.start + round(step * number) for number in range(self._readers)]
        explored = [Window.of(range(start, start + length)) for start in starts]
        self._again = [(window, 0) for window in reversed(explored)]
        self._gaps = [left.days for left in Window.of(gap).minus(explored)]

    def take(self) -> WindowReader | None:
        """Return the next window to read; None if all days are read or being read."""
        if self._again:
            window, attempt = self._again.pop()
        elif self._gaps:
            window, attempt = self._next_window(), 0
        else:
            return None
        rows = self._density.rows(window.days)
        reader = WindowReader(window, max(1, ceil(rows / self._page_size)), attempt)
        self.in_flight.append(reader)
        return reader

    def note_page(self, reader: WindowReader, days: Sequence[int], rows: int, *, is_last: bool) -> None:
        """Note a page of a window that is being read, and whether it was the last one."""
        reader.add(days, rows)
        if is_last:
            self.in_flight.remove(reader)
            self.windows_read += 1
            self._density.count(reader.counted)
            return
        self._full_page = max(self._full_page or 0, rows)
        if reader.is_far_too_large(days):
            self._cut(reader, days)

    def may_have_broken_off(self, reader: WindowReader, days: Sequence[int], rows: int) -> bool:
        """Whether the list of a window, which ends with this page, may go on after it.

        A server that loses the address of the next page ends a list with a full page. So does a complete list
        sometimes; but then it has about as many rows as its days are expected to have, by what has been
        counted since its reader began, too. The first guess is not trusted: it can be far too low.
        """
        window = reader.window.days
        if reader.attempt and len(window) == 1:
            return False
        if self._full_page is None:
            is_full = sum(day in window for day in days) >= max(self._page_size, SMALLEST_PAGE)
        else:
            is_full = rows >= self._full_page
        expected = self._density.rows(window)
        return is_full and (self._density.is_blank or reader.rows + rows < _PLAUSIBLE_SHARE * expected)

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
        self._again += [(half, reader.attempt + 1) for half in halves(reader.window)]

    def _cut(self, reader: WindowReader, days: Sequence[int]) -> None:
        """Plan a window again that is far too large, by its first page, which came in the order of days."""
        reader.is_cut = True
        self.in_flight.remove(reader)
        window = reader.window.days
        on_day = Counter(days)  # the last day can have more rows on the next page
        self._density.count({day: on_day[day] for day in range(window.start, days[-1] + 1)})
        length = self._most_pages * max(1, days[-1] - window.start)
        self._again.append((Window.of(window[:length]), 0))
        self._gaps.append(window[length:])

    def _next_window(self) -> Window:
        gap = max(self._gaps, key=lambda gap: (self._density.rows(gap), len(gap)))
        days = self._density.best_window(gap, self._page_size, self._most_pages)
        self._gaps.remove(gap)
        if days.stop < gap.stop:
            self._gaps.append(range(days.stop, gap.stop))
        return Window.of(days)
