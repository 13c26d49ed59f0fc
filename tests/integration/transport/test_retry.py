"""Retries: the policy by itself, and counted at the server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    NameResolutionError,
    NotFoundError,
    QuotaExhausted,
    RateLimitedError,
    RequestError,
    RequestTimeout,
    ResponseDecodeError,
    ServerError,
    TransportError,
)
from cyclesoft_async.models import WorkshopOrderCreate, WorkshopOrderUpdate
from tests.support.fast_loop import run_fast
from tests.support.http_server import (
    AT_ONCE,
    ONCE,
    Raw,
    Reply,
    answering,
    failure,
    http,
    raw_server,
    session,
    wire,
)

ORDER = wire({"workshop_order_id": 1})
FOUND = Raw(http(ORDER))
TRUNCATED = Raw(http(ORDER[:-5], length=len(ORDER)))
DROPPED = Raw()
NOT_GZIP = Raw(
    http(b"this is not gzip", head="HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip")
)
NOT_HTTP = Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

seconds = st.floats(0, 1e6)
policies = st.builds(
    RetryPolicy, attempts=st.integers(1, 9_999), first_delay=seconds, max_delay=seconds, budget=seconds
)
PASSING: list[RequestError] = [
    TransportError("broken"),
    RequestTimeout("late"),
    ConnectError("refused"),
    NameResolutionError("unknown"),
    RateLimitedError("429", status=429),
    *(ServerError("5xx", status=status) for status in (500, 502, 503, 504)),
]
FINAL: list[RequestError] = [
    AuthenticationError("401", status=401),
    BadRequestError("400", status=400),
    NotFoundError("404", status=404),
    ServerError("501", status=501),
    ServerError("599", status=599),
    ResponseDecodeError("html", status=200),
    QuotaExhausted(datetime(2025, 1, 1, tzinfo=UTC), "daily"),
]


@given(
    policies,
    st.sampled_from(PASSING + FINAL),
    st.tuples(st.booleans(), st.integers(1, 9_999)),
    st.tuples(seconds, st.floats(0, 1)),
)
def test_a_delay_stays_within_its_bounds(
    policy: RetryPolicy, error: RequestError, call: tuple[bool, int], moment: tuple[float, float]
) -> None:
    (is_read, attempt), (elapsed, draw) = call, moment
    delay = policy.delay(error, is_read=is_read, attempt=attempt, elapsed=elapsed, draw=draw)
    if delay is not None:
        assert 0 <= delay <= policy.max_delay
        assert attempt < policy.attempts
        assert elapsed + delay <= policy.budget


@given(seconds, st.floats(0, 1), st.integers(1, 8))
def test_retry_after_is_the_minimum_delay(asked: float, draw: float, attempt: int) -> None:
    policy = RetryPolicy(attempts=9, max_delay=1.0, budget=1e6)

    def delay(error: RequestError) -> float | None:
        return policy.delay(error, is_read=True, attempt=attempt, elapsed=0, draw=draw)

    own = delay(ServerError("503", status=503))
    assert own is not None
    for error in (
        RateLimitedError("429", status=429, retry_after=asked),
        ServerError("503", status=503, retry_after=asked),
        AmbiguousWriteError("503", status=503, retry_after=asked),
    ):
        assert delay(error) == max(own, asked)


def test_the_jitter_is_full_and_the_delay_doubles() -> None:
    policy = RetryPolicy(attempts=9, first_delay=0.5, max_delay=3.0)

    def delay(attempt: int, draw: float) -> float | None:
        return policy.delay(TransportError("broken"), is_read=True, attempt=attempt, elapsed=0, draw=draw)

    assert [delay(attempt, 1.0) for attempt in range(1, 10)] == [0.5, 1, 2, 3, 3, 3, 3, 3, None]
    assert [delay(2, draw) for draw in (0.0, 0.25, 1.0)] == [0, 0.25, 1]


def test_a_policy_without_a_budget() -> None:
    policy = RetryPolicy(attempts=10_000, budget=float("inf"))
    delay = policy.delay(TransportError("broken"), is_read=True, attempt=9_000, elapsed=1e9, draw=1.0)
    assert delay == policy.max_delay


@pytest.mark.parametrize(
    ("elapsed", "retry_after", "delay"), [(4.0, 1.0, 1.0), (4.0, 1.01, None), (5.01, 0.0, None)]
)
def test_nothing_is_retried_beyond_the_budget(
    elapsed: float, retry_after: float, delay: float | None
) -> None:
    error = ServerError("503", status=503, retry_after=retry_after)
    policy = RetryPolicy(budget=5.0)
    assert policy.delay(error, is_read=True, attempt=1, elapsed=elapsed, draw=0.5) == delay


@pytest.mark.parametrize("error", PASSING + FINAL, ids=repr)
def test_which_errors_are_retried(error: RequestError) -> None:
    def repeats(*, is_read: bool, policy: RetryPolicy = AT_ONCE) -> bool:
        return policy.delay(error, is_read=is_read, attempt=1, elapsed=0.0, draw=0.5) is not None

    assert repeats(is_read=True) is (error in PASSING)
    assert repeats(is_read=False) is isinstance(error, ConnectError)
    assert not repeats(is_read=True, policy=ONCE)


@pytest.mark.parametrize("fault", [DROPPED, TRUNCATED, NOT_GZIP, NOT_HTTP])
@pytest.mark.parametrize("faults", [1, 3])
async def test_a_read_is_repeated_after_a_broken_response(fault: Raw, faults: int) -> None:
    async with raw_server(*[fault] * faults, FOUND) as server, session(server.url) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
        assert cs.quota.sent == len(server.requests) == faults + 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_repeated_after_a_transient_status(status: int) -> None:
    busy = Reply(b"<html>", status=status, headers={"Retry-After": "0"})

    async def main() -> None:
        async with answering(busy, busy, ORDER) as server, session(server.url, timeout=3600.0) as cs:
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
            assert cs.quota.sent == len(server.requests) == 3
            assert cs.quota.refused == (2 if status == 429 else 0)

    run_fast(main(), 30.0)  # a 429 without figures costs a window each


async def test_a_read_is_repeated_after_a_timeout() -> None:
    async with raw_server(Raw(then="hang"), FOUND) as server, session(server.url, timeout=0.3) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
    assert len(server.requests) == 2


async def test_every_page_of_a_list_is_repeated_by_itself() -> None:
    next_url = "https://s01.cyclesoftware.nl/api/v1/workshop/orders.json?token=b"
    first = Raw(http(wire({"data": [{"workshop_order_id": 1}], "pagination": {"next_url": next_url}})))
    second = Raw(http(wire({"data": [{"workshop_order_id": 2}]})))
    async with (
        raw_server(DROPPED, first, TRUNCATED, DROPPED, second) as server,
        session(server.url) as cs,
    ):
        found = await cs.workshop_orders.list().collect()
    assert [order.workshop_order_id for order in found] == [1, 2]
    assert [request.target.partition("?")[2] for request in server.requests] == ["", "", *["token=b"] * 3]


@pytest.mark.parametrize(
    ("retries", "sent"), [(AT_ONCE, 4), (RetryPolicy(attempts=2, first_delay=0.0), 2), (ONCE, 1)]
)
@pytest.mark.parametrize("fault", [DROPPED, TRUNCATED, NOT_GZIP, NOT_HTTP])
async def test_attempts_are_what_the_server_saw(fault: Raw, retries: RetryPolicy, sent: int) -> None:
    async with raw_server(fault) as server, session(server.url, retries=retries) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), TransportError)
        assert error.attempts == len(server.requests) == cs.quota.sent == sent
    assert (f"(after {sent} attempts)" in str(error)) is (sent > 1)


async def test_retries_can_be_set_for_one_call() -> None:
    async with raw_server(DROPPED) as server, session(server.url) as cs:
        await failure(cs.with_options(retries=RetryPolicy.none()).workshop_orders.get(24, 1), TransportError)
        assert len(server.requests) == 1


Write = Callable[[CycleSoftSession], Coroutine[None, None, object]]
WRITES: list[Write] = [
    lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate()),
    lambda cs: cs.workshop_orders.update(24, 1, WorkshopOrderUpdate(status_id=4)),
    lambda cs: cs.workshop_orders.create_invoices(1),
    lambda cs: cs.request("DELETE", "/api/v1/x", type=dict[str, object]),
    lambda cs: cs.request("PATCH", "/api/v1/x", type=dict[str, object], json={}),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("fault", [DROPPED, TRUNCATED, NOT_GZIP, NOT_HTTP, Raw(then="hang")])
async def test_an_ambiguous_write_is_not_repeated(write: Write, fault: Raw) -> None:
    async with raw_server(fault) as server, session(server.url, timeout=0.3) as cs:
        error = await failure(write(cs), AmbiguousWriteError)
        assert cs.quota.sent == len(server.requests)
    assert "; the server may or may not have carried it out: " in str(error)
    assert error.attempts == 1
    assert [request.method for request in server.requests if request.method != "GET"] == [error.method]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, RateLimitedError),
        (500, ServerError),
        (502, AmbiguousWriteError),
        (503, AmbiguousWriteError),
        (504, AmbiguousWriteError),
        (520, AmbiguousWriteError),
    ],
)
async def test_a_write_that_was_refused_is_not_repeated(
    write: Write, status: int, expected: type[RequestError]
) -> None:
    busy = Reply(b"{}", status=status, headers={"Retry-After": "0"})
    async with answering(busy) as server, session(server.url, retries=AT_ONCE) as cs:
        error = await failure(write(cs), expected)
        assert error.attempts == 1
    assert vars(error)["status"] == status
    assert len([request for request in server.requests if request.method != "GET"]) == 1


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_was_never_sent_is_repeated(write: Write) -> None:
    async with session("http://127.0.0.1:1") as cs:
        error = await failure(write(cs), ConnectError)
    assert error.attempts == 4


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_on_a_dropped_pooled_connection_is_sent_once(write: Write) -> None:
    async with (
        raw_server(Raw(http(ORDER), "keep"), DROPPED, FOUND) as server,
        session(server.url) as cs,
    ):
        await cs.workshop_orders.get(24, 1)
        error = await failure(write(cs), AmbiguousWriteError)
        assert error.attempts == 1
        assert cs.quota.sent == len(server.requests)
    assert len([request for request in server.requests if request.method != "GET"]) == 1


async def test_a_read_on_a_dropped_pooled_connection_is_repeated_and_counted() -> None:
    async with (
        raw_server(Raw(http(ORDER), "keep"), DROPPED, FOUND) as server,
        session(server.url) as cs,
    ):
        await cs.workshop_orders.get(24, 1)
        await cs.workshop_orders.get(24, 1)
        assert cs.quota.sent == len(server.requests) == 3
