"""Date ranges: `Window`, the unit in which lists are read and progress is stored, and ways to cut it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from math import ceil

from msgspec import Struct


class Window(Struct, frozen=True, order=True):
    """Whole days, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> range:
        """The days as ordinals."""
        return range(self.first.toordinal(), self.last.toordinal() + 1)

    @classmethod
    def of(cls, days: range) -> Window:
        """Return the window of these ordinals."""
        return cls(date.fromordinal(days[0]), date.fromordinal(days[-1]))

    def minus(self, others: Iterable[Window]) -> list[Window]:
        """Return the stretches of these days that none of the others has, in order."""
        left: list[Window] = []
        begin = self.days.start
        for other in sorted(others):
            if begin < min(other.days.start, self.days.stop):
                left.append(Window.of(range(begin, min(other.days.start, self.days.stop))))
            begin = max(begin, other.days.stop)
        if begin < self.days.stop:
            left.append(Window.of(range(begin, self.days.stop)))
        return left


def halves(window: Window) -> list[Window]:
    """Cut a window in two; one of a single day stays as it is."""
    length = len(window.days)
    if length == 1:
        return [window]
    middle = window.first + timedelta(days=length // 2)
    return [Window(window.first, middle - timedelta(days=1)), Window(middle, window.last)]


def equal_windows(windows: Iterable[Window], most: int) -> list[Window]:
    """Cut windows into shorter ones of like length, about `most` altogether."""
    whole = list(windows)
    length = max(1, ceil(sum(len(window.days) for window in whole) / most))
    return [
        Window.of(window.days[start : start + length])
        for window in whole
        for start in range(0, len(window.days), length)
    ]
