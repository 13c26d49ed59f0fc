"""Handlers: their registration by event type, their timed calls, and the exceptions that end an attempt."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from cyclesoft_async.errors import UsageError

from .events import Event, UnknownEvent

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

E = TypeVar("E", bound=Event)

Handler: TypeAlias = Callable[[E], Awaitable[None]]
DeadLetterHandler: TypeAlias = Callable[[Event, str], Awaitable[None]]

_GRACE_SECONDS: Final = 5.0


class RetryAt(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a handler: run it again at this moment, instead of after the usual backoff.

    Later events of the same entity wait until then. A moment beyond the receiver's `retry_for` is brought
    forward to its end, which is the last attempt. After a restart the handler may run earlier than asked.

    Args:
        moment: An aware datetime.

    Raises:
        UsageError: The moment is naive.
    """

    def __init__(self, moment: datetime) -> None:
        if moment.utcoffset() is None:
            raise UsageError("RetryAt must be given an aware datetime; write datetime.now(UTC) + ...")
        super().__init__(moment)
        self.moment = moment


class Reject(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a handler: the event can never be handled. It is a dead letter at once.

    Args:
        reason: Stored in the inbox with the delivery, and never logged.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Route(NamedTuple):
    """A handler, under the name by which the inbox records its success."""

    name: str
    types: tuple[type[Event], ...]
    handle: Handler[Any]


class Routes:
    """Handlers in the order of their registration.

    Attributes:
        on_dead: Handlers of dead letters.
    """

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._by_type: dict[type[Event], list[Route]] = {}
        self.on_dead: list[DeadLetterHandler] = []

    def add(self, types: tuple[type[Event], ...], handler: Handler[Any]) -> None:
        """Register a handler.

        Raises:
            UsageError: It is not an async function.
        """
        check_handler(handler)
        name = f"{handler.__module__}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
        namesakes = sum(route.name.partition("#")[0] == name for route in self._routes)
        self._by_type.clear()
        self._routes.append(Route(f"{name}#{namesakes + 1}" if namesakes else name, types, handler))

    def matching(self, event: Event) -> list[Route]:
        """Return the handlers of this event, those of its base classes included."""
        found = self._by_type.get(type(event))
        if found is None:
            found = [route for route in self._routes if isinstance(event, route.types)]
            self._by_type[type(event)] = found
        return found


def understood(event: Event, routes: Sequence[Route]) -> bool:
    """Return whether the event is known, or one of these handlers is registered for `UnknownEvent` itself."""
    return not isinstance(event, UnknownEvent) or any(UnknownEvent in route.types for route in routes)


def check_handler(handler: object) -> None:
    """Check a handler when it is registered.

    Raises:
        UsageError: It is not an async function.
    """
    call = getattr(handler, "__call__", None)  # noqa: B004 - objects with an async __call__ are handlers too
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)):
        raise UsageError(f"a handler must be an async function, got {described(handler)}; write async def")


def check_types(types: Sequence[object]) -> None:
    """Check the arguments of `WebhookReceiver.on`.

    Raises:
        UsageError: There is none, or one is not an event class.
    """
    if not types:
        raise UsageError("on() must name event classes, got none; use on_any for every event")
    for given in types:
        if not (inspect.isclass(given) and issubclass(given, Event)):
            raise UsageError(
                f"on() must be given event classes, got {described(given)};"
                " write @receiver.on(events.WorkshopOrderUpdated)"
            )


def described(value: object) -> str:
    """Name a wrong argument in an error, without its contents unless it is a class or a function."""
    name = getattr(value, "__qualname__", None)
    return f"{type(value).__name__} {name}" if isinstance(name, str) else type(value).__name__


class CallCounts:
    """Finished calls of one handler."""

    attempts: int = 0
    failures: int = 0
    seconds: float = 0.0
    worst_seconds: float = 0.0


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
        running: Tasks whose handler runs, in order of its start: its name, the event's id, and when it
            began by the monotonic clock.
        counts: Finished calls by handler.
        hung: Tasks whose handler ignores that it was cancelled after its timeout.
    """

    def __init__(self, timeout: float | None, on_hung: Callable[[], None]) -> None:
        self._timeout = timeout
        self._on_hung = on_hung
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: dict[asyncio.Task[object], asyncio.TimerHandle] = {}
        self._cut_off = False
        self.running: dict[asyncio.Task[object], tuple[str, str, float]] = {}
        self.counts: dict[str, CallCounts] = {}
        self.hung: set[asyncio.Task[object]] = set()

    def cut_off(self) -> None:
        """From now on a cancellation is that of the stop, and no handler starts."""
        self._cut_off = True

    async def call(
        self, name: str, handle: Callable[..., Awaitable[None]], event: Event, *more: object
    ) -> None:
        """Await a handler.

        Raises:
            CancelledError: It was cut off by the stop.
            HandlerTimeoutError: It took too long. It has ended by now.
            HandlerCancelledError: It was cancelled, or cancelled itself.
        """
        task = asyncio.current_task()
        if task is None or self._cut_off:  # the handler before this one ended in spite of the stop
            raise asyncio.CancelledError
        began = monotonic()
        self.running[task] = name, event.id, began
        if self._timer is None and self._timeout is not None:
            self._timer = asyncio.get_running_loop().call_later(self._timeout, self._time_out, self._timeout)
        cancelled: BaseException | None = None
        failed = True
        try:
            await handle(event, *more)
            failed = False
        except asyncio.CancelledError as error:
            if self._cut_off:
                raise
            cancelled = error
        except GeneratorExit as error:
            if _is_orphan():
                raise
            cancelled = error
        finally:
            del self.running[task]
            self._count(name, monotonic() - began, failed=failed)
            is_overdue = self._is_over(task)
            if task.cancelling() and not self._cut_off:
                cancelled = cancelled or asyncio.CancelledError()
                await _absorb_cancellation(task)
        if is_overdue:
            raise HandlerTimeoutError(f"the handler took longer than {self._timeout:g} seconds")
        if cancelled is not None:
            raise HandlerCancelledError("the handler was cancelled from within") from cancelled

    def _count(self, name: str, seconds: float, *, failed: bool) -> None:
        counts = self.counts.get(name)
        if counts is None:
            counts = self.counts[name] = CallCounts()
        counts.attempts += 1
        counts.failures += failed
        counts.seconds += seconds
        counts.worst_seconds = max(counts.worst_seconds, seconds)

    def _is_over(self, task: asyncio.Task[object]) -> bool:
        """Note the end of a handler. Return whether it came after its timeout."""
        timer = self._overdue.pop(task, None)
        if timer is None:
            return False
        timer.cancel()
        self.hung.discard(task)
        return True

    def _time_out(self, timeout: float) -> None:
        """Cancel the handlers that are over their time, and set the timer for the next deadline."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, (name, _, began) in list(self.running.items()):
            left = began + timeout - monotonic()
            if left > 0.0:
                self._timer = loop.call_later(left, self._time_out, timeout)
                return
            if task not in self._overdue:
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
