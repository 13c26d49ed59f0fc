"""Stores filled with given orders, and their contents."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import date
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Table

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.pages import FetchedPage
from cyclesoft_async.bulksync.resources import WORKSHOP_ORDERS
from cyclesoft_async.bulksync.resources.mirrored import Mirrored, Received
from cyclesoft_async.bulksync.store import queries, runs
from cyclesoft_async.bulksync.store.open_store import StoreWriter
from cyclesoft_async.bulksync.store.runs import RefetchedOrders, StoredRun
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import PageReader
from cyclesoft_async.transport import Call, Response

from .paths import DATA
from .postgres import query

READER = PageReader(WorkshopOrder)
YEAR = Window(date(2025, 1, 1), date(2025, 12, 31))

SQLITE = "sqlite:///"
# When rows were requested and stored: two runs that read the same orders differ in these.
TIMES_OF_THE_RUN = {"first_seen_at", "synced_at", "asked_at"}


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement."""
    if not url.startswith("sqlite"):
        return query(url, statement)
    with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection, connection:
        return connection.execute(statement).fetchall()


def contents(
    url: str, kinds: Iterable[Mirrored[Any]] = (WORKSHOP_ORDERS,)
) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of a store by table, except for the times of the run that stored them."""
    return {table.name: rows(url, _contents_of(table)) for kind in kinds for table in kind.tables}


def _contents_of(table: Table) -> str:
    columns = [column.name for column in table.columns if column.name not in TIMES_OF_THE_RUN]
    keys = [column.name for column in table.primary_key]
    return f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {', '.join(keys)}"  # noqa: S608


def load_version_4(url: str) -> None:
    """Fill an empty database with the tables and rows that version 4 of the schema had."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection:
            connection.executescript((DATA / "store_4_sqlite.sql").read_text(encoding="utf-8"))
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((DATA / "store_4_postgres.sql").read_bytes())


def raw_page(*orders: Mapping[str, object] | bytes) -> bytes:
    """Return the JSON of a page. An order given as bytes is inserted verbatim."""
    data = [order if isinstance(order, bytes) else json.dumps(order).encode() for order in orders]
    return b'{"error": false, "data": [' + b",".join(data) + b"]}"


def page_of(
    *orders: Mapping[str, object] | bytes, window: Window = YEAR, pages: int = 1, is_last: bool = True
) -> FetchedPage[WorkshopOrder]:
    """A page of a window's list, by default its only one."""
    response = Response(status=200, headers={}, body=raw_page(*orders))
    page = READER.read(response, call=Call(method="GET", path="/"), whole=False).without_incomplete()
    return FetchedPage(window=window, page=page, pages=pages, rows=len(page.items), is_last=is_last)


async def begin(writer: StoreWriter, window: Window = YEAR) -> StoredRun:
    return await writer.run(runs.begin_run, window.first, window.last)


async def write(
    writer: StoreWriter,
    run: StoredRun,
    *orders: Mapping[str, object] | bytes,
    window: Window = YEAR,
    requests: int = 1,
) -> int:
    """Store a window of a run that has one page; the number of rejected rows."""
    return await writer.run(
        runs.store_pages, run.run_id, [page_of(*orders, window=window)], requests=requests
    )


async def write_single(
    writer: StoreWriter, *orders: Received[WorkshopOrder], run: StoredRun | None = None
) -> int:
    """Store orders that were requested one by one; the number of rejected rows."""
    keys = [order.workshop_order_id for order, _ in orders]
    answers = RefetchedOrders(requested=keys, found=orders, unreadable=(), deleted=())
    return await writer.run(runs.store_refetched, answers, None if run is None else run.run_id)


async def finish(writer: StoreWriter, run: StoredRun, requests: int = 0) -> None:
    await writer.run(runs.finish_run, run.run_id, requests=requests)


async def missing(writer: StoreWriter, run: StoredRun) -> list[int]:
    """Orders that a run would request one by one."""
    found = await writer.run(queries.missing, run.run_id)
    return [key.workshop_order_id for key in found.vanished]


async def last_run(writer: StoreWriter, window: Window = YEAR) -> StoredRun | None:
    return await writer.run(runs.last_run, window.first, window.last)


async def as_it_is(writer: StoreWriter, run: StoredRun) -> StoredRun:
    """The run as it stands in the store by now."""
    found = await writer.run(runs.current_run, run.run_id)
    assert found is not None
    return found


async def stored(url: str, *pages: tuple[Mapping[str, object] | bytes, ...]) -> StoredRun:
    """Return a run that wrote the pages, each in its own transaction."""
    async with Store(url).open() as writer:
        run = await begin(writer)
        for page in pages:
            await write(writer, run, *page)
    return run


def version(name: str, modified: str | None, key: int = 1) -> dict[str, object]:
    return {
        "workshop_order_id": key,
        "datetime_modified": modified,
        "repair_description": name,
        "order_items": [{"description": name}],
    }


def decoded(order: Mapping[str, object]) -> tuple[WorkshopOrder, bytes]:
    raw = json.dumps(order).encode()
    return msgspec.json.decode(raw, type=WorkshopOrder), raw
