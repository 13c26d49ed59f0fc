"""Fuzzing of responses as JSON, bytes or below HTTP: a result of its type, or an error of the tree."""

from __future__ import annotations

import asyncio
import gzip
import json
import pickle
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple, cast

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from cyclesoft_async import CycleSoftSession, Page, RetryPolicy
from cyclesoft_async.errors import CycleSoftError, RequestError
from cyclesoft_async.models import (
    CreatedInvoice,
    InvoiceDocument,
    WorkshopOrder,
    WorkshopOrderCreate,
    WorkshopOrderItem,
    WorkshopOrderUpdate,
)
from tests.support.http_server import example
from tests.support.loopback import served


class Reply(NamedTuple):
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}


class World:
    """A server that gives one answer to everything, and the event loop that it lives in."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.url = ""
        self.raw_url = ""
        self.reply = Reply(b"")
        self.raw = b""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=self.reply.body, status=self.reply.status, headers=dict(self.reply.headers))

    async def answer_raw(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.raw)
        writer.close()


@pytest.fixture(scope="module")
def world() -> Generator[World]:
    with asyncio.Runner() as runner:
        world = World(runner)
        server = served(world.answer)
        world.url = runner.run(server.__aenter__())
        listener = runner.run(asyncio.start_server(world.answer_raw, "127.0.0.1", 0))
        world.raw_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield world
        listener.close()
        runner.run(server.__aexit__(None, None, None))


async def pages(cs: CycleSoftSession) -> list[Page[WorkshopOrder]]:
    return [page async for page in cs.workshop_orders.list().pages()]


CALLS: list[tuple[Callable[[CycleSoftSession], Awaitable[object]], type]] = [
    (lambda cs: cs.workshop_orders.list(object_query="x").collect(), list),
    (lambda cs: cs.workshop_orders.list(), Page),
    (pages, list),
    (lambda cs: cs.workshop_orders.get(1, 2), WorkshopOrder),
    (lambda cs: cs.workshop_orders.create(1, WorkshopOrderCreate()), WorkshopOrder),
    (
        lambda cs: cs.workshop_orders.create(1, WorkshopOrderCreate(reference_text="a"), once=True),
        WorkshopOrder,
    ),
    (lambda cs: cs.workshop_orders.update(1, 2, WorkshopOrderUpdate(status_id=4)), WorkshopOrder),
    (lambda cs: cs.workshop_orders.create_invoices(2, customer_id=1), list),
    (lambda cs: cs.request("GET", "/api/v1/x", type=dict[str, int]), dict),
    (lambda cs: cs.request("DELETE", "/api/v1/x", type=None), type(None)),
]
IMPATIENT = RetryPolicy(attempts=2, first_delay=0.0, budget=0.0)


async def assert_typed_or_an_error_of_the_tree(url: str) -> None:
    for call, type_ in CALLS:
        async with CycleSoftSession("user", "pass", base_url=url, retries=IMPATIENT) as cs:
            try:
                found = await call(cs.with_options(max_wait=0.0))
            except CycleSoftError as error:
                assert_presentable(error)
            else:
                assert isinstance(found, type_)
                read_lazily(found)
            assert cs.quota.in_flight == 0


def assert_presentable(error: CycleSoftError) -> None:
    assert isinstance(error, RequestError)
    assert str(error).isprintable()
    assert len(str(error)) < 600
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled here
    assert (type(copied), str(copied)) == (type(error), str(error))


def read_lazily(found: object) -> None:
    """Read what is decoded lazily."""
    match found:
        case WorkshopOrder():
            moments = (found.datetime_scheduled_start, found.datetime_scheduled_finished)
            for moment in (*moments, found.datetime_created, found.datetime_modified):
                assert moment is None or moment.tzinfo is not None
            assert isinstance(found.order_items, list)
        case Page():
            page = cast("Page[object]", found)
            assert len(page.raw_items) == len(page.items)
            assert all(row.path.startswith("$") for row in page.rejected)
        case CreatedInvoice():
            for document in found.documents:
                try:
                    assert isinstance(document.content, bytes)
                except CycleSoftError as error:
                    assert_presentable(error)
        case list():
            for item in cast("list[object]", found):
                read_lazily(item)
        case _:
            pass


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["", "0", "0000-00-00", "0000-00-00 00:00:00", "2025-02-30 25:61:61", "2023-03-07 12:13:47"]
    )
    | st.sampled_from(
        ["9999-12-31 23:59:59", "0001-01-01T00:00:00+14:00", "2023-03-07", "1e999999", 1e308, -1]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def shaped(struct: type[Struct], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with the documented properties, and values of all kinds."""
    names = [field.encode_name for field in fields(struct)]
    return st.fixed_dictionaries({}, optional={name: known.get(name, VALUES) | VALUES for name in names})


ORDERS = shaped(
    WorkshopOrder,
    workshop_order_id=st.integers(0, 9),
    order_items=st.lists(shaped(WorkshopOrderItem), max_size=2),
)
DOCUMENTS = st.lists(shaped(InvoiceDocument), max_size=2)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "error": st.sampled_from([False, None]) | VALUES,
        "error_message": VALUES,
        "data": st.lists(ORDERS, max_size=3) | ORDERS | VALUES,
        "pagination": st.fixed_dictionaries({"next_url": st.text() | VALUES}) | VALUES,
        "invoices": st.lists(shaped(CreatedInvoice, documents=DOCUMENTS), max_size=2) | VALUES,
    },
)
EXAMPLES = [
    example(f"{name}-response")
    for name in (
        "list-workshop-orders",
        "get-workshop-order",
        "create-workshop-order",
        "update-workshop-order",
        "create-invoices",
    )
]


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """One of the vendor's examples, with one value replaced, wherever it stands."""
    return replaced(draw, json.loads(draw(st.sampled_from(EXAMPLES))))


def replaced(draw: st.DrawFn, value: object) -> object:
    if isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
        inside = cast("dict[Any, object]", value)
        key = draw(st.sampled_from(list(inside) if isinstance(value, dict) else range(len(inside))))
        inside[key] = replaced(draw, inside[key])
        return inside
    return draw(VALUES)


STATUSES = st.just(200) | st.integers(200, 599)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "text/html", "", "x"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "zstd", "identity", "x"]),
        "Retry-After": st.sampled_from(
            ["0", "-1", "1e9", "9" * 400, "Mon, 01 Jan 2023 00:00:00 +99999999999999", "x"]
        ),
        "X-RateLimit-Minutely-Remaining": st.sampled_from(["0", "-5", "x", "9" * 40]),
        "Location": st.just("https://elsewhere.invalid/"),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(mutated(), ANSWERS, ORDERS, VALUES), STATUSES)
def test_any_json(world: World, value: object, status: int) -> None:
    world.reply = Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json"})
    world.runner.run(assert_typed_or_an_error_of_the_tree(world.url))


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(), ANSWERS.map(json.dumps).map(str.encode)), st.data(), STATUSES, HEADERS)
def test_any_bytes(
    world: World, body: bytes, data: st.DataObject, status: int, headers: Mapping[str, str]
) -> None:
    body = data.draw(st.sampled_from([body, body[: len(body) // 2], gzip.compress(body), body + b"\xff"]))
    world.reply = Reply(body, status, headers)
    world.runner.run(assert_typed_or_an_error_of_the_tree(world.url))


HEADS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: \xe9\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: //x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/9.9 999 \xff\r\n\xe9: \xe9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
    ]
)


@settings(max_examples=60, deadline=None)
@given(HEADS, st.binary() | st.sampled_from([b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"ffffffffff\r\n{}", b"z\r\n"]))
def test_any_bytes_below_http(world: World, head: bytes, rest: bytes) -> None:
    world.raw = head + rest
    world.runner.run(assert_typed_or_an_error_of_the_tree(world.raw_url))
