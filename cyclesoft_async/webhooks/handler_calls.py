"""Calls of handlers: limited in time, and cut off by a stop alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

logger = logging.getLogger("cyclesoft_async.webhooks")

_GRACE_SECONDS: Final = 5.0


class HandlerTimeoutError(Exception):
    """The handler ran longer than `handler_timeout`."""


class HandlerCancelledError(Exception):
    """The handler ended by a cancellation that was not the receiver's."""


class HandlerCalls:
    """Awaits handlers, each in the task of its attempt.

    A handler may cancel its own task, raise CancelledError or GeneratorExit, or not end at all. Each of these
    is a failed attempt.

    Args:
        timeout: Seconds that a handler may take. None: any time.
        on_hung: Called when a handler is found hung.

    Attributes:
        hung: Tasks whose handler ignores that it was cancelled after its timeout.
    """

    def __init__(self, timeout: float | None, on_hung: Callable[[], None]) -> None:
        self._timeout = timeout
        self._on_hung = on_hung
        # In order of their deadlines, as all have the same time. So one timer serves all.
        self._deadlines: dict[asyncio.Task[object], tuple[float, str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: dict[asyncio.Task[object], asyncio.TimerHandle] = {}
        self._cut_off = False
        self.hung: set[asyncio.Task[object]] = set()

    def cut_off(self) -> None:
        """From now on a cancellation is that of the stop, and no handler starts."""
        self._cut_off = True

    async def call(self, name: str, handle: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Await a handler.

        Raises:
            CancelledError: It was cut off by the stop.
            HandlerTimeoutError: It took too long. It has ended by now.
            HandlerCancelledError: It was cancelled, or cancelled itself.
        """
        task = asyncio.current_task()
        if task is None or self._cut_off:  # the handler before this one ended in spite of the stop
            raise asyncio.CancelledError
        self._limit(task, name)
        cancelled: BaseException | None = None
        try:
            await handle(*arguments)
        except asyncio.CancelledError as error:
            if self._cut_off:
                raise
            cancelled = error
        except GeneratorExit as error:
            if _is_orphan():
                raise
            cancelled = error
        finally:
            self._deadlines.pop(task, None)
            is_overdue = self._is_over(task)
            if task.cancelling() and not self._cut_off:
                cancelled = cancelled or asyncio.CancelledError()
                await _absorb_cancellation(task)
        if is_overdue:
            raise HandlerTimeoutError(f"the handler took longer than {self._timeout:g} seconds")
        if cancelled is not None:
            raise HandlerCancelledError("the handler was cancelled from within") from cancelled

    def _limit(self, task: asyncio.Task[object], name: str) -> None:
        if self._timeout is not None:
            loop = asyncio.get_running_loop()
            self._deadlines[task] = loop.time() + self._timeout, name
            if self._timer is None:
                self._timer = loop.call_later(self._timeout, self._time_out)

    def _is_over(self, task: asyncio.Task[object]) -> bool:
        """Note the end of a handler. Return whether it came after its timeout."""
        timer = self._overdue.pop(task, None)
        if timer is None:
            return False
        timer.cancel()
        self.hung.discard(task)
        return True

    def _time_out(self) -> None:
        """Cancel the handlers that are over their time, and set the timer for the next deadline."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, (deadline, name) in list(self._deadlines.items()):
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._time_out)
                return
            del self._deadlines[task]
            self._overdue[task] = loop.call_later(_GRACE_SECONDS, self._found_hung, task, name)
            task.cancel()

    def _found_hung(self, task: asyncio.Task[object], name: str) -> None:
        logger.error(
            "handler %s ignores its cancellation after %g seconds; its entity waits until it ends",
            name, self._timeout, extra={"handler": name},
        )  # fmt: skip
        self.hung.add(task)
        self._on_hung()


async def _absorb_cancellation(task: asyncio.Task[object]) -> None:
    """Clear a cancellation of the running task, that would otherwise end it at its next await."""
    while task.cancelling():
        task.uncancel()
    with suppress(asyncio.CancelledError):  # before Python 3.13 uncancel() leaves it pending
        await asyncio.sleep(0)


def _is_orphan() -> bool:
    """Return whether Python itself closes the coroutine, because its event loop has gone."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False
