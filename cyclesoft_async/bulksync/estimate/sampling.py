"""Sampling: how many orders the days of a range have, estimated from some of them. Days are ordinals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from datetime import date
from enum import Enum, auto
from itertools import pairwise
from math import hypot

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.fetch.readers import bulk_session
from cyclesoft_async.bulksync.fetch.windowed_list import WORKSHOP_ORDERS
from cyclesoft_async.session import CycleSoftSession

_WEEK = 7
_ROUNDS = 8  # of fitting weekdays and levels to each other; more change nothing
_PAGE_SIZE = 100
_MOST_REQUESTS = 24
_LARGEST_SHARE = 1 / 40  # of the sync's own requests, where that is more
_GOOD_ENOUGH = 0.03
_LARGEST_GAP = 1 / 10  # of the range: a longer one can hide a season in which the shop is closed
# How far a guess between two known stretches is off, as a rule: some of their level, and some of its change.
_NOISE, _UNCERTAIN = 0.06, 0.3


class _Kind(Enum):
    """What some days tell of how busy the shop is."""

    OPEN = auto()
    """They have orders."""
    CLOSED = auto()
    """A week or more without orders: the shop may not exist yet."""
    UNCLEAR = auto()
    """A few days without orders: they may be Sundays."""


class _Stretch:
    """Days all of whose orders are known.

    Attributes:
        kind: What they tell of how busy the shop is.
        level: How busy it is, 1.0 being usual for their weekdays; of no use if that is unclear.
    """

    def __init__(self, days: range, starts: Sequence[int]) -> None:
        self.days = days
        self.counts = Counter(starts)
        self.orders = [0] * _WEEK
        for start in starts:
            self.orders[start % _WEEK] += 1
        self.kind = _Kind.OPEN if starts else _Kind.CLOSED if len(days) >= _WEEK else _Kind.UNCLEAR
        self.level = 0.0 if self.kind is _Kind.CLOSED else 1.0

    def fit(self, weekdays: Sequence[float]) -> None:
        """Find the level, given how many orders each weekday usually has."""
        if self.kind is _Kind.OPEN:
            self.level = sum(self.orders) / _expected(self.days, weekdays)


class Sample:
    """Some stretches of a range of days, and from them a picture of the others.

    Attributes:
        requests: What it cost.
        page_size: Orders in a full page, as far as was seen.
        in_order: Whether all pages came in the order of the scheduled start.
    """

    def __init__(self, whole: Window) -> None:
        self.days: range = range(whole.first.toordinal(), whole.last.toordinal() + 1)
        self.requests = 0
        self.page_size = _PAGE_SIZE
        self.in_order = True
        self._stretches: list[_Stretch] = []
        self._weekdays = [0.0] * _WEEK

    def add(self, day: int, starts: Sequence[int], end: int) -> None:
        """Note that these are all orders from `day`, which was not known, to the day before `end`."""
        end = min([end, *(stretch.days.start for stretch in self._stretches if stretch.days.start > day)])
        known = [start for start in starts if day <= start < end]
        # A week or more without orders is a stretch of its own: the shop may have opened only then.
        opening = min(known, default=end)
        opening = opening if opening - day >= _WEEK else day
        for days in (range(day, opening), range(opening, end)):
            if days:
                self._stretches.append(_Stretch(days, [start for start in known if start in days]))
        self._stretches.sort(key=lambda stretch: stretch.days.start)
        self._join_empty()
        self._fit()

    def _join_empty(self) -> None:
        """Make neighbours without orders one stretch: the first days of a closed season are no Sundays."""
        joined: list[_Stretch] = []
        for stretch in self._stretches:
            before = joined[-1] if joined else stretch
            if before.days.stop == stretch.days.start and not before.counts and not stretch.counts:
                joined[-1] = _Stretch(range(before.days.start, stretch.days.stop), [])
            else:
                joined.append(stretch)
        self._stretches = joined

    def next_day(self) -> int | None:
        """The day to look at next; None if it is enough."""
        if not self._stretches:
            return self.days[0]
        if self._stretches[-1].days.stop < self.days.stop:
            return self.days[-1]
        gap = self._gap_to_look_into()
        if gap is None:
            return None
        if _expected(gap, self._weekdays) < self.page_size:
            return gap.start  # a page from there shows all of it
        # About its middle, on the weekday of which the least is known.
        known = self._known_weekdays()
        middle = len(gap) // 2
        around = gap[max(0, middle - _WEEK // 2) : middle + _WEEK // 2 + 1]
        return min(around, key=lambda day: known[day % _WEEK])

    def last_to_read(self, day: int) -> int:
        """The last day to read together with `day` from a list in no order: of a week, or of about a page.

        A week shows whether the shop is closed. Single days of a small shop show next to nothing.
        """
        later = [stretch.days.start for stretch in self._stretches if stretch.days.start > day]
        stop = min([self.days.stop, *later])
        end = min(day + _WEEK, stop)
        while end < stop and 0 < _expected(range(day, end + 1), self._weekdays) < self.page_size:
            end += 1
        return end - 1

    def _gap_to_look_into(self) -> range | None:
        pairs = list(pairwise(self._stretches))
        gaps = [(self._doubt(*sides), range(sides[0].days.stop, sides[1].days.start)) for sides in pairs]
        gaps = [(doubt, gap) for doubt, gap in gaps if gap]
        pages = self._orders() / self.page_size
        if not gaps or self.requests >= max(_MOST_REQUESTS, pages * _LARGEST_SHARE):
            return None
        doubtful = max(gaps, key=lambda each: (each[0], len(each[1])))[1]
        doubt = hypot(*(doubt for doubt, _ in gaps))
        if not all(self._known_weekdays()) or doubt > _GOOD_ENOUGH * pages * self.page_size:
            return doubtful
        longest = max((gap for _, gap in gaps), key=len)
        if len(longest) > _LARGEST_GAP * len(self.days):
            return longest
        # If all days cost no more than that, a busy one among them is found.
        return doubtful if pages <= _MOST_REQUESTS else None

    def starts(self) -> list[int]:
        """The day of every order of the range as far as can be told, in order.

        A day between two known stretches has as many orders as its weekday has, times how busy it is on both
        sides.
        """
        found = sorted(self._stretches[0].counts.elements())
        total = float(len(found))
        for left, right in pairwise(self._stretches):
            for day in range(left.days.stop, right.days.start):
                total += _level_between(left, right) * self._weekdays[day % _WEEK]
                found += [day] * (round(total) - len(found))
            found += sorted(right.counts.elements())
            total += right.counts.total()
        return found

    def _orders(self) -> float:
        known = sum(stretch.counts.total() for stretch in self._stretches)
        return known + sum(self._guess(*sides) for sides in pairwise(self._stretches))

    def _guess(self, left: _Stretch, right: _Stretch) -> float:
        gap = range(left.days.stop, right.days.start)
        return _level_between(left, right) * _expected(gap, self._weekdays)

    def _doubt(self, left: _Stretch, right: _Stretch) -> float:
        gap = range(left.days.stop, right.days.start)
        change = 0.0 if _Kind.UNCLEAR in {left.kind, right.kind} else abs(left.level - right.level)
        off = _NOISE * _level_between(left, right) + _UNCERTAIN * change
        return off * _expected(gap, self._weekdays)

    def _known_weekdays(self) -> list[int]:
        """How many days of each weekday are known, where the shop was open."""
        lengths = [_lengths(each.days) for each in self._stretches if each.kind is not _Kind.CLOSED]
        return [sum(days[weekday] for days in lengths) for weekday in range(_WEEK)]

    def _fit(self) -> None:
        """Find how many orders each weekday has, and how busy each stretch is compared with that."""
        for stretch in self._stretches:
            if stretch.kind is _Kind.OPEN:
                stretch.level = 1.0
        for _ in range(_ROUNDS):
            orders, chances = [0.0] * _WEEK, [0.0] * _WEEK
            nearest = next((each.level for each in self._stretches if each.kind is not _Kind.UNCLEAR), 1.0)
            for stretch in self._stretches:
                level = nearest = nearest if stretch.kind is _Kind.UNCLEAR else stretch.level
                for weekday, days in enumerate(_lengths(stretch.days)):
                    orders[weekday] += stretch.orders[weekday]
                    chances[weekday] += level * days
            usual = sum(orders) / (sum(chances) or 1.0)
            self._weekdays = [have / of if of else usual for have, of in zip(orders, chances, strict=True)]
            for stretch in self._stretches:
                stretch.fit(self._weekdays)


def _lengths(days: range) -> list[int]:
    """How many of the days are each weekday."""
    return [len(days[(weekday - days.start) % _WEEK :: _WEEK]) for weekday in range(_WEEK)]


def _expected(days: range, weekdays: Sequence[float]) -> float:
    return sum(days * orders for days, orders in zip(_lengths(days), weekdays, strict=True))


def _level_between(left: _Stretch, right: _Stretch) -> float:
    levels = [side.level for side in (left, right) if side.kind is not _Kind.UNCLEAR]
    return sum(levels) / len(levels) if levels else 1.0


async def take_sample(cs: CycleSoftSession, whole: Window) -> Sample:
    """Look at days all over the range, more where they differ, until it is enough.

    A page from some day on shows how long its orders last there; where a day has more orders than a page, its
    other pages are read as well. Of a list in no order, some days are read whole.

    Raises:
        RequestError: A call went wrong for good.
    """
    sample = Sample(whole)
    while (day := sample.next_day()) is not None:
        await _look(cs, sample, day)
    return sample


async def _look(cs: CycleSoftSession, sample: Sample, day: int) -> None:
    first = date.fromordinal(day)
    last = date.fromordinal(sample.days[-1] if sample.in_order else sample.last_to_read(day))
    is_whole = first == last or not sample.in_order
    orders = bulk_session(cs).workshop_orders.list(date_from=first, date_until=last)
    starts: list[int] = []
    async with aclosing(orders.pages()) as pages:
        async for page in pages:
            sample.requests += 1
            starts += WORKSHOP_ORDERS.days(page)
            if page.cursor is not None:
                sample.page_size = len(page.items) or sample.page_size
            if not is_whole and starts != sorted(starts):
                break
            if page.cursor is None:
                sample.add(day, starts, last.toordinal() + 1)
                return
            if not is_whole and starts and starts[-1] > day:
                sample.add(day, starts, starts[-1])
                return
    # What does not come in the order of the scheduled start shows only the days that were read whole.
    sample.in_order = False
    await _look(cs, sample, day)
