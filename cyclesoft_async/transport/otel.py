"""OpenTelemetry spans, one for each call (extra: otel). Imported only by programs that use OpenTelemetry.

Attributes follow the semantic conventions for spans of HTTP clients, without `url.full`, which has ids and
queries.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus

from msgspec import structs
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from .events import CallAnswered, CallEvent, CallFailed, CallSent, OnEvent
from .origin import Origin
from .request import Call

_tracer = trace.get_tracer("cyclesoft_async")


def call_span(call: Call, origin: Origin) -> AbstractContextManager[OnEvent] | None:
    """Return a span that lasts as long as its block, and whose listener turns events into span events.

    None if the program has set up no provider: the span would have no reader.
    """
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return _recorded(call, origin)


@contextmanager
def _recorded(call: Call, origin: Origin) -> Generator[OnEvent]:
    attributes: dict[str, str | int] = {
        "http.request.method": call.method,
        "server.address": origin.host,
        "server.port": origin.port,
    }
    name = call.method
    if call.template is not None:
        name = f"{name} {call.template}"
        attributes["url.template"] = call.template
    span = _tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
    # An error's text is the server's, and may name people. Its class is an attribute.
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        yield lambda event: _record(span, event)


def _record(span: Span, event: CallEvent) -> None:
    attributes = {name: value for name, value in structs.asdict(event).items() if value is not None}
    for name in ("call", "method", "path"):
        attributes.pop(name, None)
    span.add_event(type(event).__name__, attributes)
    match event:
        case CallSent() if event.attempt > 1:
            span.set_attribute("http.request.resend_count", event.attempt - 1)
        case CallAnswered():
            span.set_attribute("http.response.status_code", event.status)
        case CallFailed():
            has_error_status = event.status is not None and event.status >= HTTPStatus.BAD_REQUEST
            span.set_attribute("error.type", str(event.status) if has_error_status else event.error)
            span.set_status(StatusCode.ERROR)
        case _:
            pass
