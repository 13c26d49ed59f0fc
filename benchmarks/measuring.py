"""What a benchmark gives: tables of numbers, one for each round, and goals that are met or not."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from statistics import median
from typing import NamedTuple

from msgspec import Struct

__all__ = ["Effort", "Goal", "Part", "Table", "turns"]

Rows = dict[str, dict[str, list[float]]]


class Effort(NamedTuple):
    """How much to measure."""

    quick: bool

    def pick(self, quick: float, full: float) -> float:
        """The first for a quick look, the second for figures to quote."""
        return quick if self.quick else full

    def number(self, quick: int, full: int) -> int:
        """The same for a whole number."""
        return quick if self.quick else full


class Table(Struct, kw_only=True):
    """Numbers of one unit: what was measured, under which circumstances, once in each round."""

    title: str
    unit: str
    columns: list[str]
    rows: Rows = {}
    beside: str | None = None
    """The row that the others are compared with."""
    charted: bool = True
    """Whether a picture shows its last column."""

    def add(self, row: str, column: str, value: float) -> None:
        """Note the number of one round."""
        self.rows.setdefault(row, {}).setdefault(column, []).append(value)

    def median(self, row: str, column: str) -> float:
        """The median of the rounds."""
        return median(self.rows[row][column])

    def ratio(self, row: str, column: str, beside: str) -> float:
        """The median of the rounds' ratios: both were measured within a moment of each other."""
        pairs = zip(self.rows[row][column], self.rows[beside][column], strict=True)
        return median(one / other for one, other in pairs)

    def excess(self, row: str, column: str, beside: str) -> float:
        """The median of the rounds' differences."""
        pairs = zip(self.rows[row][column], self.rows[beside][column], strict=True)
        return median(one - other for one, other in pairs)


class Goal(Struct, frozen=True, kw_only=True):
    """A figure that is asked for, and the one that was measured."""

    words: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the measured figure is good enough."""
        above = self.at_most is not None and self.measured > self.at_most
        below = self.at_least is not None and self.measured < self.at_least
        return not above and not below


class Part(Struct, frozen=True, kw_only=True):
    """What one part of the program found."""

    name: str
    tables: list[Table]
    goals: list[Goal]
    notes: list[str] = []
    """How it was measured, as far as that depends on the machine."""


def turns(contenders: Sequence[str], rounds: int) -> Generator[str]:
    """Whose turn it is: everybody once a round, so that a busy moment of the machine hits all of them.

    Each round begins with another one, so that nobody always runs after the same neighbour.
    """
    for number in range(rounds):
        first = number % len(contenders)
        yield from (*contenders[first:], *contenders[:first])
