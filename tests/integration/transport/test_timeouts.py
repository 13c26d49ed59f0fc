"""Limits of single calls: max_wait, timeouts, endpoint limits and pools."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from cyclesoft_async import CycleSoftSession, EndpointLimit, RetryPolicy
from cyclesoft_async.bridges import ShopCtrl
from cyclesoft_async.errors import (
    BadRequestError,
    ConnectError,
    QuotaExhausted,
    RequestTimeout,
    SessionError,
    UsageError,
)
from cyclesoft_async.models import WorkshopOrderCreate
from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from cyclesoft_async.transport import BasicAuth, CallEvent, CallFailed
from tests.support.http_server import (
    AT_ONCE,
    ONCE,
    PASSWORD,
    USERNAME,
    Raw,
    Reply,
    answering,
    failure,
    http,
    page,
    raw_server,
    session,
    somebody_waits,
)

NO_ROOM = {"X-RateLimit-Minutely-Limit": "100", "X-RateLimit-Minutely-Remaining": "0"}


def session_in(sandbox: Sandbox) -> CycleSoftSession:
    return CycleSoftSession("user", "pass", base_url=sandbox.url)


async def test_a_retry_after_beyond_max_wait_raises_at_once() -> None:
    faults = Faults(at={1: Fault.TOO_MANY_REQUESTS}, retry_after="5")
    async with Sandbox(orders=1, faults=faults) as sandbox, session_in(sandbox) as cs:
        began = datetime.now(UTC)
        call = cs.with_options(max_wait=0.5).workshop_orders.list().collect()
        error = await failure(call, QuotaExhausted)
        assert sandbox.received == 1
    assert 4 < (error.resets_at - began).total_seconds() < 7
    assert (error.attempts, error.waited < 1) == (1, True)


async def test_delays_after_429_count_against_max_wait() -> None:
    refused = Reply(b"{}", 429, {"Retry-After": "1"})
    async with answering(refused, refused, page()) as server, session(server.url) as cs:
        patient = cs.with_options(max_wait=1.5)
        error = await failure(patient.workshop_orders.list().collect(), QuotaExhausted)
    assert len(server.requests) == error.attempts == 2
    assert error.waited < 1.5


async def test_waits_of_all_attempts_count_against_max_wait() -> None:
    """The second call waits until the first has timed out, is retried, and waits for the third."""
    hangs, busy = Raw(then="hang"), Raw(http(b"{}", head="HTTP/1.1 503 Busy"), "keep")
    async with (
        raw_server(hangs, busy, hangs) as server,
        CycleSoftSession(USERNAME, PASSWORD, base_url=server.url, max_concurrent=1, retries=AT_ONCE) as cs,
    ):
        brief = cs.with_options(timeout=1.0, retries=ONCE)
        patient = cs.with_options(max_wait=1.2)
        calls = [asyncio.ensure_future(one.workshop_orders.list().collect()) for one in (brief, patient, cs)]
        error = await failure(calls[1], QuotaExhausted)
        assert error.attempts == 1
        assert 1.0 < error.waited < 2.0
        calls[2].cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_a_429_within_max_wait_is_retried() -> None:
    refused = Reply(b"{}", 429, {"Retry-After": "1"})
    async with answering(refused, page()) as server, session(server.url) as cs:
        await cs.with_options(max_wait=30.0).workshop_orders.list()
    assert len(server.requests) == 2


async def test_request_with_an_endpoint_limit() -> None:
    limit = EndpointLimit("create-invoices", 15)
    async with Sandbox(orders=5) as sandbox, session_in(sandbox) as cs:
        order = await cs.workshop_orders.create(1001, WorkshopOrderCreate())
        path = f"/api/v1/workshop/orders/{order.workshop_order_id}/create-invoices.json"
        form = {"customer_messages": False}
        with suppress(BadRequestError):  # it has nothing to invoice
            await cs.request("POST", path, form=form, limit=limit, type=msgspec.Raw)
        assert (cs.quota.minutely.limit, cs.quota.minutely.used) == (360, 2)
        patient = cs.with_options(max_wait=0.0)
        for _ in range(14):
            with suppress(BadRequestError):
                await patient.request("POST", path, form=form, limit=limit, type=msgspec.Raw)
        error = await failure(
            patient.request("POST", path, form=form, limit=limit, type=msgspec.Raw), QuotaExhausted
        )
        assert error.scope == "create-invoices"
        await patient.workshop_orders.list()


async def test_an_endpoint_limit_below_one_is_refused() -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        await failure(cs.request("GET", "/x", type=None, limit=EndpointLimit("x", 0)), UsageError)
    assert server.requests == []


async def test_a_write_that_waited_for_the_pool_was_never_sent() -> None:
    async with (
        raw_server(Raw(then="hang")) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        session(server.url, http_session=http, connect_timeout=0.05, timeout=5.0, retries=ONCE) as cs,
    ):
        other = asyncio.ensure_future(http.get(server.url))
        await server.asked.wait()
        error = await failure(cs.workshop_orders.create(7, WorkshopOrderCreate()), ConnectError)
        assert (cs.quota.sent, cs.quota.minutely.used, len(server.requests)) == (0, 0, 1)
        other.cancel()
    assert error.reason == "no connection within connect_timeout (connection pool, DNS, TCP and TLS)"


class NeverResolving(AbstractResolver):
    async def resolve(self, host: str, *_: object, **__: object) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise OSError(host)

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_write_whose_host_does_not_resolve_in_time_was_never_sent() -> None:
    connector = aiohttp.TCPConnector(resolver=NeverResolving())
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        session(
            "https://slow.example", http_session=http, connect_timeout=0.05, timeout=5.0, retries=ONCE
        ) as cs,
    ):
        await failure(cs.workshop_orders.create(7, WorkshopOrderCreate()), ConnectError)
        assert cs.quota.sent == 0


@pytest.mark.parametrize("owned", [True, False])
async def test_a_write_that_waits_for_the_quota_is_not_sent_after_closing(*, owned: bool) -> None:
    async with answering(Reply(page(), headers=NO_ROOM)) as server, aiohttp.ClientSession() as http:
        cs = session(server.url, http_session=None if owned else http)
        await cs.workshop_orders.list()
        call = asyncio.ensure_future(cs.workshop_orders.create(7, WorkshopOrderCreate()))
        with anyio.fail_after(10):
            await somebody_waits(cs)
            await cs.aclose()
            await failure(call, SessionError)
    assert len(server.requests) == 1


async def test_a_bridges_write_that_waits_for_the_quota_is_not_sent_after_closing() -> None:
    async with answering(b"null") as server, aiohttp.ClientSession() as http:
        auth = BasicAuth(USERNAME, PASSWORD)
        shop = ShopCtrl(auth, base_url=server.url, http_session=http, minutely_limit=1)
        await shop.create_invoice(1)
        call = asyncio.ensure_future(shop.create_invoice(1))
        await asyncio.sleep(0)
        await shop.aclose()
        with anyio.fail_after(10):
            await failure(call, SessionError)
    assert len(server.requests) == 1


async def test_a_write_with_a_fresh_permit_is_not_sent_after_closing() -> None:
    """The second call gets its permit when the first fails; before it can use it, the session is closed."""

    def close(event: CallEvent) -> None:
        if isinstance(event, CallFailed):
            with suppress(StopIteration):  # it has nothing to wait for
                cs.aclose().send(None)

    async with raw_server(Raw(then="keep")) as server, aiohttp.ClientSession() as http:
        cs = CycleSoftSession(
            USERNAME,
            PASSWORD,
            base_url=server.url,
            http_session=http,
            on_event=close,
            timeout=0.05,
            retries=ONCE,
        )
        first = asyncio.ensure_future(cs.request("GET", "/", type=None))
        await server.asked.wait()
        second = asyncio.ensure_future(cs.workshop_orders.create(7, WorkshopOrderCreate()))
        await failure(first, RequestTimeout)
        assert str(await failure(second, SessionError)) == "the session is closed"
    assert len(server.requests) == 1
    assert cs.quota.in_flight == 0
    assert cs.quota.sent == 1


async def test_closing_fails_waiting_calls_even_if_a_connection_cannot_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with answering(Reply(page(), headers=NO_ROOM)) as server:
        cs = session(server.url)
        await cs.workshop_orders.list()
        call = asyncio.ensure_future(cs.workshop_orders.list().collect())
        with anyio.fail_after(10):
            await somebody_waits(cs)
            with monkeypatch.context() as patched:
                patched.setattr(aiohttp.ClientSession, "close", broken)
                with pytest.raises(RuntimeError, match="broken"):
                    await cs.aclose()
            await failure(call, SessionError)
        await cs.aclose()


async def broken(_: aiohttp.ClientSession) -> None:
    raise RuntimeError("broken")


def test_max_concurrent_must_be_positive() -> None:
    with pytest.raises(UsageError, match="max_concurrent"):
        CycleSoftSession(USERNAME, PASSWORD, max_concurrent=0)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": None},
        {"timeout": 0},
        {"timeout": -1.0},
        {"timeout": float("nan")},
        {"timeout": "5"},
        {"max_wait": "5"},
        {"max_wait": -1},
        {"retries": 3},
        {"max_wait": float("nan")},
        {"lane": "slow"},
    ],
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    cs = CycleSoftSession(USERNAME, PASSWORD)
    with pytest.raises(UsageError, match=next(iter(options))):
        cs.with_options(**options)


async def test_a_copy_of_a_subclass_keeps_its_attributes() -> None:
    class Shop(CycleSoftSession):
        def __init__(self, url: str, store_id: int) -> None:
            super().__init__(USERNAME, PASSWORD, base_url=url, retries=RetryPolicy.none())
            self.store_id = store_id

        async def orders(self) -> int:
            return len(await self.workshop_orders.list(store_id=self.store_id).collect())

    async with answering(page()) as server, Shop(server.url, 7) as shop:
        bulk = shop.with_options(lane="bulk")
        assert (await bulk.orders(), type(bulk)) == (0, Shop)
        assert bulk.workshop_orders is not shop.workshop_orders
    assert server.requests[0].target.endswith("?store_id=7")
