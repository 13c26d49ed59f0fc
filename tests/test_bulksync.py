"""The sync against the sandbox, into a real SQLite file."""

import json
import sqlite3
import traceback
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypedDict

import anyio
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import NullPool, select
from sqlalchemy.ext.asyncio import create_async_engine

from cyclesoft_async import CycleSoftSession, RetryPolicy, errors, models
from cyclesoft_async.bulksync import Store, SyncProgress, sync_workshop_orders, tables
from cyclesoft_async.bulksync.windows import split_days
from cyclesoft_async.sandbox import Sandbox

from .loopback import Handler, served


class Days(TypedDict):
    date_from: date
    date_until: date


YEAR = Days(date_from=date(2025, 1, 1), date_until=date(2025, 12, 31))
DAY = Days(date_from=date(2025, 7, 1), date_until=date(2025, 7, 1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def store(file: Path) -> Store:
    return Store(f"sqlite+aiosqlite:///{file}")


def rows(file: Path, query: str, *parameters: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query, parameters).fetchall()


async def test_every_order_and_line_of_the_sandbox_arrives(file: Path) -> None:
    async with Sandbox(orders=1_234) as sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR)
        everything = await cs.workshop_orders.list().collect()
    assert report.orders == sandbox.orders == 1_234
    assert rows(file, "select count(*) from workshop_orders") == [(1_234,)]
    assert report.rejected == report.rate_limited == 0
    assert report.pages == report.requests
    assert report.quota.minutely.limit == 360
    assert rows(file, "select workshop_order_id from workshop_orders order by 1") == sorted(
        (order.workshop_order_id,) for order in everything
    )
    assert rows(file, "select count(*) from workshop_order_items") == [
        (sum(len(order.order_items) for order in everything),)
    ]


async def test_columns_are_typed_and_the_raw_order_stands_beside_them(file: Path) -> None:
    raw = {
        "workshop_order_id": 7,
        "is_active": True,
        "datetime_scheduled_start": "2025-07-01 09:30:00",
        "datetime_modified": "2025-07-01 09:30:00",
        "brand_new_property": {"kept": True},
        "order_items": [{"quantity": 0.1, "price_in_vat_cents": 995, "vat_percentage": 21}],
    }
    async with served(page_of(raw)) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
    [(active, start, kept)] = rows(
        file, "select is_active, datetime_scheduled_start, raw from workshop_orders"
    )
    assert (active, start) == (1, "2025-07-01 07:30:00.000000"), "UTC, two hours behind Dutch summer time"
    assert json.loads(str(kept)) == raw
    assert rows(
        file, "select workshop_order_id, position, quantity, price_in_vat_cents from workshop_order_items"
    ) == [(7, 0, "0.1", 995)]


async def test_a_second_sync_updates_rows_and_replaces_lines(file: Path) -> None:
    async with Sandbox(orders=50) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        order = (await cs.workshop_orders.list()).items[0]
        assert order.customer_id is not None
        line = models.WorkshopOrderItemInput(description="Bel", quantity=1, unit_price_in_vat_cents=895)
        await cs.workshop_orders.update(
            order.customer_id,
            order.workshop_order_id,
            models.WorkshopOrderUpdate(repair_description="Bel monteren", order_items=[line]),
        )
        await sync_workshop_orders(cs, store(file), **YEAR)
    key = order.workshop_order_id
    assert rows(file, "select count(*) from workshop_orders") == [(50,)]
    assert rows(file, "select repair_description from workshop_orders where workshop_order_id = ?", key) == [
        ("Bel monteren",)
    ]
    lines = rows(
        file,
        "select description from workshop_order_items where workshop_order_id = ? order by position",
        key,
    )
    assert len(lines) == len(order.order_items) + 1
    assert lines[-1] == ("Bel",)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("2025-07-01 09:00:01", "second"),
        ("2025-07-01 09:00:00", "second"),
        ("2025-07-01 08:59:59", "first"),
        (None, "second"),
    ],
)
async def test_an_older_version_never_overwrites_a_newer_one(
    file: Path, second: str | None, expected: str
) -> None:
    for name, modified in (("first", "2025-07-01 09:00:00"), ("second", second)):
        order = {
            "workshop_order_id": 1,
            "datetime_modified": modified,
            "repair_description": name,
            "order_items": [{"description": name}],
        }
        async with served(page_of(order)) as url, session(url) as cs:
            await sync_workshop_orders(cs, store(file), **DAY)
    assert rows(file, "select repair_description from workshop_orders") == [(expected,)]
    assert rows(file, "select description from workshop_order_items") == [(expected,)]


async def test_rows_that_cannot_be_read_are_put_aside(file: Path) -> None:
    twice = {"workshop_order_id": 1}
    bad = {"workshop_order_id": 2, "order_items": "none"}
    async with served(page_of(twice, bad, twice)) as url, session(url) as cs:
        report = await sync_workshop_orders(cs, store(file), **DAY)
    assert (report.orders, report.rejected) == (2, 1)
    assert rows(file, "select workshop_order_id from workshop_orders") == [(1,)]
    [(raw, reason)] = rows(file, "select raw, reason from rejected_rows")
    assert isinstance(raw, bytes)
    assert json.loads(raw) == bad
    assert "$.order_items" in str(reason)


async def test_progress_ends_at_the_report(file: Path) -> None:
    seen: list[SyncProgress] = []
    async with Sandbox(orders=500) as sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR, concurrency=2, on_progress=seen.append)
    assert [progress.pages for progress in seen] == list(range(1, report.pages + 1))
    assert seen[-1].orders == report.orders
    assert seen[-1].windows_done == seen[-1].windows == 8


async def test_a_failure_for_good_is_raised_as_itself(file: Path) -> None:
    async with Sandbox(orders=500) as sandbox, session(sandbox.url, "wrong") as cs:
        with pytest.raises(errors.AuthenticationError):
            await sync_workshop_orders(cs, store(file), **YEAR)


async def test_a_cancelled_sync_ends_as_cancelled_and_keeps_what_it_stored(file: Path) -> None:
    with anyio.CancelScope() as scope:

        def stop_at_the_tenth_page(seen: SyncProgress) -> None:
            if seen.pages == 10:
                scope.cancel()

        async with Sandbox(orders=5_000, page_size=50) as sandbox, session(sandbox.url) as cs:
            await sync_workshop_orders(cs, store(file), **YEAR, on_progress=stop_at_the_tenth_page)
    assert scope.cancelled_caught
    [(stored,)] = rows(file, "select count(*) from workshop_orders")
    assert isinstance(stored, int)
    assert 10 <= stored < 5_000
    assert rows(file, "select count(distinct workshop_order_id) from workshop_order_items") == [(stored,)]


async def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    async with Sandbox(orders=1) as sandbox, session(sandbox.url) as cs:
        with pytest.raises(errors.StoreError, match="unable to open database file"):
            await sync_workshop_orders(cs, store(tmp_path / "no such folder" / "orders.db"), **YEAR)
        assert sandbox.requests == 0


async def test_a_table_of_somebody_elses_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table workshop_orders (workshop_order_id integer primary key, mine text)")
    order = {"workshop_order_id": 1, "repair_description": "Lekke band"}
    async with served(page_of(order)) as url, session(url) as cs:
        with pytest.raises(errors.StoreError, match="has no column named") as caught:
            await sync_workshop_orders(cs, store(file), **DAY)
    assert "Lekke band" not in "".join(traceback.format_exception(caught.value))
    assert rows(file, "select * from workshop_orders") == []


async def test_a_file_that_is_no_database(file: Path) -> None:
    await anyio.Path(file).write_bytes(b"not a database, however long it may be " * 100)
    async with served(page_of()) as url, session(url) as cs:
        with pytest.raises(errors.StoreError, match="not a database"):
            await sync_workshop_orders(cs, store(file), **DAY)


async def test_rows_read_back_through_the_tables_are_aware_and_exact(file: Path) -> None:
    order = {
        "workshop_order_id": 1,
        "datetime_modified": "2025-07-01 09:00:00",
        "order_items": [{"quantity": 0.1, "discount_percentage": None}],
    }
    async with served(page_of(order)) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=NullPool)
    async with engine.connect() as connection:
        [(modified, created)] = await connection.execute(
            select(tables.workshop_orders.c.datetime_modified, tables.workshop_orders.c.datetime_created)
        )
        [(quantity, discount)] = await connection.execute(
            select(tables.workshop_order_items.c.quantity, tables.workshop_order_items.c.discount_percentage)
        )
    assert (modified, created) == (datetime(2025, 7, 1, 7, tzinfo=UTC), None)
    assert (quantity, discount) == (Decimal("0.1"), None)


@pytest.mark.parametrize("url", ["", "orders.db", "postgresql://localhost/orders", "mysql://u:secret@h/db"])
def test_what_is_no_sqlite_url(url: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_both_spellings_of_the_url_mean_the_same() -> None:
    assert repr(Store("sqlite:///a.db")) == repr(Store("sqlite+aiosqlite:///a.db"))


async def test_arguments_that_cannot_work_cost_no_request(file: Path) -> None:
    async with Sandbox(orders=1) as sandbox, session(sandbox.url) as cs:
        with pytest.raises(errors.UsageError, match="after date_until"):
            await sync_workshop_orders(
                cs, store(file), date_from=date(2025, 2, 1), date_until=date(2025, 1, 1)
            )
        with pytest.raises(errors.UsageError, match="at least one"):
            await sync_workshop_orders(cs, store(file), **YEAR, concurrency=0)
        assert sandbox.requests == 0


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 1_000), st.integers(1, 50))
def test_windows_hold_every_day_once(first: date, length: int, parts: int) -> None:
    last = first + timedelta(days=length)
    windows = split_days(first, last, parts)
    days = [
        window.first + timedelta(days=n) for window in windows for n in range(span(window.first, window.last))
    ]
    assert days == [first + timedelta(days=n) for n in range(length + 1)]
    spans = [span(window.first, window.last) for window in windows]
    assert len(windows) == min(parts, length + 1)
    assert max(spans) - min(spans) <= 1


def span(first: date, last: date) -> int:
    return (last - first).days + 1


def session(url: str, password: str = "pass") -> CycleSoftSession:
    return CycleSoftSession("user", password, base_url=url, retries=RetryPolicy.none())


def page_of(*orders: object) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": False, "data": list(orders), "pagination": {"next_url": None}})

    return answer
