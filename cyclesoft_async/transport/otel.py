"""One OpenTelemetry span for each call (extra: otel); imported only by programs that use OpenTelemetry.

Attributes follow the semantic conventions for spans of HTTP clients, without `url.full`: ids and queries
stay out.
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
    """A span that lasts as long as the block; what the block is told becomes the span's events.

    None when the program has set up no provider: then nobody would see the span, and it would only cost.
    """
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return _recorded(call, origin)


@contextmanager
def _recorded(call: Call, origin: Origin) -> Generator[OnEvent]:
    path = call.template
    span = _tracer.start_span(
        f"{call.method} {path}",
        kind=SpanKind.CLIENT,
        attributes={
            "http.request.method": call.method,
            "url.template": path,
            "server.address": origin.host,
            "server.port": origin.port,
        },
    )
    # An error's words are the server's, and may name people; its class is told as an attribute.
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        yield lambda event: _tell(span, event)


def _tell(span: Span, event: CallEvent) -> None:
    told = {name: value for name, value in structs.asdict(event).items() if value is not None}
    for name in ("call", "method", "path"):
        del told[name]
    span.add_event(type(event).__name__, told)
    match event:
        case CallSent() if event.attempt > 1:
            span.set_attribute("http.request.resend_count", event.attempt - 1)
        case CallAnswered():
            span.set_attribute("http.response.status_code", event.status)
        case CallFailed():
            refused = event.status is not None and event.status >= HTTPStatus.BAD_REQUEST
            span.set_attribute("error.type", str(event.status) if refused else event.error)
            span.set_status(StatusCode.ERROR)
        case _:
            pass
