"""The session: construction, hosts, copies, closing, and secrets that it never shows."""

from __future__ import annotations

import asyncio
import gzip
import pickle
from collections.abc import Awaitable
from types import ModuleType

import aiohttp
import pytest

import cyclesoft_async
from cyclesoft_async import models
from cyclesoft_async.errors import NotFoundError, QuotaExhausted, SessionError, StatusError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.transport import BasicAuth, Origin
from tests.support.http_server import (
    AUTHORIZATION,
    ORDERS,
    PASSWORD,
    SECRETS,
    USERNAME,
    Raw,
    Reply,
    answering,
    failure,
    page,
    raw_server,
    session,
    wire,
)

ORDER = wire({"workshop_order_id": 1})


@pytest.mark.parametrize("module", [cyclesoft_async, models])
def test_the_public_names(module: ModuleType) -> None:
    exported: list[str] = module.__all__
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(exported) - {"errors", "models", "__version__"}


@pytest.mark.parametrize(
    ("below", "path"), [("", ORDERS), ("/", ORDERS), ("/proxy/nl/", f"/proxy/nl{ORDERS}")]
)
async def test_a_base_url_may_have_a_path(below: str, path: str) -> None:
    body = page({"workshop_order_id": 1}, next_url=f"https://s01.cyclesoftware.nl{ORDERS}?token=2")
    async with answering(body, page()) as server, session(server.url + below) as cs:
        assert len(await cs.workshop_orders.list().collect()) == 1
    assert [request.target for request in server.requests] == [path, f"{path}?token=2"]


async def test_the_headers_of_every_request() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
    headers = server.requests[0].headers
    assert headers["Authorization"] == AUTHORIZATION
    assert headers["User-Agent"].startswith(f"cyclesoft-async/{cyclesoft_async.__version__} aiohttp/")
    assert headers["Accept"] == "application/json"
    assert headers["Accept-Encoding"] == "gzip"
    assert "Content-Type" not in headers


async def test_gzip() -> None:
    packed = Reply(gzip.compress(ORDER), headers={"Content-Encoding": "gzip"})
    async with answering(packed) as server, session(server.url) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1


@pytest.mark.filterwarnings("ignore:.*deprecated")  # newer versions of aiohttp discourage `auth`
@pytest.mark.parametrize("of_their_own", ["auth", "headers"])
async def test_an_aiohttp_session_of_the_callers(of_their_own: str) -> None:
    packed = Reply(gzip.compress(ORDER), headers={"Content-Encoding": "gzip"})
    credentials = {"Authorization": "Basic bWluZQ=="} if of_their_own == "headers" else {}
    async with (
        answering(packed, Reply(status=404)) as server,
        aiohttp.ClientSession(
            "http://other.invalid",
            raise_for_status=True,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=0.000_001),
            headers={"User-Agent": "mine", "X-Mine": "1", **credentials},
            auth=aiohttp.BasicAuth("mine", "own") if of_their_own == "auth" else None,
        ) as http,
    ):
        async with session(server.url, http_session=http) as cs:
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
            await failure(cs.workshop_orders.get(24, 1), NotFoundError)
        assert not http.closed
    headers = server.requests[0].headers
    assert headers["Authorization"] == AUTHORIZATION
    assert headers["User-Agent"].startswith("cyclesoft-async/")
    assert headers["X-Mine"] == "1"


async def test_an_aiohttp_session_that_was_closed() -> None:
    async with aiohttp.ClientSession() as http:
        cs = session("http://127.0.0.1:1", http_session=http)
    error = await failure(cs.workshop_orders.get(24, 1), SessionError)
    assert str(error) == "the aiohttp session that was passed in is closed"


async def test_copies_share_the_connection_and_the_quota() -> None:
    limits = {"X-RateLimit-Minutely-Limit": "100", "X-RateLimit-Minutely-Remaining": "0"}
    async with answering(Reply(ORDER, headers=limits)) as server, session(server.url) as cs:
        bulk = cs.with_options(lane="bulk", max_wait=0.0, timeout=5.0)
        await cs.workshop_orders.get(24, 1)
        assert [(q.sent, q.minutely.limit) for q in (cs.quota, bulk.quota)] == [(1, 100), (1, 100)]
        exhausted = await failure(bulk.workshop_orders.get(24, 1), QuotaExhausted)
        assert exhausted.scope == "minutely"
        assert (exhausted.attempts, len(server.requests)) == (0, 1)
        assert (exhausted.method, exhausted.path) == ("GET", "/api/v1/customers/24/workshop-order/1.json")
        await bulk.with_options().aclose()
        assert str(await failure(cs.workshop_orders.get(24, 1), SessionError)) == "the session is closed"


async def test_used_after_closing() -> None:
    async with answering(ORDER) as server:
        async with session(server.url) as cs:
            await cs.workshop_orders.get(24, 1)
            orders = cs.workshop_orders.list()
        await cs.aclose()
        calls: list[Awaitable[object]] = [cs.workshop_orders.get(24, 1), orders.collect()]
        for call in (*calls, cs.request("GET", "/x", type=dict[str, object])):
            assert str(await failure(call, SessionError)) == "the session is closed"
    assert len(server.requests) == 1


@pytest.mark.parametrize("owned", [True, False])
async def test_closed_while_a_call_is_in_flight(*, owned: bool) -> None:
    async with raw_server(Raw(then="hang")) as server, aiohttp.ClientSession() as http:
        cs = session(server.url, http_session=None if owned else http)
        call = asyncio.ensure_future(cs.workshop_orders.get(24, 1))
        await server.asked.wait()
        await cs.aclose()
        await http.close()
        assert str(await failure(call, SessionError)) == "the session is closed"
    assert len(server.requests) == 1


async def test_used_in_a_second_event_loop() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
        error = await failure(
            asyncio.to_thread(lambda: asyncio.run(cs.request("GET", "/x", type=dict[str, object]))),
            SessionError,
        )
        assert str(error) == "the session belongs to another event loop: open one in each"
        assert isinstance(error, RuntimeError)
        await cs.workshop_orders.get(24, 1)
    assert len(server.requests) == 2


def test_a_session_may_be_created_outside_of_its_loop() -> None:
    cs = session("http://127.0.0.1:1")
    assert cs.quota.sent == 0
    asyncio.run(cs.aclose())


async def test_no_form_of_a_session_shows_the_credentials() -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.workshop_orders.get(24, 1)
        shown = repr(cs) + str(cs) + repr(vars(cs)) + repr(vars(cs.workshop_orders)) + repr(cs.quota)
    assert repr(cs) == f"CycleSoftSession({server.url!r})"
    assert repr(Origin(server.url, BasicAuth(USERNAME, PASSWORD))) == f"Origin({server.url!r})"
    assert not any(secret in shown for secret in SECRETS)
    for copied in (cs, session(server.url)):
        with pytest.raises(TypeError):
            pickle.dumps(copied)


async def test_redirects_are_not_followed() -> None:
    async with answering(ORDER) as other:
        moved = Reply(b"", status=302, headers={"Location": f"{other.url}/api/v1/x"})
        async with answering(moved) as server, session(server.url) as cs:
            error = await failure(cs.workshop_orders.get(24, 1), StatusError)
    assert error.status == 302
    assert (len(server.requests), other.requests) == (1, [])


async def test_a_next_url_leads_to_no_other_host() -> None:
    async with answering(ORDER) as other:
        first = page({"workshop_order_id": 1}, next_url=f"{other.url}{ORDERS}?token=b")
        async with answering(first, page({"workshop_order_id": 2})) as server, session(server.url) as cs:
            found = await cs.workshop_orders.list().collect()
    assert [order.workshop_order_id for order in found] == [1, 2]
    assert server.requests[1].target == f"{ORDERS}?token=b"
    assert other.requests == []


@pytest.mark.parametrize("path", ["//other.invalid/x", "/@other.invalid/x", "/..//other.invalid", "/a:b@c"])
async def test_no_path_leads_to_another_host(path: str) -> None:
    async with answering(ORDER) as server, session(server.url) as cs:
        await cs.request("GET", path, type=WorkshopOrder)
    assert len(server.requests) == 1
