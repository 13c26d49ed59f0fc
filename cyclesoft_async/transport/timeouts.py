"""Deadlines for many requests at the price of one timer.

Nearly every request is answered long before its deadline. A timer of its own, set only to be cancelled, was
one of the dearest things that a small request paid for.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import cast

__all__ = ["Deadline", "Deadlines"]


class Deadlines:
    """The deadlines of what is under way in one event loop."""

    def __init__(self) -> None:
        self.ahead: set[Deadline] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def watch(self, deadline: Deadline) -> None:
        """Let the deadline pass in time."""
        self.ahead.add(deadline)
        if self._alarm is None or deadline.at < self._alarm.when():
            self._ring_at(deadline.at)

    def _ring_at(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = asyncio.get_running_loop().time()
        # The alarm may ring as much too early as the loop's clock is coarse; then it is set again.
        for deadline in [deadline for deadline in self.ahead if deadline.at <= now]:
            deadline.passes()
        if self.ahead:
            self._ring_at(min(deadline.at for deadline in self.ahead))


class Deadline:
    """A block that raises TimeoutError when it is still under way at that time of the loop's clock.

    The same as `asyncio.timeout_at`, but for the timer, which it has in common with others.

    Args:
        at: When.
        loop: The running event loop; asking for it is a system call in Python 3.11.
        deadlines: The others.
    """

    __slots__ = ("_cancelling", "_deadlines", "_has_passed", "_task", "at")

    def __init__(self, at: float, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self.at = at
        # Only a task can wait for an answer, so that there always is one.
        self._task = cast("asyncio.Task[object]", asyncio.current_task(loop))
        self._deadlines = deadlines
        self._has_passed = False

    def __enter__(self) -> None:
        self._cancelling = self._task.cancelling()
        self._deadlines.watch(self)

    def passes(self) -> None:
        """Interrupt the block."""
        self._deadlines.ahead.remove(self)
        self._has_passed = True
        self._task.cancel()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_passed:
            self._deadlines.ahead.remove(self)
        # Others may have cancelled the task as well; that goes before.
        elif self._task.uncancel() <= self._cancelling and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc
