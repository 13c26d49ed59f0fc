"""Window: whole days, the unit in which lists are read and progress is stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

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
