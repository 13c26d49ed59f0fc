"""Queue of waiting calls: first come, first served within a lane, interactive before bulk."""

from __future__ import annotations

from asyncio import Future, TimerHandle
from collections import OrderedDict
from math import inf

from msgspec import Struct

from .permit import Permit
from .state import EndpointLimit, Lane, QuotaState

__all__ = ["PermitQueue", "Waiter"]

_BULK_EVERY = 8


class Waiter(Struct, eq=False):
    """One call of `acquire` that waits."""

    future: Future[Permit]
    lane: Lane
    endpoint: EndpointLimit | None
    line: OrderedDict[Waiter, bool]
    ticket: int
    asked_at: float
    """By the event loop's clock, as is `gives_up_at`."""
    gives_up_at: float = inf
    deadline: TimerHandle | None = None


class PermitQueue:
    """Two lanes, each with a line for every endpoint, so that a full endpoint holds up no other call."""

    def __init__(self) -> None:
        # A plain dict would look at every hole that the earlier ones left behind before it finds the first.
        self._lines: dict[Lane, dict[EndpointLimit | None, OrderedDict[Waiter, bool]]] = {
            "interactive": {},
            "bulk": {},
        }
        self._passed_over = 0
        self._tickets = 0
        self.waiting: int = 0

    def join(self, future: Future[Permit], lane: Lane, endpoint: EndpointLimit | None, now: float) -> Waiter:
        """Add a waiter at the end of its line."""
        line = self._lines[lane].get(endpoint)
        if line is None:
            line = self._lines[lane][endpoint] = OrderedDict()
        self._tickets += 1
        self.waiting += 1
        waiter = Waiter(future, lane, endpoint, line, self._tickets, now)
        line[waiter] = True
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Remove a waiter. Idempotent."""
        if waiter.line.pop(waiter, False):
            self.waiting -= 1

    def rejoin(self, waiter: Waiter) -> None:
        """Put a waiter that has left back at the head of its line."""
        waiter.line[waiter] = True
        waiter.line.move_to_end(waiter, last=False)
        self.waiting += 1

    def heads(self) -> list[Waiter]:
        """Return the first waiter of every line."""
        return [next(iter(line)) for lines in self._lines.values() for line in lines.values() if line]

    def waiters(self) -> list[Waiter]:
        """Return all waiters."""
        return [waiter for lines in self._lines.values() for line in lines.values() for waiter in line]

    def next(self, state: QuotaState, now: float) -> Waiter | None:
        """Return the waiter whose turn it is if the account has room; None if all wait for something else.

        While both lanes wait, every eighth turn is a bulk one.
        """
        interactive = self._first("interactive", state, now)
        if not self._lines["bulk"]:
            return interactive
        bulk = self._first("bulk", state, now)
        if bulk is None or not state.has_bulk_room(now):
            return interactive
        return bulk if interactive is None or self._passed_over >= _BULK_EVERY - 1 else interactive

    def take_turn(self, waiter: Waiter) -> None:
        """Remove the waiter whose turn it was."""
        self.leave(waiter)
        if waiter.lane == "bulk":
            self._passed_over = 0
        elif any(self._lines["bulk"].values()):
            self._passed_over += 1

    def _first(self, lane: Lane, state: QuotaState, now: float) -> Waiter | None:
        first: Waiter | None = None
        for endpoint, line in self._lines[lane].items():
            if line and (endpoint is None or state.has_endpoint_room(endpoint, now)):
                head = next(iter(line))
                if first is None or head.ticket < first.ticket:
                    first = head
        return first
