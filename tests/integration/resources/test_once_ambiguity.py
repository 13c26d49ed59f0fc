"""A creation with `once` whose first attempt is ambiguous stays ambiguous through later attempts."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import AmbiguousWriteError, ServerError
from cyclesoft_async.models import WorkshopOrder, WorkshopOrderCreate
from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from cyclesoft_async.transport import CallEvent, CallRetried
from tests.support.http_server import (
    AT_ONCE,
    Raw,
    Reply,
    answering,
    failure,
    http,
    page,
    pickled,
    raw_server,
    session,
    somebody_waits,
)

CREATION = "POST /api/v1/customers/1001/workshop-order.json: "
EARLIER = "; an earlier attempt may have been carried out: look for it in list(customer_id=...)"
NOTHING_THERE = Raw(http(page()), "keep")
NO_ROOM_AFTER_THE_LOOK = Raw(
    http(
        page(),
        head="HTTP/1.1 200 OK\r\nX-RateLimit-Minutely-Limit: 2\r\nX-RateLimit-Minutely-Remaining: 0",
    )
)


async def creation(cs: CycleSoftSession) -> WorkshopOrder:
    return await cs.workshop_orders.create(1001, WorkshopOrderCreate(reference_text="a"), once=True)


@pytest.mark.parametrize(
    "status",
    ["400 Bad Request", "403 Forbidden", "409 Conflict", "422 Unprocessable Entity", "501 Unheard Of"],
)
async def test_a_refusal_of_the_second_attempt(status: str) -> None:
    refused = Raw(http(b'{"error": true, "error_message": "no"}', head=f"HTTP/1.1 {status}"))
    async with raw_server(Raw(), NOTHING_THERE, refused) as server, session(server.url) as cs:
        doubt = await failure(creation(cs), AmbiguousWriteError)
    assert [request.method for request in server.requests][:3] == ["POST", "GET", "POST"]
    assert (doubt.attempts, doubt.__context__, doubt.__cause__) == (2, None, None)
    if not status.startswith("5"):  # that is ambiguous by itself
        no = "no; this call requires the scope `resources`" if status.startswith("403") else "no"
        said = f"{CREATION}status {status[:3]}: {no}{EARLIER} before you repeat the call (after 2 attempts)"
        assert (str(doubt), doubt.status) == (said, None)
        assert str(pickled(doubt)) == str(doubt)


@pytest.mark.parametrize("status", [429, 500])
async def test_refusals_until_there_are_no_attempts_left(status: int) -> None:
    busy = Reply(b"{}", status=status)
    async with (
        answering(Reply(b"", 504), page(), busy, page(), busy) as server,
        session(server.url, retries=RetryPolicy(attempts=2, first_delay=0.0)) as cs,
    ):
        doubt = await failure(creation(cs), AmbiguousWriteError)
    assert (doubt.attempts, doubt.status) == (2, 504)
    assert EARLIER in str(doubt)


async def test_the_server_is_gone_at_the_second_attempt() -> None:
    """That would be a `ConnectError`, which promises that nothing was done."""
    posts: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            listener.close()
            writer.write(http(page(), head="HTTP/1.1 200 OK\r\nConnection: close"))
        else:
            posts.append(head)
        writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with session(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as cs:
        doubt = await failure(creation(cs), AmbiguousWriteError)
    assert len(posts) == 1
    assert "Connection refused" in str(doubt)
    assert EARLIER in str(doubt)


async def test_the_quota_is_exhausted_at_the_second_attempt() -> None:
    async with raw_server(Raw(), NO_ROOM_AFTER_THE_LOOK) as server, session(server.url) as cs:
        doubt = await failure(creation(cs.with_options(max_wait=0.0)), AmbiguousWriteError)
    assert [request.method for request in server.requests] == ["POST", "GET"]
    assert "the minutely quota is exhausted until" in str(doubt)
    assert EARLIER in str(doubt)


async def test_the_session_is_closed_before_the_second_attempt() -> None:
    async with raw_server(Raw(), NO_ROOM_AFTER_THE_LOOK) as server, session(server.url) as cs:
        call = asyncio.ensure_future(creation(cs))
        with anyio.fail_after(10):
            await somebody_waits(cs)
            await cs.aclose()
            doubt = await failure(call, AmbiguousWriteError)
    assert str(doubt) == f"{CREATION}the session is closed{EARLIER} before you repeat the call"
    assert len(server.requests) == 2


async def test_without_an_ambiguous_attempt_a_refusal_is_a_refusal() -> None:
    failed = Reply(b"{}", status=500)
    replies = (failed, page()) * AT_ONCE.attempts
    async with answering(*replies) as server, session(server.url, retries=AT_ONCE) as cs:
        error = await failure(creation(cs), ServerError)
    assert error.attempts == 4


async def test_retry_after_of_an_ambiguous_attempt_is_kept() -> None:
    events: list[CallEvent] = []
    faults = Faults(at={1: Fault.BAD_GATEWAY, 3: Fault.BAD_GATEWAY}, retry_after="1")
    async with (
        Sandbox(orders=0, faults=faults) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, on_event=events.append) as cs,
    ):
        assert (await creation(cs)).reference_text == "a"
        doubt = await failure(
            cs.workshop_orders.create(1001, WorkshopOrderCreate(reference_text="b")), AmbiguousWriteError
        )
    assert doubt.retry_after == 1.0
    assert [event.delay for event in events if isinstance(event, CallRetried)] == [1.0]


async def test_the_time_of_a_look_up_does_not_count_against_the_budget() -> None:
    faults = Faults(at={1: Fault.DROP_BEFORE, 2: Fault.SLOW_BODY, 3: Fault.DROP_BEFORE}, slow=0.3)
    policy = RetryPolicy(attempts=3, first_delay=0.0, budget=0.25)
    async with (
        Sandbox(orders=0, faults=faults) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, retries=policy) as cs,
    ):
        assert (await creation(cs)).reference_text == "a"
        assert sandbox.orders == 1
