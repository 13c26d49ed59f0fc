"""Who is told what happens to a call: the log, the session's `on_event`, and an OpenTelemetry span."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TypeAlias, TypedDict

from cyclesoft_async.errors import AmbiguousWriteError, RequestError, ResponseError

from .call import Call
from .events import CallAnswered, CallEvent, CallFailed, CallRetried, CallSent, OnEvent, QuotaWaited
from .origin import Origin

_log = logging.getLogger("cyclesoft_async")

_WORTH_TELLING = 0.01  # seconds; less is no waiting but a busy machine
# Whatever else stands between two slashes may be an id, a barcode or a name.
_WORD_OF_A_PATH = re.compile(r"(?:[a-z_-]+|v\d+)(?:\.json)?")

_CallSpan: TypeAlias = Callable[[str, str, Origin], AbstractContextManager[OnEvent]]


@contextmanager
def watching(number: int, call: Call, origin: Origin, on_event: OnEvent | None) -> Generator[Watch]:
    """Watch a call for as long as the block lasts."""
    path = _template(call.path)
    listeners: list[OnEvent] = [_log_event]
    if on_event is not None:
        listeners.append(_guarded(on_event))
    call_span = _call_span()
    with ExitStack() as spans:
        if call_span is not None:
            listeners.append(spans.enter_context(call_span(call.method, path, origin)))
        yield Watch(number, call.method, path, listeners)


class Watch:
    """Tells what happens to one call.

    Attributes:
        attempt: The number of the attempt under way, from 1; whoever begins another one counts it.
    """

    def __init__(self, number: int, method: str, path: str, listeners: list[OnEvent]) -> None:
        self.attempt = 0
        self._number = number
        self._method = method
        self._path = path
        self._listeners = listeners

    def waited(self, seconds: float) -> None:
        """The attempt waited so long for the quota."""
        if seconds >= _WORTH_TELLING:
            self._tell(QuotaWaited(**self._this(), seconds=seconds))

    def sent(self) -> None:
        """The request goes out."""
        self._tell(CallSent(**self._this()))

    def answered(self, status: int, seconds: float) -> None:
        """The answer is here, whole."""
        self._tell(CallAnswered(**self._this(), status=status, seconds=seconds))

    def retried(self, error: RequestError, delay: float) -> None:
        """The attempt failed, and another one follows."""
        name, status = type(error).__name__, _status(error)
        self._tell(CallRetried(**self._this(), error=name, status=status, delay=delay))

    def failed(self, error: RequestError) -> None:
        """The attempt failed, and so did the call."""
        self._tell(CallFailed(**self._this(), error=type(error).__name__, status=_status(error)))

    def _this(self) -> _Attempt:
        return {"call": self._number, "method": self._method, "path": self._path, "attempt": self.attempt}

    def _tell(self, event: CallEvent) -> None:
        for listener in self._listeners:
            listener(event)


class _Attempt(TypedDict):
    call: int
    method: str
    path: str
    attempt: int


def _status(error: RequestError) -> int | None:
    return error.status if isinstance(error, ResponseError | AmbiguousWriteError) else None


def _template(path: str) -> str:
    return "/".join(map(_word, path.split("/")))


def _word(segment: str) -> str:
    if not segment or _WORD_OF_A_PATH.fullmatch(segment):
        return segment
    return "{id}.json" if segment.endswith(".json") else "{id}"


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
def _call_span() -> _CallSpan | None:
    try:
        from .tracing import call_span  # noqa: PLC0415 - only those who have the extra pay for it
    except ImportError:
        return None
    return call_span
