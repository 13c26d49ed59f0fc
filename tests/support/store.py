"""Helpers of the store's tests."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date

import msgspec

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.store.runs import StoredRun, WindowPage
from cyclesoft_async.bulksync.store.store import StoreWriter
from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import PageReader
from cyclesoft_async.transport import Call, Response

from .postgres import query

READER = PageReader(WorkshopOrder)
YEAR = Window(date(2025, 1, 1), date(2025, 12, 31))

SQLITE = "sqlite:///"


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement."""
    if not url.startswith("sqlite"):
        return query(url, statement)
    with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection, connection:
        return connection.execute(statement).fetchall()


def raw_page(*orders: Mapping[str, object] | bytes) -> bytes:
    """Return the JSON of a page. An order given as bytes is inserted verbatim."""
    data = [order if isinstance(order, bytes) else json.dumps(order).encode() for order in orders]
    return b'{"error": false, "data": [' + b",".join(data) + b"]}"


def page_of(
    run: StoredRun, *orders: Mapping[str, object] | bytes, number: int = 0, done: bool = False
) -> WindowPage:
    response = Response(status=200, headers={}, body=raw_page(*orders))
    page = READER.read(response, call=Call(method="GET", path="/"), whole=False)
    return WindowPage(
        run_id=run.run_id,
        number=number,
        page=page,
        orders=len(page.items),
        done=done,
        in_order=True,
        reached=None,
    )


async def begin(writer: StoreWriter, windows: Sequence[Window] = (YEAR,)) -> StoredRun:
    return await writer.begin_run(windows[0].first, windows[-1].last, windows)


async def as_it_is(writer: StoreWriter, run: StoredRun) -> StoredRun:
    """Return the stored state of the run."""
    found = await writer.current_run(run.run_id)
    assert found is not None
    return found


async def stored(url: str, *pages: tuple[Mapping[str, object] | bytes, ...]) -> StoredRun:
    """Return a run that wrote the pages, each in its own transaction."""
    async with Store(url).open() as writer:
        run = await begin(writer)
        for page in pages:
            await writer.write([page_of(run, *page)], requests=1)
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
