"""Connections: proxies, closed pooled connections, limits, and calls that never had one."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import anyio
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import ConnectError, NameResolutionError, SessionError, StatusError, UsageError
from cyclesoft_async.models import WorkshopOrderCreate, WorkshopOrderUpdate
from tests.support.http_server import (
    AUTHORIZATION,
    ONCE,
    PASSWORD,
    USERNAME,
    Raw,
    Reply,
    answering,
    failure,
    http,
    raw_server,
    session,
    wire,
)
from tests.support.loopback import served

ORDER = wire({"workshop_order_id": 1})
SHOP = "https://shop.invalid"

Call = Callable[[CycleSoftSession], Awaitable[object]]
CALLS: list[Call] = [
    lambda cs: cs.workshop_orders.get(24, 1),
    lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate()),
    lambda cs: cs.workshop_orders.update(24, 1, WorkshopOrderUpdate(status_id=4)),
    lambda cs: cs.workshop_orders.create_invoices(1),
    lambda cs: cs.request("DELETE", "/x", type=None),
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("status", [302, 403, 407, 500, 502, 503])
@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_refuses_connect_is_a_connect_error(
    call: Call, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Raw(http(b"<html>no</html>", head=f"HTTP/1.1 {status} No"))
    async with raw_server(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with session(SHOP) as cs:
            error = await failure(call(cs), ConnectError)
            assert error.reason == f"the proxy refused to connect: status {status}"
            assert error.attempts == 4, "repeated for any method"
            assert (cs.quota.sent, cs.quota.minutely.used, cs.quota.in_flight) == (0, 0, 0)
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    assert not any("Authorization" in request.headers for request in proxy.requests)


@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_of_the_callers_session_that_refuses_connect(call: Call) -> None:
    async with (
        answering(Reply(status=403)) as proxy,
        aiohttp.ClientSession(proxy=proxy.url) as mine,
        session(SHOP, http_session=mine) as cs,
    ):
        await failure(call(cs), ConnectError)
        assert (cs.quota.sent, cs.quota.minutely.used) == (0, 0)


async def test_requests_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(ORDER) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://me:pr%40xy@"))
        cs = CycleSoftSession(USERNAME, PASSWORD, base_url="http://shop.invalid", allow_http=True)
        async with cs:
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
    [request] = proxy.requests
    assert request.target.startswith("http://shop.invalid/api/v1/customers/24/")
    assert request.headers["Authorization"] == AUTHORIZATION
    proxy_credentials = base64.b64encode(b"me:pr@xy").decode()
    assert request.headers["Proxy-Authorization"] == f"Basic {proxy_credentials}"


async def test_hosts_of_no_proxy_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(ORDER) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "other.example,.invalid")
        async with session(SHOP, retries=ONCE) as cs:
            await failure(cs.workshop_orders.get(24, 1), NameResolutionError)
    assert proxy.requests == []


async def test_loopback_is_never_proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    async with answering(ORDER) as server, session(server.url) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:pr-xy@proxy.invalid",
        "http://[::1",
        "http://",
        "http://me:pr-xy%CE%A9@proxy.invalid",
        "http://m%3Ae:pr-xy@proxy.invalid",
    ],
)
async def test_a_proxy_that_is_no_url_of_one(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with session(SHOP) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), UsageError)
    assert str(error).startswith("HTTPS_PROXY must be a URL like http://proxy.example.com:3128; ")
    assert "pr-xy" not in str(error)


async def test_netrc_never_replaces_the_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with answering(ORDER) as server, aiohttp.ClientSession(trust_env=True) as mine:
        for http_session in (None, mine):
            async with session(server.url, http_session=http_session) as cs:
                await cs.workshop_orders.get(24, 1)
    assert [request.headers["Authorization"] for request in server.requests] == [AUTHORIZATION] * 2


class ClosingServer(NamedTuple):
    """A server in a thread: it closes a connection after `GET`, and sets an event when it has."""

    url: str
    closed: threading.Event
    methods: list[str]


@contextmanager
def closing_server(tls: ssl.SSLContext | None) -> Generator[ClosingServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if tls else "http"
    server = ClosingServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", threading.Event(), [])

    def converse(raw: socket.socket) -> None:
        with tls.wrap_socket(raw, server_side=True) if tls else raw as connection:
            while head := connection.recv(65_536):
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65_536)
                method = head.split(b" ")[0].decode()
                server.methods.append(method)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ORDER), ORDER))
                if method == "GET":
                    if isinstance(connection, ssl.SSLSocket):
                        connection.shutdown(socket.SHUT_WR)
                    break
        server.closed.set()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_write_leaves_on_a_connection_that_was_closed_while_the_loop_was_busy(scheme: str) -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client_tls = ssl.create_default_context()
    with authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.tempfile() as file:
        server_tls.load_cert_chain(file)
    client_tls.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    connector = aiohttp.TCPConnector(ssl=client_tls)
    with closing_server(server_tls if scheme == "https" else None) as server:
        async with (
            aiohttp.ClientSession(connector=connector) as mine,
            session(server.url, retries=ONCE, http_session=mine) as cs,
        ):
            for _ in range(20):
                server.closed.clear()
                await cs.workshop_orders.get(24, 1)
                assert server.closed.wait(60), "as long as this takes, the event loop is blocked"
                await cs.workshop_orders.update(24, 1, WorkshopOrderUpdate(status_id=4))
    assert server.methods == ["GET", "PUT"] * 20


async def test_as_many_requests_are_in_flight_as_the_session_allows() -> None:
    all_here = asyncio.Event()
    here = 0
    quota = {"X-RateLimit-Minutely-Limit": "100000", "X-RateLimit-Minutely-Remaining": "99000"}

    async def answer(_: web.Request) -> web.Response:
        nonlocal here
        here += 1
        if here == 201:
            all_here.set()
        if here > 1:
            await all_here.wait()
        return web.Response(body=ORDER, headers=quota)

    async with served(answer) as url:
        cs = CycleSoftSession(USERNAME, PASSWORD, base_url=url, max_concurrent=200, retries=ONCE)
        async with cs:
            await cs.workshop_orders.get(24, 1)
            with anyio.fail_after(60):
                await asyncio.gather(*(cs.workshop_orders.get(24, 1) for _ in range(200)))
            assert cs.quota.sent == 201


class NeverResolving(AbstractResolver):
    """A resolver that never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def resolve(self, host: str, *_: object, **__: object) -> list[ResolveResult]:
        self.asked.set()
        await asyncio.Event().wait()
        raise OSError(host)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_that_is_cancelled_before_it_had_a_connection_was_not_sent(call: Call) -> None:
    resolver = NeverResolving()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as mine,
        session(SHOP, http_session=mine) as cs,
    ):
        for _ in range(3):
            task = asyncio.ensure_future(call(cs))
            await resolver.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (cs.quota.sent, cs.quota.minutely.used, cs.quota.daily.used, cs.quota.in_flight) == (
            0,
            0,
            0,
            0,
        )


@pytest.mark.parametrize("call", CALLS)
async def test_a_timeout_before_there_was_a_connection_is_a_connect_error(call: Call) -> None:
    retries = RetryPolicy(attempts=2, first_delay=0.0)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NeverResolving())) as mine,
        session(SHOP, http_session=mine, timeout=0.02, retries=retries) as cs,
    ):
        error = await failure(call(cs), ConnectError)
        assert (error.attempts, cs.quota.sent) == (2, 0)
    assert error.reason == "no connection within 0.02 seconds"


async def test_a_redirect_says_where_to() -> None:
    for location, shown in [
        (
            f"https://user:{PASSWORD}@api.cyclesoftware.be/api/v1/x?q={PASSWORD}#y",
            "https://api.cyclesoftware.be/api/v1/x",
        ),
        ("/login?q=1", "/login"),
    ]:
        async with answering(Reply(b"", 301, {"Location": location})) as server, session(server.url) as cs:
            error = await failure(cs.request("GET", "/x", type=None), StatusError)
        assert error.reason == f"status 301: redirects to {shown}; check base_url"


async def test_a_write_without_a_body_has_no_content_type() -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        await cs.request("POST", "/x", type=None)
    assert "Content-Type" not in server.requests[0].headers


def test_another_event_loop_than_that_of_asyncio() -> None:
    """Run a call as trio would: its coroutine is driven without a running asyncio loop."""
    cs = session("http://127.0.0.1:1")
    with pytest.raises(SessionError, match="aiohttp does not support trio"):
        cs.workshop_orders.get(24, 1).send(None)
