"""Bodies of responses: cut off, compressed in every way, and too large."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bridges import BasicAuth, ShopCtrl
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    ResponseTooLarge,
    ServerError,
    TransportError,
)
from cyclesoft_async.models import WorkshopOrderCreate
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
    wire,
)

ORDER = wire({"workshop_order_id": 1, "status_text": "x" * 1_000})
GZIP = {"Content-Encoding": "gzip"}
MEBIBYTE = 2**20
LARGE = wire({"workshop_order_id": 1, "status_text": "x" * MEBIBYTE})

CUT: dict[str, Reply] = {
    "JSON, shortened": Reply(ORDER[:-20]),
    "JSON, one brace missing": Reply(ORDER[:-1]),
    "gzip of it": Reply(gzip.compress(ORDER[:-1]), headers=GZIP),
    "gzip without its trailer": Reply(gzip.compress(ORDER)[:-8], headers=GZIP),
    "gzip in the middle": Reply(gzip.compress(ORDER)[:-20], headers=GZIP),
    "gzip's header alone": Reply(gzip.compress(ORDER)[:10], headers=GZIP),
    "deflate without its checksum": Reply(zlib.compress(ORDER)[:-4], headers={"Content-Encoding": "deflate"}),
}


@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
async def test_a_read_with_a_cut_response_is_repeated(reply: Reply) -> None:
    async with answering(reply, reply, ORDER) as server, session(server.url) as cs:
        assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
        assert cs.quota.sent == len(server.requests) == 3


@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
async def test_a_list_with_a_cut_page_is_repeated(reply: Reply) -> None:
    cut = Reply(page({"workshop_order_id": 1})[:-2], headers=reply.headers if not reply.headers else {})
    async with answering(cut, page({"workshop_order_id": 2})) as server, session(server.url) as cs:
        assert [order.workshop_order_id for order in await cs.workshop_orders.list().collect()] == [2]
    assert len(server.requests) == 2


@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
async def test_a_write_with_a_cut_response_is_ambiguous(reply: Reply) -> None:
    async with answering(reply) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.create(24, WorkshopOrderCreate()), AmbiguousWriteError)
    assert (error.attempts, len(server.requests)) == (1, 1)


PACKED: dict[str, Reply] = {
    "gzip": Reply(gzip.compress(ORDER), headers=GZIP),
    "x-gzip, in capitals": Reply(gzip.compress(ORDER), headers={"Content-Encoding": "X-GZIP"}),
    "a large member and another": Reply(
        gzip.compress(ORDER[:-1] + b" " * MEBIBYTE) + gzip.compress(ORDER[-1:]), headers=GZIP
    ),
    "two members": Reply(gzip.compress(ORDER[:50]) + gzip.compress(ORDER[50:]), headers=GZIP),
    "deflate": Reply(zlib.compress(ORDER), headers={"Content-Encoding": "deflate"}),
    "bare deflate": Reply(zlib.compress(ORDER, wbits=-15), headers={"Content-Encoding": "deflate"}),
    "identity": Reply(ORDER, headers={"Content-Encoding": "identity"}),
    "large": Reply(
        gzip.compress(wire({"workshop_order_id": 1, "status_text": "x" * MEBIBYTE})), headers=GZIP
    ),
}


@pytest.mark.parametrize("reply", PACKED.values(), ids=PACKED)
async def test_every_encoding_that_a_server_may_use(reply: Reply) -> None:
    async with answering(reply) as server, session(server.url) as cs:
        for _ in range(2):  # the connection is used again
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1


def limited(url: str, max_response_bytes: int = MEBIBYTE) -> CycleSoftSession:
    return CycleSoftSession(
        USERNAME, PASSWORD, base_url=url, retries=AT_ONCE, max_response_bytes=max_response_bytes
    )


TOO_LARGE: dict[str, Raw] = {
    "with a length": Raw(http(LARGE)),
    "in chunks": Raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n%b\r\n" % LARGE[:MEBIBYTE] * 3
    ),
    "until the connection closes": Raw(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE),
    "compressed": Raw(http(gzip.compress(LARGE), head="HTTP/1.1 200 OK\r\nContent-Encoding: gzip")),
    "in many members": Raw(
        http(gzip.compress(b" " * 4_000) * 500, head="HTTP/1.1 200 OK\r\nContent-Encoding: gzip")
    ),
}


@pytest.mark.parametrize("act", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_response_that_is_too_large_is_not_read(act: Raw) -> None:
    async with raw_server(act) as server, limited(server.url) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), ResponseTooLarge)
        assert (error.status, error.attempts, cs.quota.in_flight) == (200, 1, 0)
    assert (
        error.reason
        == "the response must not exceed 1048576 bytes; raise max_response_bytes if it is genuine"
    )


async def test_a_response_of_exactly_the_limit_is_read() -> None:
    async with answering(ORDER) as server:
        async with limited(server.url, len(ORDER)) as cs:
            assert (await cs.workshop_orders.get(24, 1)).workshop_order_id == 1
        async with limited(server.url, len(ORDER) - 1) as cs:
            await failure(cs.workshop_orders.get(24, 1), ResponseTooLarge)


async def test_a_write_whose_response_is_too_large_says_that_it_happened() -> None:
    async with raw_server(TOO_LARGE["compressed"]) as server, limited(server.url) as cs:
        error = await failure(cs.workshop_orders.create(24, WorkshopOrderCreate()), ResponseTooLarge)
    assert "the status says that it was carried out: look for it in list(customer_id=" in error.reason


@pytest.mark.parametrize("call", ["get", "create"])
async def test_an_error_status_with_a_large_body_is_that_error(call: str) -> None:
    async with answering(Reply(LARGE, status=500)) as server, limited(server.url) as cs:
        orders = cs.with_options(retries=ONCE).workshop_orders
        pending = orders.get(24, 1) if call == "get" else orders.create(24, WorkshopOrderCreate())
        error = await failure(pending, ServerError)
    assert error.server_message is None


async def test_a_bridge_limits_responses_too() -> None:
    async with (
        raw_server(TOO_LARGE["compressed"]) as server,
        ShopCtrl(BasicAuth(USERNAME, PASSWORD), base_url=server.url, max_response_bytes=MEBIBYTE) as shopctrl,
    ):
        await failure(shopctrl.create_invoice(1), ResponseTooLarge)


async def test_the_event_loop_runs_while_a_bomb_is_inflated() -> None:
    bomb = gzip.compress(bytes(100 * MEBIBYTE), 1)
    async with answering(Reply(bomb, headers=GZIP)) as server, session(server.url) as cs:
        call = asyncio.ensure_future(failure(cs.workshop_orders.get(24, 1), ResponseTooLarge))
        turns = 0
        while not call.done():
            turns += 1
            await asyncio.sleep(0)
        assert (await call).attempts == 1
    assert turns > 200, "64 MiB in slices of 256 KiB"


@pytest.mark.parametrize("member", [b"", b" "], ids=["empty", "one byte"])
async def test_many_tiny_members_are_refused_at_once(member: bytes) -> None:
    """Each costs a decompressor: 100,000 of them, 2 MB, stopped the event loop for seconds."""
    head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip"
    async with (
        raw_server(Raw(http(gzip.compress(member) * 100_000, head=head))) as server,
        limited(server.url, 64 * MEBIBYTE) as cs,
    ):
        error = await failure(cs.with_options(retries=ONCE).workshop_orders.get(1, 1), TransportError)
    assert "more than 1024 members" in str(error)


async def test_a_transport_error_of_a_bomb_that_is_cut_off_names_it() -> None:
    packed = gzip.compress(bytes(MEBIBYTE))[:-8]
    async with answering(Reply(packed, headers=GZIP)) as server, session(server.url, retries=ONCE) as cs:
        error = await failure(cs.workshop_orders.get(24, 1), TransportError)
    assert error.reason == "the compressed response body is cut off or malformed"
