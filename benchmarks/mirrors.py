"""Contenders of the part `mirror`. Every run is a process of its own.

Run: python -m benchmarks.mirrors CONTENDER URL DATABASE FOLDER

dlt is its `rest_api` source with `primary_key` and `write_disposition="merge"`, and its own destinations. Its
state is in FOLDER. It repeats a request that is refused 20 times before it stops, instead of 5 times.

The bare loop fetches one page after another, and decodes it with msgspec. Into PostgreSQL it copies all pages
into staging tables, and upserts them once. Into SQLite it upserts each page with `executemany`. It stores
typed columns and the raw JSON of each order, but no cursor. After a refused request it waits ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, closing
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args

import aiohttp
import msgspec
import psycopg
from msgspec import structs

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem

from .orders import FIRST_DAY, LAST_DAY, LIST_PATH
from .peers import msgspec_page_decoder
from .sync import (
    ITEM_COLUMNS,
    ORDER_COLUMNS,
    Run,
    empty_database,
    item_values,
    most_memory,
    order_values,
    raw_rows,
    write_page,
)

__all__ = ["BARE", "DLT", "DLT_DEFAULT", "OURS", "SQLITE_PREFIX"]

OURS, DLT, DLT_DEFAULT, BARE = "ours", "dlt", "dlt, as it comes", "bare loop"
SQLITE_PREFIX: Final = "sqlite:///"
_TOO_MANY_REQUESTS = 429
_BACKOFF = 10.0
_MOST_ATTEMPTS = "20"


def ours(url: str, database: str, _folder: str) -> None:
    """Run the sync as users call it."""

    async def run() -> None:
        async with CycleSoftSession("user", "pass", base_url=url) as cs:
            await sync_workshop_orders(cs, Store(database), date_from=FIRST_DAY, date_until=LAST_DAY)

    asyncio.run(run())


def dlt_patient(url: str, database: str, folder: str) -> None:
    """Run dlt with more attempts for a request than it makes by default."""
    os.environ["RUNTIME__REQUEST_MAX_ATTEMPTS"] = _MOST_ATTEMPTS
    dlt_as_it_comes(url, database, folder)


def dlt_as_it_comes(url: str, database: str, folder: str) -> None:
    """Run dlt's source for any REST API."""
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", DLT_DATA_DIR=folder)
    import dlt  # noqa: PLC0415 - its settings are read at import, and the others shall not carry it
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    days: dict[str, Any] = {"date_from": f"{FIRST_DAY}", "date_until": f"{LAST_DAY}"}
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "auth": {"type": "http_basic", "username": "user", "password": "pass"},
                "paginator": {"type": "json_link", "next_url_path": "pagination.next_url"},
            },
            "resources": [
                {
                    "name": "workshop_orders",
                    "endpoint": {"path": LIST_PATH, "params": days, "data_selector": "data"},
                    "primary_key": "workshop_order_id",
                    "write_disposition": "merge",
                }
            ],
        }
    )
    is_sqlite = database.startswith(SQLITE_PREFIX)
    destinations = dlt.destinations
    # It asks for a host; the socket's folder in the query takes precedence.
    of_postgres = database.replace("@/", "@localhost/")
    pipeline = dlt.pipeline(
        "mirror",
        pipelines_dir=folder,
        destination=destinations.sqlalchemy(database) if is_sqlite else destinations.postgres(of_postgres),
        dataset_name="main" if is_sqlite else "public",
    )
    pipeline.run(source)


def bare(url: str, database: str, _folder: str) -> None:
    """Run the bare loop."""
    if database.startswith(SQLITE_PREFIX):
        asyncio.run(_into_sqlite(url, database.removeprefix(SQLITE_PREFIX)))
    else:
        asyncio.run(_into_postgres(url, database))


async def _pages(url: str) -> AsyncGenerator[tuple[Sequence[Any], list[str]]]:
    """Yield the orders of each page, and the raw JSON of each."""
    decoder = msgspec_page_decoder()
    target = f"{LIST_PATH}?date_from={FIRST_DAY}&date_until={LAST_DAY}"
    async with aiohttp.ClientSession() as http:
        while target:
            async with http.get(url + target) as response:
                body = await response.read()
            if response.status == _TOO_MANY_REQUESTS:
                await asyncio.sleep(_BACKOFF)
                continue
            page = decoder.decode(body)
            yield page.data, raw_rows(body)
            target = page.pagination.next_url


async def _into_sqlite(url: str, database: str) -> None:
    with closing(empty_database(database)) as connection:
        async with aclosing(_pages(url)) as pages:
            async for orders, raws in pages:
                write_page(connection, orders, raws)


def _definitions(kind: type[msgspec.Struct], names: Sequence[str]) -> str:
    types = {field.encode_name: field.type for field in structs.fields(kind)}
    return ", ".join(f"{name} {_sql_type(types[name])}" for name in names)


def _sql_type(type_: object) -> str:
    known: Mapping[object, str] = {
        bool: "boolean", int: "bigint", Decimal: "numeric", datetime: "timestamp", str: "text",
    }  # fmt: skip
    return next(known[each] for each in (*get_args(type_), type_) if each in known)


_ORDERS: Final = f"{_definitions(WorkshopOrder, ORDER_COLUMNS)}, raw jsonb"
_LINES: Final = f"workshop_order_id bigint, position integer, {_definitions(WorkshopOrderItem, ITEM_COLUMNS)}"
_KEYS: Final = {
    "workshop_orders": "workshop_order_id",
    "workshop_order_items": "workshop_order_id, position",
}


def _setup() -> str:
    return "; ".join(
        f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({_KEYS[table]}));"
        f"CREATE TEMPORARY TABLE staged_{table} ({columns})"
        for table, columns in (("workshop_orders", _ORDERS), ("workshop_order_items", _LINES))
    )


def _upsert(table: str, columns: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in _KEYS[table])
    return (
        f"INSERT INTO {table} SELECT * FROM staged_{table}"  # noqa: S608 - constant names
        f" ON CONFLICT ({_KEYS[table]}) DO UPDATE SET {changes}"
    )


async def _into_postgres(url: str, database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        cursor = connection.cursor()
        await cursor.execute(_setup().encode())
        async with aclosing(_pages(url)) as pages:
            async for orders, raws in pages:
                async with cursor.copy(b"COPY staged_workshop_orders FROM STDIN") as copy:
                    for order, raw in zip(orders, raws, strict=True):
                        await copy.write_row((*order_values(order), raw))
                async with cursor.copy(b"COPY staged_workshop_order_items FROM STDIN") as copy:
                    for order in orders:
                        for position, line in enumerate(order.order_items):
                            await copy.write_row((order.workshop_order_id, position, *item_values(line)))
        await cursor.execute(_upsert("workshop_orders", [*ORDER_COLUMNS, "raw"]).encode())
        await cursor.execute(_upsert("workshop_order_items", ITEM_COLUMNS).encode())


_CONTENDERS: Final[Mapping[str, Callable[[str, str, str], None]]] = {
    OURS: ours,
    DLT: dlt_patient,
    DLT_DEFAULT: dlt_as_it_comes,
    BARE: bare,
}


def main(contender: str, url: str, database: str, folder: str) -> None:
    # The monotonic clock, as that is the one that runs faster in scaled time.
    began, cpu = time.monotonic(), time.process_time()
    _CONTENDERS[contender](url, database, folder)
    run = Run(seconds=time.monotonic() - began, cpu=time.process_time() - cpu, megabytes=most_memory())
    sys.stdout.buffer.write(msgspec.json.encode(run))


if __name__ == "__main__":
    main(*sys.argv[1:])
