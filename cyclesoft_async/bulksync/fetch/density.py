"""Density: how many rows the days of a range have, counted on some of them and estimated on the others."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil, erf, exp, inf, pi, sqrt
from statistics import median

_WEEK = 7
# A day that lies this many days nearer counts e times as much in an estimate.
_NEAR_DAYS = 10.0
# After so many days without rows a shop is closed: days before and after have nothing in common.
_CLOSED_DAYS = 8
# Days of the usual number of rows that each weekday is credited with before any was counted.
_PRIOR_DAYS = 0.2
# Variance of a day's rows over their number: an old count hardly changes, an estimate is a guess.
_KNOWN_SPREAD, _GUESSED_SPREAD = 0.02, 1.5
# Windows whose errors show the spread of estimates; the median of squared errors is this share of their mean.
_LEARNED_FROM, _FIRST_GUESSES = 9, 3
_MEDIAN_SHARE = 0.455
# What windows cost beyond those that are weighed: requests for each full page.
_USUAL_COST = 1.06
# Windows that are weighed together, and rows of a page between two days that they can begin at.
_LOOKAHEAD, _EDGES_OF_A_PAGE = 4, 12


class DensityEstimate:
    """Rows of each day of a range. Days are ordinals.

    The rows of a day that was not counted are those of its weekday, times how busy the days around it are.

    Args:
        days: The range.
        known: The rows of days that were counted.
    """

    def __init__(self, days: range, known: Mapping[int, int]) -> None:
        self._days = days
        self._known = {day: rows for day, rows in known.items() if day in days}
        self._errors = deque([_GUESSED_SPREAD] * _FIRST_GUESSES, maxlen=_LEARNED_FROM)
        self._spread = _GUESSED_SPREAD
        self._sums: Sequence[float] | None = None
        self._unknown: Sequence[float] = ()

    @property
    def is_blank(self) -> bool:
        """Whether no row was counted: days without rows show nothing of the others."""
        return not any(self._known.values())

    def count(self, known: Mapping[int, int]) -> None:
        """Note the rows of some days."""
        self._known.update((day, rows) for day, rows in known.items() if day in self._days)
        self._sums = None

    def learn(self, estimated: float, rows: int) -> None:
        """Note how many rows were estimated of a window, and how many it had."""
        self._errors.append((rows - estimated) ** 2 / max(1.0, estimated) / _MEDIAN_SHARE)
        self._spread = median(self._errors)

    def rows(self, days: range) -> float:
        """Return how many rows these days have."""
        sums, first = self._prefix_sums(), self._days.start
        return sums[days.stop - first] - sums[days.start - first]

    def estimated(self, days: range) -> float:
        """Return how many of the rows of these days are estimated."""
        self._prefix_sums()
        first = self._days.start
        return self._unknown[days.stop - first] - self._unknown[days.start - first]

    def best_window(self, days: range, page_size: int, most_pages: int) -> range:
        """Return the first of the days that cost the fewest requests together with those that follow.

        A window's last page is filled in part. So a window should have a few rows less than some
        number of full pages, up to `most_pages`. A single day can have more.
        """
        sums, first = self._prefix_sums(), self._days.start
        edges = self._edges(range(days.start - first, days.stop - first), page_size, most_pages)
        most_rows = most_pages * page_size - 1  # a full page is doubted, whether its list has ended there
        end, near = sums[days.stop - first], sums[edges[0]] + (_LOOKAHEAD - 1) * most_rows
        costs = [(end - sums[edge]) / page_size * _USUAL_COST for edge in edges]
        best = len(edges) - 1
        for place in reversed(range(len(edges) - 1)):
            begin = edges[place]
            if sums[begin] > near and place:
                continue
            cost, best = inf, place + 1
            for later in range(place + 1, len(edges)):
                if later > place + 1 and sums[edges[later]] - sums[begin] > most_rows:
                    break
                requests = self._requests(begin, edges[later], page_size) + costs[later]
                if requests <= cost:
                    cost, best = requests, later
            costs[place] = cost
        return range(days.start, edges[best] + first)

    def _edges(self, places: range, page_size: int, most_pages: int) -> Sequence[int]:
        """Return where windows of the next days can begin and end, close enough together."""
        sums = self._prefix_sums()
        step = page_size / _EDGES_OF_A_PAGE
        end = bisect_right(sums, sums[places.start] + _LOOKAHEAD * most_pages * page_size, places.start)
        edges = [places.start, places.start + 1]
        while edges[-1] < min(end, places.stop):
            place = bisect_right(sums, sums[edges[-1]] + step, edges[-1] + 1, places.stop + 1) - 1
            edges.append(max(edges[-1] + 1, place))
        return edges

    def _requests(self, begin: int, stop: int, page_size: int) -> float:
        """Return how many requests a window takes on average."""
        sums = self._prefix_sums()
        rows, unknown = sums[stop] - sums[begin], self._unknown[stop] - self._unknown[begin]
        variance = unknown * self._spread + (rows - unknown) * _KNOWN_SPREAD
        return _mean_requests(round(rows), round(sqrt(max(0.0, variance))), page_size)

    def _prefix_sums(self) -> Sequence[float]:
        if self._sums is None:
            known = self._known
            estimates = self._estimates()
            rows = [known.get(day, guess) for day, guess in zip(self._days, estimates, strict=True)]
            unknown = [
                0.0 if day in known else guess for day, guess in zip(self._days, estimates, strict=True)
            ]
            self._sums = list(accumulate(rows, initial=0.0))
            self._unknown = list(accumulate(unknown, initial=0.0))
        return self._sums

    def _estimates(self) -> Sequence[float]:
        """Return the rows that each day has by the counted days around it."""
        counted = [self._known.get(day) for day in self._days]
        weekdays = [1.0] * _WEEK
        usual = _smooth(counted, [weekdays[day % _WEEK] for day in self._days])
        rows, expected = [0.0] * _WEEK, [0.0] * _WEEK
        is_open = _open(counted)
        for day, number, level, counts in zip(self._days, counted, usual, is_open, strict=True):
            if number is not None and counts:
                rows[day % _WEEK] += number
                expected[day % _WEEK] += level
        prior = _PRIOR_DAYS * sum(expected) / max(1, sum(is_open))
        if prior:
            weekdays = [(have + prior) / (of + prior) for have, of in zip(rows, expected, strict=True)]
        shares = [weekdays[day % _WEEK] for day in self._days]
        return [level * share for level, share in zip(_smooth(counted, shares), shares, strict=True)]


def _open(counted: Sequence[int | None]) -> Sequence[bool]:
    """Return which days were counted and are not among so many without rows that the shop is closed."""
    is_open = [number is not None for number in counted]
    begin = 0
    for place, number in enumerate([*counted, None]):
        if number != 0:
            if place - begin >= _CLOSED_DAYS:
                is_open[begin:place] = [False] * (place - begin)
            begin = place + 1
    return is_open


def _smooth(counted: Sequence[int | None], shares: Sequence[float]) -> Sequence[float]:
    """Return how busy each day is by the days around it, if it has this share of the usual rows."""
    before = _fading(zip(counted, shares, strict=True))
    after = reversed(_fading(zip(reversed(counted), reversed(shares), strict=True)))
    return [_level(left, right) for left, right in zip(before, after, strict=True)]


def _level(left: tuple[float, float], right: tuple[float, float]) -> float:
    # Between days when the shop is closed and others, it is probably open.
    sides = [side for side in (left, right) if side[0]]
    return sum(rows for rows, _ in sides) / sum(weight for _, weight in sides) if sides else 0.0


def _fading(counted: Iterable[tuple[int | None, float]]) -> list[tuple[float, float]]:
    """Return the rows and the weight of the days up to each day, the nearer ones counting more."""
    fade = exp(-1 / _NEAR_DAYS)
    rows = weight = 0.0
    empty = 0
    faded: list[tuple[float, float]] = []
    for number, share in counted:
        if number is not None:
            if number and empty >= _CLOSED_DAYS:
                weight = 0.0
            empty = 0 if number else empty + 1
            if empty == _CLOSED_DAYS:
                rows = 0.0
            rows, weight = rows + number, weight + share
        faded.append((rows, weight))
        rows, weight = rows * fade, weight * fade
    return faded


@lru_cache(maxsize=10_000)
def _mean_requests(rows: int, spread: int, page_size: int) -> float:
    """Return how many requests a window takes: its pages, and all of them again if the last one is full."""
    if not spread:
        pages = max(1, ceil(rows / page_size))
        return pages if rows < pages * page_size else 2 * pages + 1
    requests = 1.0
    for pages in range(1, ceil((rows + 4 * spread) / page_size) + 1):
        distance = (pages * page_size - rows) / spread
        requests += 0.5 - erf(distance / sqrt(2)) / 2
        requests += (pages + 1) * exp(-distance * distance / 2) / spread / sqrt(2 * pi)
    return requests
