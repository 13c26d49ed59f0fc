"""Event loop in virtual time: its clock jumps to the next timer, so that minutes pass in milliseconds.

It does no I/O. When no callback and no timer is left, it raises instead of hanging.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from selectors import SelectorKey, SelectSelector
from typing import TypeVar

__all__ = ["VirtualTimeLoop", "run"]

T = TypeVar("T")

# Real seconds in which a thread may still wake the loop when nothing else can.
_PATIENCE = 1.0


class _Jump(SelectSelector):
    """Advances the clock by the timeout instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            events = super().select(_PATIENCE)
            if not events:
                raise RuntimeError("deadlock: every task waits, and no timer is set")
            return events
        # Each pass takes some time, as on a real clock, so that code that polls makes progress, too.
        self.now += timeout + 1e-9
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Event loop that starts at time 0 and never waits."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Return the virtual seconds since the loop was created."""
        return self._jump.now


def run(main: Coroutine[object, object, T]) -> T:
    """Run `main` in a new loop in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
