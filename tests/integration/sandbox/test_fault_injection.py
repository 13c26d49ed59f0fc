"""Injected faults as a client without retries meets them, and the sandbox's exact counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from cyclesoft_async.sandbox import TRANSIENT, Fault, Faults, Sandbox

AUTH = {"Authorization": "Basic dXNlcjpwYXNz"}
ORDERS = "/api/v1/workshop/orders.json"
ONE_ORDER = "/api/v1/customers/1001/workshop-order/900001.json"
CREATE = "/api/v1/customers/1001/workshop-order.json"


def http(sandbox: Sandbox) -> aiohttp.ClientSession:
    """A client that retries nothing. By default aiohttp resends when a connection breaks."""
    client = aiohttp.ClientSession(sandbox.url, headers=AUTH)
    client._retry_connection = False  # pyright: ignore[reportPrivateUsage] - aiohttp has no other switch
    return client


async def asked(client: aiohttp.ClientSession, method: str = "GET", path: str = ORDERS) -> tuple[int, Any]:
    async with client.request(method, path, data=b"{}" if method != "GET" else None) as response:
        await response.read()
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROP_BEFORE, aiohttp.ServerDisconnectedError),
        (Fault.DROP_AFTER, aiohttp.ServerDisconnectedError),
        (Fault.TRUNCATE, aiohttp.ClientPayloadError),
        (Fault.GARBLED_GZIP, aiohttp.ClientPayloadError),
    ],
)
@pytest.mark.parametrize(("path", "orders"), [(ORDERS, 300), (ONE_ORDER, 1)])
async def test_responses_that_do_not_arrive(
    fault: Fault, error: type[Exception], path: str, orders: int
) -> None:
    async with Sandbox(orders=orders, faults=Faults(at={2: fault})) as sandbox, http(sandbox) as client:
        before = await asked(client, path=path)
        assert before[0] == 200
        with pytest.raises(error):
            await asked(client, path=path)
        assert await asked(client, path=path) == before
        dropped = fault is Fault.DROP_BEFORE
        assert (sandbox.received, sandbox.dropped, sandbox.refused) == (3 - dropped, dropped, 0)


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault.DROP_BEFORE, False),
        (Fault.DROP_AFTER, True),
        (Fault.TRUNCATE, True),
        (Fault.GARBLED_GZIP, True),
        (Fault.TOO_MANY_REQUESTS, False),
        (Fault.SERVER_ERROR, False),
        (Fault.BAD_GATEWAY, True),
        (Fault.ERROR_UNDER_200, False),
        (Fault.BAD_ROW, True),
        (Fault.LIST_FOR_OBJECT, True),
        (Fault.EMPTY_PAGE, True),
        (Fault.REPEATED_CURSOR, True),
        (Fault.HUGE_PAGE, True),
    ],
)
async def test_a_write_is_carried_out_or_not(fault: Fault, *, carried_out: bool) -> None:
    async with Sandbox(orders=0, faults=Faults(at={1: fault})) as sandbox, http(sandbox) as client:
        with_no_answer = await asyncio.gather(asked(client, "POST", CREATE), return_exceptions=True)
        assert len(with_no_answer) == 1
        assert sandbox.orders == carried_out


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (Fault.TOO_MANY_REQUESTS, 429, "Too many requests"),
        (Fault.SERVER_ERROR, 500, "Internal server error"),
        (Fault.ERROR_UNDER_200, 200, "Something went wrong"),
    ],
)
async def test_error_responses(fault: Fault, status: int, said: str) -> None:
    faults = Faults(at={1: fault}, retry_after="7")
    async with (
        Sandbox(orders=1, faults=faults) as sandbox,
        http(sandbox) as client,
        client.get(ORDERS) as got,
    ):
        assert (got.status, await got.json()) == (status, {"error": True, "error_message": said})
        assert got.headers.get("Retry-After") == ("7" if status == 429 else None)
        assert "X-RateLimit-Minutely-Limit" not in got.headers
        assert (sandbox.received, sandbox.refused) == (1, status == 429)


async def test_a_proxy_answers_in_html() -> None:
    faults = Faults(at={1: Fault.BAD_GATEWAY})
    async with (
        Sandbox(orders=1, faults=faults) as sandbox,
        http(sandbox) as client,
        client.get(ORDERS) as got,
    ):
        assert (got.status, got.content_type) == (502, "text/html")
        assert "Bad Gateway" in await got.text()


async def test_a_slow_body_is_complete_in_the_end() -> None:
    faults = Faults(at={2: Fault.SLOW_BODY}, slow=0.1)
    clock = asyncio.get_running_loop().time
    async with Sandbox(orders=10, faults=faults) as sandbox, http(sandbox) as client:
        quick = await asked(client)
        started = clock()
        assert await asked(client) == quick
        assert clock() - started >= 0.1


async def test_a_kept_connection_is_reset_under_the_next_request() -> None:
    faults = Faults(at={1: Fault.RESET_KEEP_ALIVE})
    async with Sandbox(orders=1, faults=faults) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = f"GET {ORDERS} HTTP/1.1\r\nHost: a\r\nAuthorization: {AUTH['Authorization']}\r\n\r\n"
        writer.write(request.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(request.encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert (sandbox.received, sandbox.dropped) == (1, 1)


@pytest.mark.parametrize(
    ("method", "path", "where"),
    [
        ("GET", ORDERS, ["data", 0, "workshop_order_id"]),
        ("GET", ORDERS + "?customer_id=1001", ["data", "workshop_order_id"]),
        ("GET", ONE_ORDER, ["workshop_order_id"]),
        ("PUT", ONE_ORDER, ["workshop_order_id"]),
    ],
)
async def test_a_bad_row(method: str, path: str, where: list[str | int]) -> None:
    async with Sandbox(orders=6, faults=Faults(at={1: Fault.BAD_ROW})) as sandbox, http(sandbox) as client:
        status, value = await asked(client, method, path)
    assert status == 200
    for key in where:
        value = value[key]
    assert isinstance(value, list)


async def test_a_bad_invoice() -> None:
    async with Sandbox(orders=0, faults=Faults(at={2: Fault.BAD_ROW})) as sandbox, http(sandbox) as client:
        async with client.post(CREATE, json={"repair_codes": ["999"]}) as response:
            order_id = (await response.json())["workshop_order_id"]
        path = f"/api/v1/workshop/orders/{order_id}/create-invoices.json"
        async with client.post(path, data={"book": "1"}) as response:
            assert isinstance((await response.json())["invoices"][0]["invoice_number"], list)
            assert response.headers["X-RateLimit-Minutely-Limit"] == "15"


async def test_bad_row_leaves_an_empty_response_unchanged() -> None:
    faults = Faults(at={1: Fault.BAD_ROW, 2: Fault.BAD_ROW})
    async with Sandbox(orders=0, faults=faults) as sandbox, http(sandbox) as client:
        status, answer = await asked(client)
        assert (status, answer["data"]) == (200, [])
        assert await asked(client, path=ONE_ORDER) == (
            404,
            {"error": True, "error_message": "Workshop order not found"},
        )


async def test_an_empty_page_leads_to_the_rows_and_a_repeated_cursor_to_the_same_page() -> None:
    faults = Faults(at={2: Fault.EMPTY_PAGE, 3: Fault.EMPTY_PAGE, 5: Fault.REPEATED_CURSOR})
    async with Sandbox(orders=5, page_size=2, faults=faults) as sandbox, http(sandbox) as client:
        _, first = await asked(client)
        _, empty = await asked(client)
        _, again = await asked(client, path=empty["pagination"]["next_url"])
        assert empty["data"] == again["data"] == []
        assert empty["pagination"] != again["pagination"]
        assert (await asked(client, path=again["pagination"]["next_url"]))[1]["data"] == first["data"]
        second = first["pagination"]["next_url"].removeprefix("https://s01.cyclesoftware.nl")
        assert (await asked(client, path=second))[1]["pagination"] == {"next_url": second}


async def test_a_huge_page_and_a_list_for_an_object() -> None:
    faults = Faults(at={1: Fault.HUGE_PAGE, 2: Fault.LIST_FOR_OBJECT, 3: Fault.EMPTY_PAGE})
    async with Sandbox(orders=501, page_size=10, faults=faults) as sandbox, http(sandbox) as client:
        _, huge = await asked(client)
        assert len(huge["data"]) == 500
        assert huge["pagination"]["next_url"]
        assert await asked(client) == (200, [])
        order = huge["data"][0]
        path = f"/api/v1/customers/{order['customer_id']}/workshop-order/{order['workshop_order_id']}.json"
        assert await asked(client, path=path) == (200, order)
        assert len((await asked(client))[1]["data"]) == 10


async def test_a_disconnected_client_changes_no_count() -> None:
    faults = Faults(at={1: Fault.DROP_BEFORE, 2: Fault.RESET_KEEP_ALIVE, 3: Fault.TRUNCATE})
    request = f"GET {ORDERS} HTTP/1.1\r\nHost: a\r\nAuthorization: {AUTH['Authorization']}\r\n\r\n"
    async with Sandbox(orders=1, latency=0.2, faults=faults) as sandbox:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
            writer.write(request.encode())
            for _ in range(50):  # the server's turns, in the same event loop, to read the request
                await asyncio.sleep(0)
            writer.transport.abort()
    assert (sandbox.received, sandbox.dropped) == (2, 1)


async def outcomes(faults: Faults, method: str, path: str) -> list[str]:
    async with Sandbox(orders=1, faults=faults) as sandbox, http(sandbox) as client:
        seen: list[str] = []
        for _ in range(200):
            try:
                status, _ = await asked(client, method, path)
                seen.append(str(status))
            except aiohttp.ClientError:
                seen.append("dropped")
        assert sandbox.received + sandbox.dropped == 200
        assert sandbox.faults.get(Fault.SERVER_ERROR, 0) == seen.count("500")
        assert sandbox.faults.get(Fault.DROP_BEFORE, 0) == sandbox.dropped
        return seen


async def test_random_faults_follow_seed_rate_and_methods() -> None:
    among = [Fault.SERVER_ERROR, Fault.DROP_BEFORE]
    faults = Faults(rate=0.3, among=among, methods={"GET"}, seed=5)
    seen = await outcomes(faults, "GET", ORDERS)
    assert seen == await outcomes(faults, "GET", ORDERS)
    counts = Counter(seen)
    assert set(counts) == {"200", "500", "dropped"}
    assert 30 < counts["500"] + counts["dropped"] < 90
    assert set(await outcomes(faults, "PUT", ONE_ORDER)) == {"200"}


@pytest.mark.parametrize("wrong", [{"rate": -0.1}, {"rate": 1.1}, {"rate": 0.5, "among": []}])
def test_invalid_faults_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rate must be from 0 to 1"):
        Faults(**wrong)


def test_every_fault_is_transient_or_tested_for_its_trace() -> None:
    traces = {
        Fault.ERROR_UNDER_200,
        Fault.BAD_ROW,
        Fault.REPEATED_CURSOR,
        Fault.LIST_FOR_OBJECT,
    }
    assert set(Fault) == traces | set(TRANSIENT)
