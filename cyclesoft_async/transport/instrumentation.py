"""Who is told what happens to a call: the log, the session's `on_event`, and an OpenTelemetry span."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType
from typing import Self, TypeAlias, TypedDict

from cyclesoft_async.errors import AmbiguousWriteError, RequestError, ResponseError

from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin
from .request import Call

_log = logging.getLogger("cyclesoft_async")

_WORTH_TELLING = 0.01  # seconds; less is no waiting but a busy machine

_CallSpan: TypeAlias = Callable[[Call, Origin], AbstractContextManager[OnEvent] | None]


class Watch:
    """Tells what happens to one call, for as long as the `with` block lasts.

    Attributes:
        attempt: The number of the attempt under way, from 1; whoever begins another one counts it.
        is_heard: Whether anybody wants to know of what happens every time.
    """

    __slots__ = ("_call", "_listeners", "_number", "_span", "attempt", "is_heard")

    def __init__(self, number: int, call: Call, origin: Origin, on_event: OnEvent | None) -> None:
        self.attempt = 0
        self._number = number
        self._call = call
        self._listeners = [] if on_event is None else [_guarded(on_event)]
        # Looking for a provider is dear; a program that has not imported OpenTelemetry has set up none.
        self._span = _call_span()(call, origin) if "opentelemetry.trace" in sys.modules else None
        self.is_heard = on_event is not None or self._span is not None or _log.isEnabledFor(logging.DEBUG)

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
        """The attempt waited so long for the quota."""
        if seconds >= _WORTH_TELLING:
            self._tell(QuotaWaited(**self._this(), seconds=seconds))

    def sent(self) -> None:
        """The request goes out."""
        if self.is_heard:
            self._tell(CallSent(**self._this()))

    def answered(self, status: int, seconds: float) -> None:
        """The answer is here, whole."""
        if self.is_heard:
            self._tell(CallAnswered(**self._this(), status=status, seconds=seconds))

    def retried(self, error: RequestError, delay: float) -> None:
        """The attempt failed, and another one follows."""
        name, status = type(error).__name__, _status(error)
        self._tell(CallRetried(**self._this(), error=name, status=status, delay=delay))

    def failed(self, error: RequestError) -> None:
        """The attempt failed, and so did the call."""
        self._tell(CallFailed(**self._this(), error=type(error).__name__, status=_status(error)))

    def _this(self) -> _Attempt:
        call = self._call
        return {"call": self._number, "method": call.method, "path": call.template, "attempt": self.attempt}

    def _tell(self, event: CallEvent) -> None:
        _log_event(event)
        for listener in self._listeners:
            listener(event)


class _Attempt(TypedDict):
    call: int
    method: str
    path: str
    attempt: int


def _status(error: RequestError) -> int | None:
    return error.status if isinstance(error, ResponseError | AmbiguousWriteError) else None


def _guarded(on_event: OnEvent) -> OnEvent:
    def tell(event: CallEvent) -> None:
        try:
            on_event(event)
        except Exception:  # noqa: BLE001 - a listener's mistake must not cost the answer of a write
            _log.exception("on_event failed")

    return tell


def _log_event(event: CallEvent) -> None:
    attempt = (event.method, event.path, event.attempt)
    match event:
        case QuotaWaited():
            _log.debug("%s %s: attempt %d waited %d ms for quota", *attempt, event.seconds * 1000)
        case CallSent():
            _log.debug("%s %s: attempt %d sent", *attempt)
        case CallAnswered():
            milliseconds = event.seconds * 1000
            _log.debug("%s %s: attempt %d answered %d in %d ms", *attempt, event.status, milliseconds)
        case CallRetried():
            outcome = event.status or "no answer"
            _log.info("%s %s: attempt %d: %s, again in %d ms", *attempt, outcome, event.delay * 1000)
        case _:
            _log.info("%s %s: attempt %d: %s, given up", *attempt, event.status or "no answer")


@cache
def _call_span() -> _CallSpan:
    from .otel import call_span  # noqa: PLC0415 - only those who use OpenTelemetry pay for it

    return call_span
