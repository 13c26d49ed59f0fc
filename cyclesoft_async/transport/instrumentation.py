"""Instrumentation of calls: log records, the session's `on_event`, and OpenTelemetry spans."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType
from typing import Self, TypeAlias, TypedDict

from cyclesoft_async.errors import AmbiguousWriteError, RequestError, ResponseError, UsageError

from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin
from .request import Call

_log = logging.getLogger("cyclesoft_async")

_SHORTEST_WAIT = 0.01  # seconds; below that it is a busy machine, not the quota

_CallSpan: TypeAlias = Callable[[Call, Origin], AbstractContextManager[OnEvent] | None]


def check_listener(on_event: OnEvent | None) -> None:
    """Check a listener.

    Raises:
        UsageError: It is not callable, or a coroutine function, which would never run.
    """
    if on_event is None:
        return
    if not callable(on_event):
        raise UsageError(f"on_event must be a function, got {type(on_event).__name__}")
    is_async = inspect.iscoroutinefunction(on_event)
    if is_async or inspect.iscoroutinefunction(getattr(on_event, "__call__", None)):  # noqa: B004 - its type
        raise UsageError("on_event must be a plain function, got a coroutine function: start a task in it")


def is_observed(on_event: OnEvent | None) -> bool:
    """Whether a call that succeeds at its first attempt has an observer."""
    # Finding the tracer provider is slow; a program that has not imported OpenTelemetry has none.
    return on_event is not None or "opentelemetry.trace" in sys.modules or _log.isEnabledFor(logging.DEBUG)


class CallRecorder:
    """Reports the events of one call while its `with` block lasts.

    Attributes:
        attempt: Number of the current attempt, from 1.
    """

    def __init__(self, number: int, call: Call, origin: Origin, on_event: OnEvent | None) -> None:
        self.attempt = 0
        self._number = number
        self._call = call
        self._host = origin.host
        self._listeners = [] if on_event is None else [_guarded(on_event)]
        self._span = _call_span()(call, origin) if "opentelemetry.trace" in sys.modules else None

    def __enter__(self) -> Self:
        if self._span is not None:
            self._listeners.append(self._span.__enter__())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._span is not None:
            self._span.__exit__(exc_type, exc, traceback)

    def waited(self, seconds: float) -> None:
        """Report a wait for the quota, if it was one."""
        if seconds >= _SHORTEST_WAIT:
            self._report(QuotaWaited(**self._attempt(), seconds=seconds))

    def sent(self) -> None:
        """Report that the request is being sent."""
        self._report(CallSent(**self._attempt()))

    def answered(self, status: int, seconds: float) -> None:
        """Report a complete response."""
        self._report(CallAnswered(**self._attempt(), status=status, seconds=seconds))

    def retried(self, error: RequestError, delay: float) -> None:
        """Report a failed attempt that another one follows."""
        name, status = type(error).__name__, _status(error)
        self._report(CallRetried(**self._attempt(), error=name, status=status, delay=delay))

    def failed(self, error: RequestError) -> None:
        """Report the failure of the call."""
        self._report(CallFailed(**self._attempt(), error=type(error).__name__, status=_status(error)))

    def _attempt(self) -> _Attempt:
        call = self._call
        return {"call": self._number, "method": call.method, "path": call.template, "attempt": self.attempt}

    def _report(self, event: CallEvent) -> None:
        _log_event(event, self._host)
        for listener in self._listeners:
            listener(event)


class _Attempt(TypedDict):
    call: int
    method: str
    path: str | None
    attempt: int


def _status(error: RequestError) -> int | None:
    return error.status if isinstance(error, ResponseError | AmbiguousWriteError) else None


def _guarded(on_event: OnEvent) -> OnEvent:
    def report(event: CallEvent) -> None:
        try:
            on_event(event)
        except Exception:  # noqa: BLE001 - a listener's mistake must not cost the response of a write
            _log.exception("on_event failed")

    return report


def _log_event(event: CallEvent, host: str) -> None:
    attempt = (event.method, event.path or host, event.attempt)
    match event:
        case QuotaWaited():
            _log.debug("%s %s: attempt %d waited %d ms for quota", *attempt, event.seconds * 1000)
        case CallSent():
            _log.debug("%s %s: sent attempt %d", *attempt)
        case CallAnswered():
            milliseconds = event.seconds * 1000
            _log.debug("%s %s: attempt %d answered %d in %d ms", *attempt, event.status, milliseconds)
        case CallRetried():
            outcome = event.status or event.error
            _log.info("%s %s: attempt %d failed: %s, retry in %d ms", *attempt, outcome, event.delay * 1000)
        case _:
            _log.info("%s %s: attempt %d failed: %s", *attempt, event.status or event.error)


@cache
def _call_span() -> _CallSpan:
    from .otel import call_span  # noqa: PLC0415 - only programs that use OpenTelemetry pay for it

    return call_span
