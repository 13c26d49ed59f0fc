"""Orders of the sandbox: consistent, reproducible by seed, and found by every documented filter."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.sandbox.orders.query import Filters, Key, read_cursor, read_filters
from cyclesoft_async.sandbox.orders.repository import OrderRepository
from cyclesoft_async.sandbox.orders.schema import Order
from cyclesoft_async.sandbox.orders.seeded import SeededOrders
from cyclesoft_async.sandbox.responses import ApiError

Json: TypeAlias = dict[str, Any]
AUTH = {"Authorization": "Basic dXNlcjpwYXNz"}
ORDERS = "/api/v1/workshop/orders.json"
NO_FILTERS = read_filters({})


async def call(sandbox: Sandbox, path: str, query: Mapping[str, str | int] | None = None) -> tuple[int, Json]:
    async with aiohttp.request("GET", sandbox.url + path, headers=AUTH, params=query) as response:
        return response.status, await response.json()


def next_query(answer: Json) -> dict[str, str | int]:
    address: str = answer["pagination"]["next_url"]
    return dict(parse_qsl(urlsplit(address).query))


async def listed(sandbox: Sandbox, **query: str | int) -> list[Json]:
    """Return all pages of a list, followed as a client does: on the sandbox's own host."""
    found: list[Json] = []
    while True:
        status, answer = await call(sandbox, ORDERS, query)
        assert (status, answer["error"], answer["error_message"]) == (200, False, None)
        data = answer["data"]
        found += data if isinstance(data, list) else [data]
        if answer["pagination"]["next_url"] is None:
            return found
        query = next_query(answer)


def seeded(count: int, seed: int = 1) -> SeededOrders:
    return SeededOrders(count=count, seed=seed, first_day=date(2025, 1, 1), last_day=date(2025, 12, 31))


def all_pages(repository: OrderRepository, filters: Filters, size: int) -> list[Order]:
    found: list[Order] = []
    after: Key | None = None
    while True:
        page, after = repository.page(filters, after, size)
        found += page
        if after is None:
            return found
        assert len(page) == size


async def test_pages_hold_every_order_once_and_name_another_host() -> None:
    async with Sandbox(orders=250, page_size=100) as sandbox:
        _, first = await call(sandbox, ORDERS, {"date_from": "2025-01-01"})
        assert first["pagination"]["next_url"].startswith(f"https://s01.cyclesoftware.nl{ORDERS}?")
        assert next_query(first).keys() == {"date_from", "token"}
        orders = await listed(sandbox)
        ids = [order["workshop_order_id"] for order in orders]
        assert len(set(ids)) == len(ids) == sandbox.orders == 250
        starts = [order["datetime_scheduled_start"] for order in orders]
        assert starts == sorted(starts)
        assert starts[0] >= sandbox.first_day.isoformat()
        assert starts[-1][:10] <= sandbox.last_day.isoformat()


async def test_a_full_last_page_has_no_next_one_and_an_empty_list_is_a_list() -> None:
    async with Sandbox(orders=4, page_size=2) as sandbox:
        _, first = await call(sandbox, ORDERS)
        _, last = await call(sandbox, ORDERS, next_query(first))
        assert (len(last["data"]), last["pagination"]) == (2, {"next_url": None})
        _, none = await call(sandbox, ORDERS, {"store_id": 77})
        assert (none["data"], none["pagination"]) == ([], {"next_url": None})


async def test_a_result_of_one_order_is_an_object_but_a_last_page_of_one_is_a_list() -> None:
    async with Sandbox(orders=3, page_size=2) as sandbox:
        orders = await listed(sandbox)
        _, alone = await call(sandbox, ORDERS, {"date_until": orders[0]["datetime_scheduled_start"][:10]})
        assert alone["data"] == orders[0]
        _, first = await call(sandbox, ORDERS)
        _, last = await call(sandbox, ORDERS, next_query(first))
        assert last["data"] == [orders[2]]


async def test_get_returns_the_bare_order_to_its_customer_only() -> None:
    async with Sandbox(orders=50) as sandbox:
        for order in (await listed(sandbox))[::7]:
            path = f"/workshop-order/{order['workshop_order_id']}.json"
            assert await call(sandbox, f"/api/v1/customers/{order['customer_id']}{path}") == (200, order)
            status, refused = await call(sandbox, f"/api/v1/customers/{order['customer_id'] + 1}{path}")
            assert (status, refused) == (404, {"error": True, "error_message": "Workshop order not found"})
        status, _ = await call(sandbox, "/api/v1/customers/1001/workshop-order/900051.json")
        assert status == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("store_id=x", "store_id"),
        ("store_id=-1", "store_id"),
        ("store_id=%ED%A0%80%FF", "store_id"),
        ("customer_id=1.5", "customer_id"),
        ("repair_object_id=%C2%B2", "repair_object_id"),
        ("status_ids=1,,2", "status_ids"),
        ("status_ids=1;2", "status_ids"),
        ("date_from=20-01-2025", "date_from"),
        ("date_from=20250120", "date_from"),
        ("date_until=2025-02-30", "date_until"),
        ("token=%FF", "token"),
        ("token=bm9wZQ", "token"),
        ("object_query=Gazelle&customer_id=1001", "object_query"),
        ("object_query=Gazelle&repair_object_id=10001", "object_query"),
    ],
)
async def test_bad_values_are_rejected_by_name(query: str, words: str) -> None:
    async with Sandbox(orders=1) as sandbox:
        status, answer = await call(sandbox, f"{ORDERS}?{query}")
        assert (status, answer["error"]) == (400, True)
        assert words in answer["error_message"]


async def test_empty_values_do_not_filter_and_the_last_of_two_counts() -> None:
    empty = "object_query=&store_id=&status_ids=&customer_id=&repair_object_id=&&date_from=&date_until=&x=%FF"
    async with Sandbox(orders=30, page_size=20) as sandbox:
        _, answer = await call(sandbox, f"{ORDERS}?{empty}")
        assert len(answer["data"]) == 20
        _, twice = await call(sandbox, f"{ORDERS}?store_id=9&store_id=1")
        assert {order["store_id"] for order in twice["data"]} == {1}


async def test_an_object_query_finds_bikes_by_frame_number_brand_and_model() -> None:
    async with Sandbox(orders=2_000, page_size=1_000) as sandbox:
        orders = await listed(sandbox)
        gazelles = await listed(sandbox, object_query="gazelle")
        orange = await listed(sandbox, object_query="ORANGE gazelle")
        assert 0 < len(orange) < len(gazelles) < len(orders)
        bikes = {order["repair_object_id"] for order in orange}
        assert [order for order in orders if order["repair_object_id"] in bikes] == orange
        bike = max(bikes)
        one = await listed(sandbox, object_query=f"gz{bike:07}")
        assert one == await listed(sandbox, repair_object_id=bike)
        assert one == await listed(sandbox, repair_object_id=bike, customer_id=one[0]["customer_id"])
        assert await listed(sandbox, repair_object_id=bike, customer_id=1001) == []
        for query in ("Fongers", "gz9999999", f"xx{bike:07}"):
            assert await listed(sandbox, object_query=query) == []
    async with Sandbox(orders=0) as empty:
        assert await listed(empty, object_query="gazelle") == []
        assert await listed(empty, object_query="gz0010001", date_from="2025-01-01") == []
        assert await listed(empty, customer_id=1001) == []


def test_an_object_query_selects_a_thousand_objects_at_most() -> None:
    assert len(seeded(1_000_000).objects_matching("gazelle")) == 1000


filters_of_a_query = st.builds(
    Filters,
    object_query=st.none() | st.sampled_from(["gazelle", "e", "gz0010004", "none such"]),
    store_id=st.none() | st.integers(0, 4),
    status_ids=st.none() | st.frozensets(st.integers(0, 17), max_size=4),
    customer_id=st.none() | st.integers(990, 1060),
    repair_object_id=st.none() | st.integers(9_990, 10_080),
    date_from=st.none() | st.dates(date(2024, 12, 1), date(2026, 1, 31)).map(str),
    date_until=st.none() | st.dates(date(2024, 12, 1), date(2026, 1, 31)).map(str),
)


@settings(deadline=None)
@given(
    count=st.integers(0, 130),
    seed=st.integers(0, 3),
    moves=st.lists(
        st.tuples(st.integers(0, 129), st.dates(date(2024, 12, 1), date(2026, 1, 31))), max_size=6
    ),
    filters=filters_of_a_query,
    size=st.integers(1, 40),
)
def test_filters_find_what_a_linear_search_finds(
    count: int, seed: int, moves: list[tuple[int, date]], filters: Filters, size: int
) -> None:
    orders = seeded(count, seed)
    repository = OrderRepository(orders, orders.objects_matching)
    for index, day in moves:
        moved = repository.find(900_001 + index)
        if moved is not None:
            repository.save({**moved, "datetime_scheduled_start": f"{day} 12:00:00", "status_id": 3})
    objects = None
    if filters.object_query is not None:
        objects = orders.objects_matching(filters.object_query)
        filters = filters._replace(repair_object_id=None)
    expected = [
        order
        for order in all_pages(repository, NO_FILTERS, 1000)
        if filters.store_id in {None, order["store_id"]}
        and (filters.status_ids is None or order["status_id"] in filters.status_ids)
        and filters.customer_id in {None, order["customer_id"]}
        and filters.repair_object_id in {None, order["repair_object_id"]}
        and (objects is None or order["repair_object_id"] in objects)
        and (filters.date_from or "") <= order["datetime_scheduled_start"][:10] <= (filters.date_until or "9")
    ]
    assert all_pages(repository, filters, size) == expected


@settings(deadline=None)
@given(
    count=st.integers(0, 40),
    size=st.integers(1, 10),
    changes=st.lists(st.tuples(st.integers(0, 60), st.dates(date(2024, 12, 1), date(2026, 1, 31)))),
)
def test_a_cursor_stays_exact_while_orders_are_created_and_moved(
    count: int, size: int, changes: list[tuple[int, date]]
) -> None:
    orders = seeded(count)
    repository = OrderRepository(orders, orders.objects_matching)
    template = seeded(1).order(0)
    untouched = set(range(900_001, 900_001 + count))
    seen: list[int] = []
    after: Key | None = None
    waiting = iter(changes)
    while True:
        page, after = repository.page(NO_FILTERS, after, size)
        seen += [order["workshop_order_id"] for order in page]
        if after is None:
            break
        for number, day in itertools.islice(waiting, 2):
            order = repository.find(900_001 + number) or {
                **template,
                "workshop_order_id": repository.next_order_id(),
            }
            order["datetime_scheduled_start"] = f"{day} 12:00:00"
            untouched.discard(order["workshop_order_id"])
            repository.save(order)
    assert [order_id for order_id in seen if order_id in untouched] == sorted(untouched)
    keys = [
        (o["datetime_scheduled_start"], o["workshop_order_id"])
        for o in all_pages(repository, NO_FILTERS, size)
    ]
    assert keys == sorted(set(keys))
    assert len(keys) == len(repository)


@given(st.dictionaries(st.sampled_from([*Filters._fields, "token"]), st.text(max_size=12)))
def test_any_query_is_read_or_rejected(query: dict[str, str]) -> None:
    with suppress(ApiError):
        read_cursor(query)
        read_filters(query)


def test_the_same_seed_gives_the_same_orders_and_another_gives_others() -> None:
    first, again, other = seeded(300), seeded(300), seeded(300, seed=2)
    assert [first.order(i) for i in range(300)] == [again.order(i) for i in range(299, -1, -1)][::-1]
    assert [first.order(i) for i in range(300)] != [other.order(i) for i in range(300)]


@pytest.mark.parametrize("count", [1, 7, 20_000])
def test_orders_are_consistent(count: int) -> None:
    orders = seeded(count)
    invoices: list[int] = []
    for order in map(orders.order, range(0, count, max(1, count // 2_000))):
        start = datetime.fromisoformat(order["datetime_scheduled_start"])
        assert start.weekday() != 6
        assert 8 <= start.hour < 17
        minutes = order["custom_repair_time_minutes"]
        for number, line in enumerate(order["order_items"], 1):
            assert line["item_id"] == number
            unit = line["unit_price_in_vat_cents"] - line["unit_discount_amount_in_vat_cents"]
            assert line["price_in_vat_cents"] == unit * line["quantity"] >= 0
            percentage = {1: 9, 2: 21}[line["vat_code"]]
            assert line["vat_percentage"] == percentage
            exact = line["price_in_vat_cents"] * percentage / (100 + percentage)
            assert abs(line["vat_amount_cents"] - exact) < 0.5
            minutes += line["unit_work_time_minutes"] * line["quantity"]
            assert ("invoice_number" in line) == bool(order["invoice_number"]) == (order["status_id"] == 8)
        assert order["total_repair_time_minutes"] == minutes > 0
        finished = datetime.fromisoformat(order["datetime_scheduled_finished"])
        assert finished - start == timedelta(minutes=minutes)
        assert order["datetime_created"] < order["datetime_scheduled_start"]
        assert order["datetime_modified"] >= order["datetime_created"]
        invoices += {line["invoice_number"] for line in order["order_items"] if "invoice_number" in line}
    assert len(set(invoices)) == len(invoices)


def test_a_shop_that_is_only_open_on_a_sunday() -> None:
    sunday = date(2025, 6, 1)
    orders = SeededOrders(count=3, seed=1, first_day=sunday, last_day=sunday)
    assert [orders.order(i)["datetime_scheduled_start"][:10] for i in range(3)] == ["2025-06-01"] * 3


def test_old_orders_are_done_and_late_ones_are_planned() -> None:
    orders = seeded(5_000)
    statuses = [orders.order(index)["status_id"] for index in range(5_000)]
    assert set(statuses[:4_000]) == {8, 15, 16}
    assert set(statuses[-50:]) <= {1, 2, 10, 13, 14}
    assert set(statuses) >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15}


async def test_a_million_orders_cost_no_memory() -> None:
    tracemalloc.start()
    try:
        async with Sandbox(orders=1_000_000) as sandbox:
            assert sandbox.orders == 1_000_000
            _, last = await call(sandbox, ORDERS, {"date_from": "2025-12-31", "status_ids": "14"})
            assert len(last["data"]) == 100
            _, customer = await call(sandbox, ORDERS, {"customer_id": 417_666})
            assert len(customer["data"]) >= 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
