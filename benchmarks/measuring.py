"""Results of a benchmark: tables with a number per round, and goals."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from statistics import median
from typing import NamedTuple

from msgspec import Struct

__all__ = ["Effort", "Goal", "Part", "Table", "turns"]

Rows = dict[str, dict[str, list[float]]]


class Effort(NamedTuple):
    """Amount of measuring."""

    quick: bool

    def pick(self, quick: float, full: float) -> float:
        """Return the first value for a quick look, the second for figures to quote."""
        return quick if self.quick else full

    def number(self, quick: int, full: int) -> int:
        """The same for a whole number."""
        return quick if self.quick else full


class Table(Struct, kw_only=True):
    """Numbers of one unit: contenders in rows, conditions in columns, a number per round in each cell."""

    title: str
    unit: str
    columns: list[str]
    rows: Rows = {}
    beside: str | None = None
    """Row that the others are compared with."""
    charted: bool = True
    """Show the last column in the picture."""

    def add(self, row: str, column: str, value: float) -> None:
        """Add the number of one round."""
        self.rows.setdefault(row, {}).setdefault(column, []).append(value)

    def median(self, row: str, column: str) -> float:
        """Return the median of the rounds."""
        return median(self.rows[row][column])

    def ratio(self, row: str, column: str, beside: str) -> float:
        """Return the median of the ratios within each round."""
        pairs = zip(self.rows[row][column], self.rows[beside][column], strict=True)
        return median(one / other for one, other in pairs)

    def excess(self, row: str, column: str, beside: str) -> float:
        """Return the median of the differences within each round."""
        pairs = zip(self.rows[row][column], self.rows[beside][column], strict=True)
        return median(one - other for one, other in pairs)


class Goal(Struct, frozen=True, kw_only=True):
    """A bound and the measured figure."""

    words: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """True if the figure is within the bound."""
        above = self.at_most is not None and self.measured > self.at_most
        below = self.at_least is not None and self.measured < self.at_least
        return not above and not below


class Part(Struct, frozen=True, kw_only=True):
    """Results of one part of the program."""

    name: str
    tables: list[Table]
    goals: list[Goal]
    notes: list[str] = []
    """Notes on the measurement that depend on the machine."""


def turns(contenders: Sequence[str], rounds: int) -> Generator[str]:
    """Yield the contenders round by round, so that a busy moment of the machine affects all of them.

    Each round starts with another contender, so that none always follows the same neighbour.
    """
    for number in range(rounds):
        first = number % len(contenders)
        yield from (*contenders[first:], *contenders[:first])
