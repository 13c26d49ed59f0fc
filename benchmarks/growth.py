"""Growth: cost of ten times more work, as the slope of the time on two logarithmic scales.

A slope of 1 means ten times the time for ten times the work. A steeper slope is a bug.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import linear_regression, median
from typing import TypeAlias

import aiohttp
from aiohttp import web

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import delivery

from .decode import ours
from .limiter_cost import contended
from .measuring import Effort, Goal, Part, Table
from .orders import FIRST_DAY, LAST_DAY, page, templates
from .serving import free_port, orders_server
from .virtual_time import run

__all__ = ["measure"]

Cost: TypeAlias = Callable[[int], float]
"""Returns the CPU seconds for an amount of work."""

STEEPEST = 1.1
SECRET = "growth"
SENDERS = 32


def measure(effort: Effort) -> Part:
    """Measure CPU time for an amount of work, ten and a hundred times as much."""
    cases: dict[str, tuple[Cost, Sequence[int]]] = {
        "decoding a page, by its orders": (_decode, (10, 100, 1_000, 10_000)),
        "paging through a list, by its orders": (_page_through, _sizes(effort, 1_000)),
        "limiter, by those who wait": (_wait, (100, 1_000, 10_000)),
        "webhooks received and handled, by their number": (_deliver, _sizes(effort, 300)),
        "sync into SQLite, by orders and so by windows": (_sync, _sizes(effort, 1_000)),
    }
    table = Table(title="Growth, slope of CPU time", unit="1 is linear", columns=["slope"], charted=False)
    times = Table(title="Growth, CPU time", unit="µs for each", columns=[], charted=False)
    for name, (cost, sizes) in cases.items():
        for _ in range(effort.number(2, 5)):
            spent = [_collected(cost, size) for size in sizes]
            table.add(name, "slope", _slope(sizes, spent))
            for size, seconds in zip(sizes, spent, strict=True):
                column = f"{size:,}"
                if column not in times.columns:
                    times.columns.append(column)
                times.add(name, column, seconds / size * 1e6)
    goals = [
        Goal(words=f"slope: {name}", measured=table.median(name, "slope"), at_most=STEEPEST) for name in cases
    ]
    return Part(name="growth", tables=[table, times], goals=goals)


def _sizes(effort: Effort, smallest: int) -> Sequence[int]:
    """Return sizes that grow tenfold, three of them in a full run."""
    return [smallest * 10**power for power in range(effort.number(2, 3))]


def _slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    return linear_regression([math.log(size) for size in sizes], [math.log(spent) for spent in seconds]).slope


def _collected(cost: Cost, size: int) -> float:
    gc.collect()
    return cost(size)


def _decode(orders: int) -> float:
    body = page(orders)
    repeats = max(3, 10_000 // orders)
    spent: list[float] = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(repeats):
            ours(body)
        spent.append((time.process_time() - began) / repeats)
    return median(spent)


def _page_through(orders: int) -> float:
    async def main(url: str) -> float:
        async with CycleSoftSession("user", "pass", base_url=url) as cs:
            await cs.workshop_orders.list(date_from=FIRST_DAY, date_until=FIRST_DAY)
            began = time.process_time()
            async for _ in cs.workshop_orders.list(date_from=FIRST_DAY, date_until=LAST_DAY):
                pass
            return time.process_time() - began

    with orders_server(orders) as url:
        return asyncio.run(main(url))


def _wait(waiters: int) -> float:
    gc.disable()  # as in `limiter`: a collection's cost depends on all live objects, also on the 10,000 tasks
    try:
        return run(contended(waiters)) * waiters / 1e6
    finally:
        gc.enable()


def _sync(orders: int) -> float:
    async def main(url: str, database: Path) -> float:
        async with CycleSoftSession("user", "pass", base_url=url) as cs:
            store = Store(f"sqlite:///{database}")
            await sync_workshop_orders(cs, store, date_from=FIRST_DAY, date_until=FIRST_DAY)
            began = time.process_time()
            await sync_workshop_orders(cs, store, date_from=FIRST_DAY, date_until=LAST_DAY)
            return time.process_time() - began

    with orders_server(orders) as url, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(main(url, Path(folder) / "orders.db"))


def _deliver(number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_deliver_into(Path(folder) / "inbox.db", number))


async def _deliver_into(inbox: Path, number: int) -> float:
    receiver = WebhookReceiver(SECRET, SqliteInbox(inbox))
    handled = asyncio.Semaphore(0)

    @receiver.on(events.WorkshopOrderUpdated)
    async def count(_: events.WorkshopOrderUpdated) -> None:
        handled.release()

    payload = json.loads(templates(1)[0].order(1, FIRST_DAY))
    todo = iter(
        [
            delivery(events.WorkshopOrderUpdated, payload | {"workshop_order_id": order_id}, secret=SECRET)
            for order_id in range(number)
        ]
    )
    async with _served(receiver.app()) as url, aiohttp.ClientSession() as http:

        async def send() -> None:
            for signed in todo:
                async with http.post(url, data=signed.body, headers=signed.headers) as response:
                    assert response.status == HTTPStatus.OK

        began = time.process_time()
        await asyncio.gather(*(send() for _ in range(SENDERS)))
        for _ in range(number):
            await handled.acquire()
        return time.process_time() - began


@asynccontextmanager
async def _served(app: web.Application) -> AsyncGenerator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/"
    await runner.cleanup()
