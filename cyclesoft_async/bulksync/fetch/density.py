"""Density: how many rows the days of a range have, counted on some of them and estimated on the others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from math import ceil, erf, sqrt

_WEEK = 7
_NEIGHBOURS = 2  # days on each side that an estimate looks at
# Variance of a day's rows over their number: an old count hardly changes, an estimate is a guess.
_KNOWN_SPREAD, _GUESSED_SPREAD = 0.02, 1.0
_MARGINS = (0.0, 0.7, 1.4)  # standard deviations


class DensityEstimate:
    """Rows of each day of a range. Days are ordinals.

    Args:
        days: The range.
        known: The rows of days that were counted.
        rate: Rows a day, as long as no day was counted.
    """

    def __init__(self, days: range, known: Mapping[int, int], rate: float = 0.0) -> None:
        self._days = days
        self._known = {day: rows for day, rows in known.items() if day in days}
        self._rate = rate
        self._sums: list[float] | None = None
        self._variances: list[float] = []

    @property
    def is_blank(self) -> bool:
        """Whether no day was counted."""
        return not self._known

    def count(self, known: Mapping[int, int]) -> None:
        """Note the rows of some days."""
        self._known.update((day, rows) for day, rows in known.items() if day in self._days)
        self._sums = None

    def guess(self, rate: float) -> None:
        """Note the rows a day of days of which nothing is known."""
        self._rate = rate
        self._sums = None

    def rows(self, days: range) -> float:
        """Return how many rows these days have."""
        sums, first = self._prefix_sums(), self._days.start
        return sums[days.stop - first] - sums[days.start - first]

    def best_window(self, days: range, page_size: int, most_pages: int) -> range:
        """Return those of the days, from the first on, that are read with the fewest requests for each row.

        A window's last page is filled in part. So a window should have a few rows less than some
        number of full pages, up to `most_pages`. A single day can have more.
        """
        sums, first = self._prefix_sums(), self._days.start
        begin, end = days.start - first, days.stop - first
        before, variance_before = sums[begin], self._variances[begin]
        stops = {begin + 1}
        for pages in range(1, most_pages + 1):
            for margin in _MARGINS:
                # The last day so that the rows surely, or probably, fit into the pages.
                full = pages * page_size - margin * self._spread(begin, before, pages * page_size, end)
                stops.add(bisect_right(sums, before + full, begin + 1, end + 1) - 1)
        stops = {stop for stop in stops if stop > begin}
        stop = min(
            stops,
            key=lambda stop: (
                _requests(sums[stop] - before, self._variances[stop] - variance_before, page_size)
                / max(sums[stop] - before, 1e-9),
                -stop,
            ),
        )
        return range(days.start, stop + first)

    def _spread(self, begin: int, before: float, rows: int, end: int) -> float:
        stop = min(bisect_left(self._prefix_sums(), before + rows, begin, end + 1), end)
        return sqrt(max(0.0, self._variances[stop] - self._variances[begin]))

    def _prefix_sums(self) -> list[float]:
        if self._sums is None:
            by_weekday: list[list[int]] = [[] for _ in range(_WEEK)]
            counted = sorted(self._known)
            for day in counted:
                by_weekday[day % _WEEK].append(day)
            known = self._known
            guesses = [
                known[day] if day in known else self._estimate(day, by_weekday[day % _WEEK] or counted)
                for day in self._days
            ]
            spreads = [
                rows * (_KNOWN_SPREAD if day in known else _GUESSED_SPREAD)
                for day, rows in zip(self._days, guesses, strict=True)
            ]
            self._sums = list(accumulate(guesses, initial=0.0))
            self._variances = list(accumulate(spreads, initial=0.0))
        return self._sums

    def _estimate(self, day: int, alike: list[int]) -> float:
        """Return the mean of the nearest days like this one, the nearer ones counting more."""
        if not alike:
            return self._rate
        place = bisect_left(alike, day)
        rows = weights = 0.0
        for near in alike[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]:
            weight = 1 / abs(near - day)
            rows += self._known[near] * weight
            weights += weight
        return rows / weights


def _requests(rows: float, variance: float, page_size: int) -> float:
    """Return how many requests a window takes on average."""
    return _mean_requests(round(rows), round(sqrt(variance)), page_size)


@lru_cache(maxsize=10_000)
def _mean_requests(rows: int, spread: int, page_size: int) -> float:
    if not spread:
        return max(1, ceil(rows / page_size))
    last = ceil((rows + 4 * spread) / page_size)
    chances = (0.5 - erf((pages * page_size - rows) / spread / sqrt(2)) / 2 for pages in range(1, last + 1))
    return 1 + sum(chances)
