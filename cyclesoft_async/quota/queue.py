"""Who waits, and whose turn it is: first come, first served within a lane, interactive before bulk."""

from __future__ import annotations

from asyncio import Future, TimerHandle
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from .permit import Permit
from .state import Lane
from .window import Bucket

__all__ = ["Lanes", "Waiter"]

_BULK_EVERY = 8


class Waiter(Struct, eq=False):
    """One call of `acquire` that waits."""

    future: Future[Permit]
    lane: Lane
    endpoint: Bucket | None
    line: OrderedDict[Waiter, bool]
    ticket: int
    deadline: TimerHandle | None = None


class Lanes:
    """Two lanes, each with a line for every endpoint, so that a full endpoint holds up nobody else."""

    def __init__(self) -> None:
        # A plain dict would look at every hole that the earlier ones left behind before it finds the first.
        self._lines: dict[Lane, dict[Bucket | None, OrderedDict[Waiter, bool]]] = {
            "interactive": {},
            "bulk": {},
        }
        self._passed_over = 0
        self._tickets = 0
        self.waiting = 0

    def join(self, future: Future[Permit], lane: Lane, endpoint: Bucket | None) -> Waiter:
        """Queue up at the end of the lane."""
        line = self._lines[lane].get(endpoint)
        if line is None:
            line = self._lines[lane][endpoint] = OrderedDict()
        self._tickets += 1
        self.waiting += 1
        waiter = Waiter(future, lane, endpoint, line, self._tickets)
        line[waiter] = True
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave the lane, granted or given up; a second time does nothing."""
        if waiter.line.pop(waiter, False):
            self.waiting -= 1

    def heads(self) -> list[Waiter]:
        """The first waiter of every line."""
        return [next(iter(line)) for lines in self._lines.values() for line in lines.values() if line]

    def everybody(self) -> list[Waiter]:
        """All who wait."""
        return [waiter for lines in self._lines.values() for line in lines.values() for waiter in line]

    def sizes(self) -> list[tuple[Lane, Bucket | None, int]]:
        """How many wait in every line where somebody does."""
        return [
            (lane, endpoint, len(line))
            for lane, lines in self._lines.items()
            for endpoint, line in lines.items()
            if line
        ]

    def turn(self, now: float, may_bulk: Callable[[float], bool]) -> Waiter | None:
        """Whose turn it is, given that the account has room; None when all wait for something else.

        When both lanes wait, every eighth turn is a bulk one.
        """
        interactive = self._first("interactive", now)
        bulk = self._first("bulk", now) if self._lines["bulk"] else None
        if bulk is None or not may_bulk(now):
            return interactive
        if interactive is None or self._passed_over >= _BULK_EVERY - 1:
            self._passed_over = 0
            return bulk
        self._passed_over += 1
        return interactive

    def _first(self, lane: Lane, now: float) -> Waiter | None:
        first: Waiter | None = None
        for endpoint, line in self._lines[lane].items():
            if line and (endpoint is None or endpoint.room(now) > 0):
                head = next(iter(line))
                if first is None or head.ticket < first.ticket:
                    first = head
        return first
