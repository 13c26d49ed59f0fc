"""Lists page by page: iterating, resuming, and cursors that lead nowhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cyclesoft_async import CycleSoftSession, Paginator
from cyclesoft_async.errors import BadRequestError, PaginationError, ResponseDecodeError, UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.sandbox import Sandbox
from tests.support.http_server import ORDERS, E, Reply, answering, example, failure, page, session, wire

S01 = f"https://s01.cyclesoftware.nl{ORDERS}"
ONE, TWO, THREE = ({"workshop_order_id": number} for number in (1, 2, 3))
BAD = {"workshop_order_id": 7, "order_items": "secret-person"}


def ids(orders: list[WorkshopOrder]) -> list[int]:
    return [order.workshop_order_id for order in orders]


async def read_until(orders: Paginator[WorkshopOrder], expected: type[E]) -> tuple[list[WorkshopOrder], E]:
    """The orders that come before the error that ends the list."""
    read: list[WorkshopOrder] = []

    async def read_on() -> None:
        async for order in orders:
            read.append(order)  # noqa: PERF401 - what was read before the error must be kept

    return read, await failure(read_on(), expected)


async def test_a_list_is_read_in_four_ways() -> None:
    async with (
        Sandbox(orders=60, page_size=25) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        orders = cs.workshop_orders.list()
        assert sandbox.received == 0

        first = await orders
        assert (len(first.items), sandbox.received) == (25, 1)
        everything = await orders.collect()
        assert (len(set(ids(everything))), sandbox.received) == (60, 4)
        assert [order async for order in orders] == everything
        pages = [page async for page in orders.pages()]
        assert [len(page.items) for page in pages] == [25, 25, 10]
        assert [order for page in pages for order in page.items] == everything
        assert first.items == everything[:25]
        assert [page.cursor is None for page in pages] == [False, False, True]
        assert [page.rejected for page in pages] == [[], [], []]


async def test_a_cursor_is_text_that_another_session_resumes_from() -> None:
    async with Sandbox(orders=200, page_size=25) as sandbox:
        async with CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            everything = await cs.workshop_orders.list(store_id=1).collect()
            first = await cs.workshop_orders.list(store_id=1)
        assert first.cursor is not None
        stored = first.cursor.encode().decode()
        async with CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
            rest = await cs.workshop_orders.list(cursor=stored).collect()
    assert first.items + rest == everything
    assert rest


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        (f"{S01}?token=b", f"{ORDERS}?token=b"),
        (f"//s01.cyclesoftware.nl{ORDERS}?token=b", f"{ORDERS}?token=b"),
        (f"{ORDERS}?token=b", f"{ORDERS}?token=b"),
        (f"{S01}?token=a%2Fb%3D+c&x=é y", f"{ORDERS}?token=a%2Fb%3D+c&x=%C3%A9%20y"),
        (
            f"{S01}?object_query=https://gazelle.nl/x&token=b",
            f"{ORDERS}?object_query=https://gazelle.nl/x&token=b",
        ),
        (f"{S01}?token=b\r\nX-Other: 1", f"{ORDERS}?token=b%0D%0AX-Other:%201"),
        (S01, ORDERS),
    ],
)
async def test_the_cursor_of_the_next_page(next_url: str, target: str) -> None:
    async with answering(page(ONE, next_url=next_url), page(TWO)) as server, session(server.url) as cs:
        assert ids(await cs.workshop_orders.list(store_id=1).collect()) == [1, 2]
        first = await cs.workshop_orders.list()
        assert first.cursor is None
    assert [request.target for request in server.requests] == [f"{ORDERS}?store_id=1", target, ORDERS]


@pytest.mark.parametrize("next_url", [None, ""])
async def test_no_next_page(next_url: str | None) -> None:
    async with answering(page(ONE, next_url=next_url)) as server, session(server.url) as cs:
        assert ids(await cs.workshop_orders.list().collect()) == [1]
    assert len(server.requests) == 1


@pytest.mark.parametrize("rest", [{}, {"pagination": None}, {"pagination": []}, {"pagination": ""}])
async def test_a_response_without_pagination(rest: dict[str, Any]) -> None:
    async with answering(wire({"data": [ONE], **rest})) as server, session(server.url) as cs:
        assert ids(await cs.workshop_orders.list().collect()) == [1]


@pytest.mark.parametrize(
    ("data", "found"),
    [(ONE, [1]), ([ONE, TWO], [1, 2]), ({"0": ONE, "2": TWO}, [1, 2]), (None, []), ([], []), ({}, [])],
)
async def test_the_rows_in_any_form(data: object, found: list[int]) -> None:
    async with answering(wire({"data": data})) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert ids(first.items) == found
    assert ids([msgspec.json.decode(row, type=WorkshopOrder) for row in first.raw_items]) == found
    assert first.rejected == []


async def test_an_empty_page_with_a_cursor_does_not_end_the_list() -> None:
    pages = page(next_url=f"{S01}?token=b"), page(next_url=f"{S01}?token=c"), page(THREE)
    async with answering(*pages) as server, session(server.url) as cs:
        assert ids(await cs.workshop_orders.list().collect()) == [3]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("next_urls", "read"),
    [
        ([f"{S01}?token=b", f"{S01}?token=b"], 2),
        ([f"{S01}?token=b", f"{S01}?token=c", f"https://elsewhere.nl{ORDERS}?token=b"], 3),
    ],
)
async def test_a_repeated_cursor_is_an_error(next_urls: list[str], read: int) -> None:
    async with (
        answering(*(page(ONE, next_url=url) for url in next_urls)) as server,
        session(server.url) as cs,
    ):
        error = await failure(cs.workshop_orders.list(store_id=1).collect(), PaginationError)
    assert str(error) == f"GET {ORDERS}: the server repeated a cursor"
    assert len(server.requests) == read


async def test_the_cursor_resumed_from_counts_as_seen() -> None:
    async with answering(page(ONE, next_url=f"{S01}?token=b")) as server, session(server.url) as cs:
        await failure(cs.workshop_orders.list(cursor=f"{ORDERS}?token=b").collect(), PaginationError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "next_url",
    [
        "https://...",
        "https://s01.cyclesoftware.nl?token=secret-person",
        "https://s01.cyclesoftware.nl/api/v2/workshop/orders.json?token=b",
        "https://s01.cyclesoftware.nl/api/v1/workshop/../customers.json",
        "?token=b",
        "orders.json?token=b",
        f"x{ORDERS}",
        f"{ORDERS}#?token=b",
    ],
)
async def test_a_cursor_that_leads_elsewhere_is_not_followed(next_url: str) -> None:
    async with answering(page(ONE, next_url=next_url)) as server, session(server.url) as cs:
        orders = cs.workshop_orders.list()
        first = await orders
        assert ids(first.items) == [1]
        assert first.cursor
        read, error = await read_until(orders, PaginationError)
        assert ids(read) == [1]
        assert "points at another path" in str(error)
        with pytest.raises(UsageError, match="cursor must be that of a page"):
            cs.workshop_orders.list(cursor=first.cursor)
    assert (error.method, error.path, error.status) == ("GET", ORDERS, 200)
    assert "secret-person" not in str(error)
    assert len(server.requests) == 2


async def test_a_cursor_that_cannot_be_sent() -> None:
    async with answering(page(ONE)) as server, session(server.url) as cs:
        await failure(cs.workshop_orders.list(cursor=f"{ORDERS}?token=a b").collect(), UsageError)
    assert server.requests == []


async def test_the_documents_example_has_a_first_page_only() -> None:
    async with answering(example("list-workshop-orders-response")) as server, session(server.url) as cs:
        assert ids((await cs.workshop_orders.list()).items) == [978768]
        await failure(cs.workshop_orders.list().collect(), PaginationError)


async def test_rejected_rows() -> None:
    rows = [ONE, 17, "x", THREE, {"workshop_order_id": "4", "new": 1}]
    async with (
        answering(page(*rows, next_url=f"{S01}?token=b"), page(TWO)) as server,
        session(server.url) as cs,
    ):
        first, second = [page async for page in cs.workshop_orders.list().pages()]
    assert ids(first.items) == [1, 3, 4]
    assert ids(second.items) == [2]
    assert [msgspec.json.decode(raw) for raw in first.raw_items] == [ONE, THREE, rows[4]]
    assert [row.index for row in first.rejected] == [1, 2]
    assert [row.raw for row in first.rejected] == [b"17", b'"x"']
    assert first.rejected[0].reason == "Expected `object`, got `int`"
    assert repr(first.rejected[0]) == f"RejectedRow(1, {first.rejected[0].reason!r})"
    assert repr(first) == "Page(3 items, 2 rejected, more pages follow)"


@pytest.mark.parametrize("lines", ["secret-person", 17, {"error": "no lines today"}, [None]], ids=repr)
async def test_an_order_whose_lines_cannot_be_read_is_incomplete(lines: object) -> None:
    bad = {"workshop_order_id": 7, "order_items": lines}
    async with answering(page(ONE, "x", bad, THREE)) as server, session(server.url) as cs:
        [first] = [page async for page in cs.workshop_orders.list().pages()]
    assert first.items[1] == WorkshopOrder(workshop_order_id=7)
    [row] = first.incomplete
    assert (row.index, row.raw, row.path.startswith("$.order_items")) == (2, wire(bad), True)
    assert first.problems == [f"row 2: {row.reason}"]
    strict = first.without_incomplete()
    assert ids(strict.items) == [1, 3]
    assert [row.index for row in strict.rejected] == [1, 2]
    assert strict.raw_items == [wire(ONE), wire(THREE)]
    assert strict.incomplete == []


async def test_plain_iteration_raises_on_a_rejected_row() -> None:
    async with answering(page(ONE, 17)) as server, session(server.url) as cs:
        _, error = await read_until(cs.workshop_orders.list(), ResponseDecodeError)
    assert str(error) == f"GET {ORDERS}: row 1 of the page: Expected `object`, got `int`"


async def test_plain_iteration_raises_on_an_incomplete_row() -> None:
    pages = page(ONE, next_url=f"{S01}?token=b"), page(TWO, BAD)
    async with answering(*pages) as server, session(server.url) as cs:
        read, error = await read_until(cs.workshop_orders.list(), ResponseDecodeError)
    assert ids(read) == [1]
    assert str(error) == (
        f"GET {ORDERS}: row 1 of the page: Expected `array`, got `str` - at `$.order_items`"
    )


@pytest.mark.parametrize(
    "body",
    [
        wire({"data": "x"}),
        wire({"data": 1}),
        wire({"data": False}),
        wire({"rows": []}),
        wire({"data": [BAD], "pagination": "x"}),
        wire({"data": [ONE], "pagination": {"next_url": 5.5}}),
        b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    ],
)
async def test_a_response_that_is_not_a_page(body: bytes) -> None:
    async with answering(body) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.list().collect(), ResponseDecodeError)
    assert (error.method, error.path, error.status, error.attempts) == ("GET", ORDERS, 200, 1)


async def test_a_text_that_is_not_utf_8_costs_itself_only() -> None:
    body = b'{"data": [{"workshop_order_id": 1}, {"workshop_order_id": 2, "status_text": "caf\xe9"}]}'
    async with answering(Reply(body)) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert ids(first.items) == [1, 2]
    assert first.items[1].status_text is None
    assert first.rejected == []


ODD_TEXTS = [
    rb"half of a pair: \ud83d",
    rb"the other half: \uDE00 and more",
    rb"a backslash before it: \\\ud800\"",
    b"a\nnew line",
    b"\x00",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("name", [b"status_text", b"unknown", rb"status_text\ud800"])
async def test_a_text_that_json_does_not_allow_costs_itself_only(name: bytes, text: bytes) -> None:
    fine = [
        rb'{"workshop_order_id":  1, "status_text": "\ud83d\ude00 \\ud800"}',
        b'{"workshop_order_id": 3, "discount": 1.10}',
    ]
    odd = b'{"workshop_order_id": 2, "%b": "%b"}' % (name, text)
    listed = b"[%b,\n%b , %b, 7, 7]" % (fine[0], odd, fine[1])
    keyed = b'{"0": %b,\t"1": %b, "2": %b, "7": 7, "8": 7}' % (fine[0], odd, fine[1])
    for data in (listed, keyed):
        body = b'{"error": false, "note": "%b", "data": %b, "pagination": {"next_url": "%b"}}'
        async with (
            answering(body % (text, data, f"{S01}?token=b".encode()), page(TWO)) as server,
            session(server.url) as cs,
        ):
            first, second = [page async for page in cs.workshop_orders.list().pages()]
        assert [first.items[0], first.items[2]] == [
            msgspec.json.decode(row, type=WorkshopOrder) for row in fine
        ]
        assert first.items[1].workshop_order_id == 2
        assert first.raw_items == [fine[0], odd, fine[1]]
        assert [(row.index, row.raw) for row in first.rejected] == [(3, b"7"), (4, b"7")]
        assert ids(second.items) == [2]


async def test_one_order_where_a_list_is_promised_with_an_odd_text() -> None:
    odd = b'{"workshop_order_id": 2, "status_text": "\t"}'
    async with answering(b'{"data":' + odd + b"}") as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert first.items == [WorkshopOrder(workshop_order_id=2, status_text="\t")]
    assert first.raw_items == [odd]


async def test_rows_out_of_order_beside_an_odd_text_are_an_error() -> None:
    body = b'{"data": {"0": {"workshop_order_id": 1}, "1": "\t", "0": {"workshop_order_id": 2}}}'
    async with answering(body) as server, session(server.url) as cs:
        await failure(cs.workshop_orders.list().collect(), ResponseDecodeError)


async def test_an_error_whose_message_is_invalid_json_is_an_error() -> None:
    body = b'{"error": true, "error_message": "No\tquota", "data": []}'
    async with answering(body) as server, session(server.url) as cs:
        error = await failure(cs.workshop_orders.list().collect(), BadRequestError)
    assert error.server_message == "No quota"


async def test_an_odd_value_of_an_optional_property_is_a_problem_of_its_page() -> None:
    odd = {"workshop_order_id": 7, "status_id": ["secret-person"]}
    async with answering(page(ONE, odd)) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    assert [(order.workshop_order_id, order.status_id) for order in first.items] == [(1, None), (7, None)]
    assert first.problems == ["row 1: Expected `int`, got `array` - at `$.status_id`"]
