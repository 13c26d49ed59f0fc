"""Deadlines of many requests on one timer.

Nearly every request is answered long before its deadline. A timer of its own, set only to be cancelled, was
one of the dearest parts of a small request.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from math import inf
from types import TracebackType

from msgspec import Struct

__all__ = ["Deadline", "Deadlines"]


class Deadlines:
    """Deadlines of the requests in flight in one event loop."""

    def __init__(self) -> None:
        self.pending: set[Deadline] = set()
        self.next_at: float = inf
        """When the timer fires; infinity without one."""
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Set the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_at = at
        self._timer = loop.call_at(at, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self.next_at = None, inf
        now = loop.time()
        # The timer may fire early by the resolution of the loop's clock; then it is set again.
        for deadline in [deadline for deadline in self.pending if deadline.at <= now]:
            deadline.expire()
        if self.pending:
            self.schedule(loop, min(deadline.at for deadline in self.pending))


class Deadline(Struct, eq=False):
    """A block that raises TimeoutError when it is still running at `at`.

    Equivalent to `asyncio.timeout_at`, but for the timer, which it shares. It may be entered again.
    """

    deadlines: Deadlines
    loop: asyncio.AbstractEventLoop
    """The running event loop. In Python 3.11 asking for it is a system call."""
    at: float = 0.0
    """Expiry, on the loop's clock."""
    task: asyncio.Task[object] | None = None
    """Task that runs the block."""
    cancelling: int = 0
    expired: bool = False

    def __enter__(self) -> None:
        task = self.task = current_task(self.loop)
        if task is not None:
            self.cancelling = task.cancelling()
        deadlines = self.deadlines
        deadlines.pending.add(self)
        if self.at < deadlines.next_at:
            deadlines.schedule(self.loop, self.at)

    def expire(self) -> None:
        """Interrupt the block."""
        self.deadlines.pending.discard(self)
        self.expired = True
        if self.task is not None:
            self.task.cancel()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.expired:
            self.deadlines.pending.discard(self)
            return
        self.expired = False
        # The task may have been cancelled by its owner as well; that takes precedence.
        is_ours = self.task is not None and self.task.uncancel() <= self.cancelling
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc
