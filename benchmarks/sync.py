"""Bulk sync: orders from a server into SQLite, against a bare loop that decodes and writes the same pages.

Every run is a process of its own: `python -m benchmarks.sync CONTENDER URL DATABASE` prints its measurements.

The bare loop fetches one page after another, decodes it with msgspec, and writes orders and lines with
`executemany`, one transaction per page, into tables without further indexes. It stores no cursor, no raw JSON
and no zone, ignores the quota, and handles no failures.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import msgspec
from msgspec import structs

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem

from .measuring import Effort, Goal, Part, Table, turns
from .orders import FIRST_DAY, LAST_DAY, LIST_PATH
from .peers import msgspec_page_decoder
from .serving import orders_server

__all__ = [
    "ITEM_COLUMNS",
    "ORDER_COLUMNS",
    "Row",
    "Run",
    "empty_database",
    "item_values",
    "measure",
    "most_memory",
    "order_values",
    "raw_rows",
    "storable",
    "write_page",
]

OURS, BARE, RAW = "ours", "bare loop", "bare loop that keeps the raw JSON"
COLUMN = "from an empty database"
_PATIENCE = 900.0

Row: TypeAlias = tuple[object, ...]


class Run(msgspec.Struct, frozen=True):
    """Measurements of a run."""

    seconds: float
    cpu: float
    """CPU seconds of all threads."""
    megabytes: float
    """Peak memory."""


def measure(effort: Effort) -> Part:
    """Measure orders per second, and memory for tenfold numbers of orders."""
    count = effort.number(20_000, 200_000)
    speed = Table(
        title=f"Sync of {count:,} orders into SQLite", unit="orders/s", columns=[COLUMN], beside=BARE
    )
    cpu = Table(title="The same, CPU time", unit="µs an order", columns=[COLUMN], beside=BARE, charted=False)
    with orders_server(count) as url:
        for name in (BARE, OURS):
            _run(name, url, count)  # warms up the server's pages
        for name in turns([BARE, RAW, OURS], effort.number(2, 5)):
            run = _run(name, url, count)
            speed.add(name, COLUMN, count / run.seconds)
            cpu.add(name, COLUMN, run.cpu / count * 1e6)
    memory = _memory((1_000, 10_000) if effort.quick else (10_000, 100_000, 1_000_000))
    return Part(
        name="sync",
        tables=[speed, cpu, memory],
        goals=[
            Goal(words="of the bare loop", measured=speed.ratio(OURS, COLUMN, BARE), at_least=0.7),
            *(
                Goal(words=f"MB at most, {size}", measured=memory.median(OURS, size), at_most=150)
                for size in memory.columns
            ),
        ],
        notes=[
            "Pages come from the bundled server, which answers any range of days, in a process of its own."
        ],
    )


def _memory(counts: Sequence[int]) -> Table:
    table = Table(
        title="Memory of a sync", unit="MB at most", columns=[f"{count:,} orders" for count in counts]
    )
    for count, column in zip(counts, table.columns, strict=True):
        with orders_server(count) as url:
            table.add(OURS, column, _run(OURS, url, count).megabytes)
    return table


def _run(contender: str, url: str, count: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "orders.db")
        command = [sys.executable, "-m", "benchmarks.sync", contender, url, database]
        shown = subprocess.check_output(command, timeout=_PATIENCE)  # noqa: S603
        with closing(sqlite3.connect(database)) as connection:
            [[written]] = connection.execute("SELECT count(*) FROM workshop_orders")
    run = msgspec.json.decode(shown, type=Run)
    assert written == count, (contender, written, count)
    return run


async def ours(url: str, database: str) -> None:
    """Run the sync as users call it."""
    async with CycleSoftSession("user", "pass", base_url=url) as cs:
        await sync_workshop_orders(
            cs, Store(f"sqlite:///{database}"), date_from=FIRST_DAY, date_until=LAST_DAY, concurrency=8
        )


def _columns(struct: type[msgspec.Struct]) -> list[str]:
    lists = {"order_items", "repair_codes", "service_card_codes"}
    return [field.encode_name for field in structs.fields(struct) if field.encode_name not in lists]


ORDER_COLUMNS, ITEM_COLUMNS = _columns(WorkshopOrder), _columns(WorkshopOrderItem)
order_values: Callable[[object], Row] = attrgetter(*ORDER_COLUMNS)
item_values: Callable[[object], Row] = attrgetter(*ITEM_COLUMNS)


class RawPage(msgspec.Struct):
    """The rows of a page, undecoded."""

    data: list[msgspec.Raw]


_raw_decoder = msgspec.json.Decoder(RawPage)


def raw_rows(body: bytes) -> list[str]:
    """Return the JSON of each row of a page."""
    return [bytes(raw).decode() for raw in _raw_decoder.decode(body).data]


async def bare(url: str, database: str, *, keeps_raw: bool) -> None:
    """Run the bare loop."""
    decoder = msgspec_page_decoder()
    target = f"{LIST_PATH}?date_from={FIRST_DAY}&date_until={LAST_DAY}"
    with closing(empty_database(database)) as connection:
        async with aiohttp.ClientSession() as http:
            while target:
                async with http.get(url + target) as response:
                    body = await response.read()
                page = decoder.decode(body)
                raws = raw_rows(body) if keeps_raw else []
                write_page(connection, page.data, raws or [None] * len(page.data))
                target = page.pagination.next_url


def empty_database(database: str) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS workshop_orders ({', '.join(ORDER_COLUMNS)}, raw,"
        " PRIMARY KEY (workshop_order_id))"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS workshop_order_items (workshop_order_id, position,"
        f" {', '.join(ITEM_COLUMNS)}, PRIMARY KEY (workshop_order_id, position))"
    )
    return connection


def write_page(connection: sqlite3.Connection, orders: Sequence[Any], raws: Sequence[str | None]) -> None:
    rows = [(*map(storable, order_values(order)), raw) for order, raw in zip(orders, raws, strict=True)]
    lines = [
        (order.workshop_order_id, position, *map(storable, item_values(line)))
        for order in orders
        for position, line in enumerate(order.order_items)
    ]
    connection.execute("BEGIN")
    connection.executemany(_INSERT_ORDERS, rows)
    connection.executemany(_INSERT_LINES, lines)
    connection.execute("COMMIT")


def _insert(table: str, columns: int) -> str:
    return f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - constant names


_INSERT_ORDERS = _insert("workshop_orders", len(ORDER_COLUMNS) + 1)
_INSERT_LINES = _insert("workshop_order_items", len(ITEM_COLUMNS) + 2)


def storable(value: object) -> object:
    return str(value) if isinstance(value, datetime | Decimal) else value


def main(contender: str, url: str, database: str) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(ours(url, database) if contender == OURS else bare(url, database, keeps_raw=contender == RAW))
    run = Run(
        seconds=time.perf_counter() - began,
        cpu=time.process_time() - cpu,
        megabytes=most_memory(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(run))


def most_memory() -> float:
    # Not getrusage, whose figure starts at that of the parent process.
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) / 1_000


if __name__ == "__main__":
    main(*sys.argv[1:])
