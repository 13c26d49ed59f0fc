"""Events, logs and spans of calls, without people and credentials."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from functools import partial
from traceback import walk_tb
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util import types

import cyclesoft_async
from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import CycleSoftError, NotFoundError, TransportError, UsageError
from cyclesoft_async.models import WorkshopOrderCreate, WorkshopOrderUpdate
from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from cyclesoft_async.transport import (
    CallAnswered,
    CallEvent,
    CallFailed,
    CallRetried,
    CallSent,
    OnEvent,
    QuotaWaited,
)
from tests.support.http_server import Raw, Reply, answering, failure, http, page, raw_server, wire

LIST = "/api/v1/workshop/orders.json"
ORDER = "/api/v1/customers/{customer_id}/workshop-order/{workshop_order_id}.json"
PERSON = "Jansen-canary-0612345678"
ORDER_OF_A_PERSON = WorkshopOrderCreate(reference_text=PERSON, repair_description=PERSON)
PASSWORD = "canary-zX9-password"


def session(
    url: str, on_event: OnEvent | None = None, retries: RetryPolicy | None = None
) -> CycleSoftSession:
    at_once = RetryPolicy(attempts=3, first_delay=0.0)
    return CycleSoftSession("user", PASSWORD, base_url=url, retries=retries or at_once, on_event=on_event)


async def test_events_of_every_attempt() -> None:
    events: list[CallEvent] = []
    whole = Raw(http(wire({"workshop_order_id": 1})), "keep")
    busy = Raw(http(b"{}", head="HTTP/1.1 503 Busy\r\nRetry-After: 0"))
    async with raw_server(Raw(), busy, whole) as server, session(server.url, events.append) as cs:
        await cs.workshop_orders.get(24, 1)
        await cs.workshop_orders.get(24, 1)
    events = [event for event in events if not isinstance(event, QuotaWaited)]  # on a busy machine
    seen = [event for event in events if event.call == 1]
    assert [(type(event), event.attempt) for event in seen] == [
        (CallSent, 1),
        (CallRetried, 1),
        (CallSent, 2),
        (CallAnswered, 2),
        (CallRetried, 2),
        (CallSent, 3),
        (CallAnswered, 3),
    ]
    assert {(event.method, event.path) for event in events} == {("GET", ORDER)}
    assert [type(event) for event in events if event.call == 2] == [CallSent, CallAnswered]
    told = [(event.error, event.status, event.delay) for event in seen if isinstance(event, CallRetried)]
    assert told == [("TransportError", None, 0.0), ("ServerError", 503, 0.0)]
    answered = [(event.status, 0 < event.seconds < 60) for event in seen if isinstance(event, CallAnswered)]
    assert answered == [(503, True), (200, True)]


async def test_the_event_of_a_failed_call() -> None:
    events: list[CallEvent] = []
    async with answering(Reply(b"", 404)) as server, session(server.url, events.append) as cs:
        await failure(cs.workshop_orders.get(24, 1), NotFoundError)
    assert events[-1] == CallFailed(
        call=1, method="GET", path=ORDER, attempt=1, error="NotFoundError", status=404
    )
    events.clear()
    async with raw_server(Raw()) as server, session(server.url, events.append, RetryPolicy.none()) as cs:
        await failure(cs.workshop_orders.get(24, 1), TransportError)
    assert events[-1] == CallFailed(
        call=1, method="GET", path=ORDER, attempt=1, error="TransportError", status=None
    )


async def test_the_event_of_a_wait_for_the_quota() -> None:
    events: list[CallEvent] = []
    async with (
        Sandbox(orders=1, latency=0.05) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, on_event=events.append) as cs,
        anyio.create_task_group() as group,
    ):
        for _ in range(2):  # the second one waits until the first has learned the limits
            group.start_soon(cs.workshop_orders.list().collect)
    [waited] = [event for event in events if isinstance(event, QuotaWaited)]
    assert (waited.call, waited.attempt, waited.seconds > 0.01) == (2, 1, True)


@pytest.mark.parametrize(
    "path", ["/api/v1/customers/find/J.Jansen%40example.nl", "/7", "/api/v1/common.json"]
)
async def test_request_shows_method_and_host_only(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cyclesoft_async")
    events: list[CallEvent] = []
    async with answering(b"{}") as server, session(server.url, events.append) as cs:
        await cs.request("GET", path, type=dict[str, object], params={"name": "x"})
    assert {(event.method, event.path) for event in events} == {("GET", None)}
    assert "GET 127.0.0.1: sent attempt 1" in caplog.messages
    assert path not in caplog.text


@pytest.mark.parametrize("kind", ["function", "method", "object", "partial"])
def test_a_listener_must_not_be_a_coroutine_function(kind: str) -> None:
    class Listener:
        async def listen(self, event: CallEvent) -> None:
            raise AssertionError(event)

        async def __call__(self, event: CallEvent) -> None:
            raise AssertionError(event)

    async def listen(event: CallEvent) -> None:
        raise AssertionError(event)

    listeners: dict[str, Any] = {
        "function": listen,
        "method": Listener().listen,
        "object": Listener(),
        "partial": partial(listen),
    }
    with pytest.raises(UsageError, match="on_event must be a plain function, got a coroutine function"):
        session("http://127.0.0.1:1", listeners[kind])


def test_a_listener_must_be_callable() -> None:
    listener: Any = "print"
    with pytest.raises(UsageError, match="on_event must be a function, got str"):
        session("http://127.0.0.1:1", listener)


async def test_a_failing_listener_does_not_fail_the_call(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: CallEvent) -> None:
        raise ValueError("the listener's own mistake")

    async with answering(b'{"invoices": []}') as server, session(server.url, fail) as cs:
        assert await cs.workshop_orders.create_invoices(1) == []
    assert {(record.name, record.message) for record in caplog.records} == {
        ("cyclesoft_async", "on_event failed")
    }


async def test_log_records_have_method_template_status_attempt_and_milliseconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "cyclesoft_async")
    busy = Reply(b"{}", 503, {"Retry-After": "0"})
    async with answering(busy, page(), Reply(b"", 404)) as server, session(server.url) as cs:
        await cs.workshop_orders.list(object_query=PERSON)
        await failure(cs.workshop_orders.get(24, 1), NotFoundError)
    told = [
        (record.levelname, str(record.msg), *(record.args or ()))
        for record in caplog.records
        if record.name == "cyclesoft_async" and "waited" not in str(record.msg)
    ]
    assert [(level, *arguments[:3]) for level, _, *arguments in told] == [
        ("DEBUG", "GET", LIST, 1),
        ("DEBUG", "GET", LIST, 1),
        ("INFO", "GET", LIST, 1),
        ("DEBUG", "GET", LIST, 2),
        ("DEBUG", "GET", LIST, 2),
        ("DEBUG", "GET", ORDER, 1),
        ("DEBUG", "GET", ORDER, 1),
        ("INFO", "GET", ORDER, 1),
    ]
    assert "GET /api/v1/workshop/orders.json: attempt 1 failed: 503, retry in 0 ms" in caplog.messages
    assert f"GET {ORDER}: attempt 1 failed: 404" in caplog.messages


class Recorded(trace.Span):
    """A span that records its events; opentelemetry-api has none."""

    def __init__(self, name: str, kind: SpanKind, attributes: Mapping[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = dict(attributes)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.status = StatusCode.UNSET
        self.ended = False

    def end(self, *_: object, **__: object) -> None:
        self.ended = True

    def get_span_context(self) -> SpanContext:
        return SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def set_attributes(self, attributes: Mapping[str, types.AttributeValue]) -> None:
        self.attributes |= attributes

    def set_attribute(self, key: str, value: types.AttributeValue) -> None:
        self.attributes[key] = value

    def add_event(self, name: str, attributes: types.Attributes = None, *_: object, **__: object) -> None:
        self.events.append((name, dict(attributes or {})))

    def update_name(self, name: str) -> None:
        self.name = name

    def is_recording(self) -> bool:
        return not self.ended

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        assert isinstance(status, StatusCode)
        assert description is None
        self.status = status

    def record_exception(self, *_: object, **__: object) -> None:
        raise AssertionError("an exception's words may name people")


class Recorder(trace.TracerProvider, trace.NoOpTracer):
    """A provider whose tracer keeps all spans."""

    def __init__(self) -> None:
        self.spans: list[Recorded] = []

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        return self

    def start_span(self, name: str, *_: object, **rest: Any) -> Recorded:
        self.spans.append(Recorded(name, rest["kind"], rest["attributes"]))
        return self.spans[-1]


@pytest.fixture(scope="module")
def provider() -> Recorder:
    """A process has one provider, for good."""
    provider = Recorder()
    trace.set_tracer_provider(provider)
    return provider


@pytest.fixture
def spans(provider: Recorder) -> Generator[list[Recorded]]:
    provider.spans.clear()
    yield provider.spans
    assert all(span.ended for span in provider.spans)


async def test_one_span_a_call_with_its_attempts_as_events(spans: list[Recorded]) -> None:
    whole = Raw(http(wire({"workshop_order_id": 1})))
    async with raw_server(Raw(), whole) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
    [span] = spans
    port = int(server.url.rpartition(":")[2])
    assert (span.name, span.kind, span.status) == (f"GET {ORDER}", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.template": ORDER,
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
    }
    events = [(name, details) for name, details in span.events if name != "QuotaWaited"]
    assert events[:3] == [
        ("CallSent", {"attempt": 1}),
        ("CallRetried", {"attempt": 1, "error": "TransportError", "delay": 0.0}),
        ("CallSent", {"attempt": 2}),
    ]
    name, details = events[3]
    assert name == "CallAnswered"
    assert set(details) == {"attempt", "status", "seconds"}


@pytest.mark.parametrize(
    ("reply", "type_", "status"),
    [
        (Reply(b"", 404), "404", 404),
        (Reply(b"<html>"), "ResponseDecodeError", 200),
        (Reply(wire({"error": True, "error_message": PERSON})), "BadRequestError", 200),
    ],
)
async def test_the_span_of_a_call_that_failed(
    reply: Reply, type_: str, status: int, spans: list[Recorded]
) -> None:
    async with answering(reply) as server, session(server.url) as cs:
        with pytest.raises(CycleSoftError):
            await cs.workshop_orders.get(24, 1)
    [span] = spans
    assert span.status is StatusCode.ERROR
    assert span.attributes["error.type"] == type_
    assert span.attributes["http.response.status_code"] == status
    assert PERSON not in repr(vars(span))


async def test_the_span_is_the_current_one_while_the_call_lasts(spans: list[Recorded]) -> None:
    current: list[object] = []
    async with (
        answering(b"{}") as server,
        session(server.url, lambda _: current.append(trace.get_current_span())) as cs,
    ):
        await cs.request("GET", "/", type=None)
    assert len(current) >= 2
    assert set(map(id, current)) == {id(spans[0])}


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
import anyio, cyclesoft_async
from cyclesoft_async.sandbox import Sandbox
async def main():
    async with Sandbox(orders=3) as sandbox:
        async with cyclesoft_async.CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            print(len(await cs.workshop_orders.list().collect()))
anyio.run(main)
"""
UNUSED = "import sys, cyclesoft_async; print('opentelemetry' in sys.modules)"


@pytest.mark.parametrize(("program", "shown"), [(WITHOUT, "3"), (UNUSED, "False")])
def test_opentelemetry_is_neither_needed_nor_imported_early(program: str, shown: str) -> None:
    python = [sys.executable, "-W", "error", "-c", program]
    assert subprocess.run(python, check=True, capture_output=True, text=True).stdout.strip() == shown


def calls(cs: CycleSoftSession) -> list[Callable[[], Awaitable[object]]]:
    orders = cs.workshop_orders
    body = {"remarks": PERSON}

    async def every_page() -> None:
        async for _ in orders.list(object_query=PERSON).pages():
            pass

    async def every_item() -> None:
        async for _ in orders.list():
            pass

    return [
        every_page,
        every_item,
        orders.list().collect,
        lambda: orders.create(1001, ORDER_OF_A_PERSON),
        lambda: orders.create(1001, ORDER_OF_A_PERSON, once=True),
        lambda: orders.update(1001, 900_001, WorkshopOrderUpdate(repair_description=PERSON)),
        lambda: cs.request("GET", "/api/v1/x", type=dict[str, object], params={"name": PERSON}),
        lambda: cs.request("POST", "/api/v1/x", type=dict[str, object], json=body),
        lambda: cs.request("POST", "/api/v1/x", type=None, form={"name": PERSON}),
    ]


def shown_of(error: BaseException) -> Iterator[str]:
    """Everything that a log could show: text, our frames with their locals, causes and contexts."""
    yield from (str(error), repr(error), repr(error.args), *getattr(error, "__notes__", []))
    for frame, line in walk_tb(error.__traceback__):
        if frame.f_globals["__name__"].startswith(cyclesoft_async.__name__):
            yield f"{frame.f_code.co_qualname}:{line}: {frame.f_locals!r}"
    for behind in (error.__cause__, error.__context__):
        if behind is not None:
            yield from shown_of(behind)


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize("after", [1, 2])
async def test_nothing_that_is_shown_names_people_or_credentials(
    fault: Fault | None, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[CallEvent] = []
    shown: list[str] = []
    faults = Faults(at={} if fault is None else dict.fromkeys(range(2 + after, 100), fault), slow=0.1)
    for number in range(len(calls(session("http://127.0.0.1:1")))):
        async with (
            Sandbox(orders=0, page_size=1, faults=faults, password=PASSWORD) as sandbox,
            session(sandbox.url, events.append, RetryPolicy(attempts=2, first_delay=0.0)) as cs,
        ):
            for _ in range(2):  # two pages of people's data
                await cs.workshop_orders.create(1001, ORDER_OF_A_PERSON)
            impatient = cs.with_options(timeout=0.05, max_wait=0.0)
            with anyio.move_on_after(0.5):  # some faults never end
                shown += await everything_shown(calls(impatient)[number])
        shown.append(repr(cs) + repr(impatient.quota))
    shown += map(repr, events)
    shown += [f"{record.getMessage()} {record.args!r} {record.exc_info!r}" for record in caplog.records]
    assert len(shown) > 20
    for text in shown:
        assert PERSON not in text
        assert PASSWORD not in text
        assert "Basic " not in text


async def test_a_cancelled_call_shows_neither() -> None:
    faults = Faults(rate=1.0, among=[Fault.SLOW_BODY], slow=0.2)
    async with (
        Sandbox(orders=1, faults=faults, password=PASSWORD) as sandbox,
        session(sandbox.url) as cs,
    ):
        for call in calls(cs):
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.02):
                    await call()
            shown = "".join(shown_of(caught.value))
            assert "CancelledError" in shown
            assert not [secret for secret in (PERSON, PASSWORD, "Basic ") if secret in shown]


async def everything_shown(call: Callable[[], Awaitable[object]]) -> list[str]:
    try:
        await call()
    except CycleSoftError as error:
        return list(shown_of(error))
    return []
