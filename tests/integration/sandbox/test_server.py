"""The sandbox as a server: authentication, the shape of every response, opening and closing."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import socket
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox

AUTH = {"Authorization": "Basic dXNlcjpwYXNz"}
ORDERS = "/api/v1/workshop/orders.json"
ONE_ORDER = "/api/v1/customers/1001/workshop-order/900001.json"


async def raw_exchange(sandbox: Sandbox, request: bytes) -> tuple[int, bytes, bytes]:
    """Send raw bytes. Return the status, the headers and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Basic",
        b"Basic " + b64encode(b"user:wrong"),
        b"Basic " + b64encode(b"user"),
        b"Basic " + b64encode(b"\xff\xfe:\x00"),
        b"Basic dXNlcjpwYXN",
        b"Basic dXNlcjpwYXNz, Basic dXNlcjpwYXNz",
        b"Basic \xe9\xff\x80",
        b"Basic %%%",
        b"Bearer dXNlcjpwYXNz",
    ],
)
async def test_wrong_credentials_are_rejected_and_spend_no_quota(header: bytes | None) -> None:
    line = b"" if header is None else b"Authorization: " + header + b"\r\n"
    request = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n" % (ORDERS.encode(), line)
    async with Sandbox(orders=1) as sandbox:
        status, head, body = await raw_exchange(sandbox, request)
        assert (status, json.loads(body)) == (401, {"error": True, "error_message": "Unauthorized"})
        assert b"X-RateLimit" not in head
        async with aiohttp.request("GET", sandbox.url + ORDERS, headers=AUTH) as response:
            assert response.headers["X-RateLimit-Minutely-Remaining"] == "359"
        assert (sandbox.received, sandbox.refused) == (2, 0)


async def test_custom_credentials() -> None:
    encoded = b64encode("winkel:geheim é".encode()).decode()
    async with Sandbox(orders=1, username="winkel", password="geheim é") as sandbox:
        header = {"Authorization": f"basic  {encoded}"}
        async with aiohttp.request("GET", sandbox.url + ORDERS, headers=header) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/customers/1x/workshop-order/900001.json", 404),
        ("GET", "/api/v1/customers/1/workshop-order/" + "9" * 30 + ".json", 404),
        ("DELETE", ORDERS, 405),
        ("PATCH", ONE_ORDER, 405),
    ],
)
async def test_an_unknown_path_is_an_error_in_json(method: str, path: str, status: int) -> None:
    headers = AUTH | {"Accept": "text/html"}
    async with (
        Sandbox(orders=1) as sandbox,
        aiohttp.request(method, sandbox.url + path, headers=headers) as response,
    ):
        assert response.status == status
        assert (await response.json())["error"] is True
        assert response.headers["X-RateLimit-Minutely-Remaining"] == "359"


async def test_a_bug_of_the_sandbox_is_a_500_in_json() -> None:
    def broken_clock() -> float:
        raise RuntimeError("no time")

    async with (
        Sandbox(orders=1, clock=broken_clock) as sandbox,
        aiohttp.request("GET", sandbox.url + ORDERS, headers=AUTH | {"Accept": "text/html"}) as response,
    ):
        assert response.status == 500
        assert await response.json() == {"error": True, "error_message": "Internal server error"}


async def test_a_body_that_does_not_inflate_or_is_too_large_is_an_error_in_json(
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = "/api/v1/customers/1001/workshop-order.json"
    caplog.set_level(logging.DEBUG)
    async with Sandbox(orders=1) as sandbox:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"
        request = head % path.encode() + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
        status, _, body = await raw_exchange(sandbox, request)
        assert status == 400
        assert json.loads(body)["error"] is True
        async with aiohttp.request(
            "POST", sandbox.url + path, headers=AUTH, data=io.BytesIO(bytes(2**21))
        ) as response:
            assert response.status == 413
            assert (await response.json())["error"] is True
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize(("accepts", "coding"), [("gzip, deflate", "gzip"), ("identity", None)])
async def test_large_responses_are_compressed_if_the_client_accepts_gzip(
    accepts: str, coding: str | None
) -> None:
    headers = AUTH | {"Accept-Encoding": accepts}
    async with (
        Sandbox(orders=500) as sandbox,
        aiohttp.ClientSession(headers=headers, auto_decompress=False) as http,
    ):
        async with http.get(sandbox.url + ORDERS) as response:
            body = await response.read()
            assert response.headers.get("Content-Encoding") == coding
            assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        answer: dict[str, Any] = json.loads(gzip.decompress(body) if coding else body)
        assert len(answer["data"]) == 100
        async with http.get(f"{sandbox.url}{ORDERS}?store_id=9") as response:
            assert "Content-Encoding" not in response.headers


async def test_latency_delays_responses_concurrently() -> None:
    loop = asyncio.get_running_loop()
    async with (
        Sandbox(orders=1, latency=(0.05, 0.06)) as sandbox,
        aiohttp.ClientSession(headers=AUTH) as http,
    ):

        async def seconds() -> float:
            start = loop.time()
            async with http.get(sandbox.url + ORDERS):
                return loop.time() - start

        start = loop.time()
        taken = await asyncio.gather(*(seconds() for _ in range(20)))
        assert min(taken) >= 0.05
        assert loop.time() - start < 20 * 0.05


async def test_a_taken_port_is_an_os_error_and_leaves_the_sandbox_closed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        sandbox = Sandbox(orders=1, port=port)
        with pytest.raises(OSError, match=str(port)):
            await sandbox.__aenter__()
        with pytest.raises(RuntimeError, match="not running"):
            _ = sandbox.url


async def test_it_listens_while_it_is_open_and_can_be_reopened() -> None:
    sandbox = Sandbox(orders=1)
    url = ""
    for _ in range(2):
        async with sandbox:
            assert sandbox.url.startswith("http://127.0.0.1:")
            url = sandbox.url
            async with aiohttp.request("GET", url + ORDERS, headers=AUTH) as response:
                assert response.status == 200
    await sandbox.__aexit__()  # a second time changes nothing
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.request("GET", url + ORDERS):
            pass
    assert sandbox.received == 2


@pytest.mark.parametrize(
    "wrong", [{"orders": -1}, {"page_size": 0}, {"first_day": date(2025, 2, 1), "last_day": date(2025, 1, 1)}]
)
def test_invalid_arguments_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="orders must be >= 0"):
        Sandbox(**wrong)


async def test_requests_are_logged_without_credentials() -> None:
    async with Sandbox(orders=3) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await http.get(f"{ORDERS}?store_id=1", headers=AUTH)
        await http.post("/api/v1/customers.json?password=hunter2", json={"name": "Vos"}, headers=AUTH)
        stranger = {"Authorization": "Basic " + b64encode(b"shop-4711:live-secret").decode()}
        await http.post(
            "/api/v1/customers.json?email=real@person.nl", json={"name": "Real"}, headers=stranger
        )
        assert [tuple(request) for request in sandbox.requests] == [
            ("GET", ORDERS, "store_id=1", b"", 200),
            ("POST", "/api/v1/customers.json", "", b'{"name": "Vos"}', 200),
            ("POST", "/api/v1/customers.json", "", b"", 401),
        ]
        assert sandbox.received == 3
        sandbox.requests.clear()
        assert len(sandbox.requests) == 0


async def test_the_clock_moves_and_the_clients_day_moves_with_it() -> None:
    midnight = datetime(2027, 1, 6, tzinfo=AMSTERDAM)
    async with (
        Sandbox(orders=3, daily_limit=5) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        sandbox.clock.move_to(midnight - timedelta(hours=10))
        await cs.workshop_orders.list()
        assert in_hours(cs) == 10
        sandbox.clock.advance(timedelta(hours=4))
        await cs.workshop_orders.list()
        assert in_hours(cs) == 6
        sandbox.clock.advance(timedelta(hours=7))
        await cs.workshop_orders.list()
        assert in_hours(cs) == 23
        with pytest.raises(ValueError, match="negative"):
            sandbox.clock.advance(timedelta(hours=-1))


def in_hours(cs: CycleSoftSession) -> int:
    """Hours until the day's quota resets, by the client."""
    resets_at = cs.quota.daily.resets_at
    assert resets_at is not None
    return round((resets_at - datetime.now(UTC)).total_seconds() / 3600)
