"""Deadlines for many requests at the price of one timer.

Nearly every request is answered long before its deadline. A timer of its own, set only to be cancelled, was
one of the dearest things that a small request paid for.
"""

from __future__ import annotations

import asyncio
from math import inf

__all__ = ["Deadlines"]


class Deadlines:
    """The deadlines of what is under way in one event loop; it is up to the callers to lift each again.

    A deadline is an `asyncio.timeout(None)` that its task has entered; when it passes, it is made to expire.
    """

    def __init__(self) -> None:
        self._due: dict[asyncio.Timeout, float] = {}
        self._alarm: asyncio.TimerHandle | None = None

    def set(self, deadline: asyncio.Timeout, at: float) -> None:
        """Let the deadline expire at that time of the loop's clock."""
        self._due[deadline] = at
        if self._alarm is None or at < self._alarm.when():
            self._ring_at(at)

    def lift(self, deadline: asyncio.Timeout) -> None:
        """The work is done; a deadline that has passed meanwhile stays passed."""
        self._due.pop(deadline, None)

    def _ring_at(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = asyncio.get_running_loop().time()
        # The alarm may ring as much too early as the loop's clock is coarse; then it is set again.
        for deadline in [deadline for deadline, at in self._due.items() if at <= now]:
            del self._due[deadline]
            deadline.reschedule(now)
        earliest = min(self._due.values(), default=inf)
        if earliest < inf:
            self._ring_at(earliest)
