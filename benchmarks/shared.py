"""Cost of sharing: inbox and quota in PostgreSQL, against those of a single process.

Deliveries are put into an inbox without HTTP, which the part `webhook` measures. To handle them, a receiver
claims what `put` stores, 32 concurrently. The time ends with the last handler, which does nothing. Each
delivery is of an entity of its own, or of one of 8. Behind a failing entity, all but the first of its events
wait, and the rate is that of 8 others.

Each waiter acquires a permit, reports a response in the next pass of the event loop, and acquires again.
There is always quota, so waiters wait for the ledger only. Four processes compete for the account's row, with
a quarter of the waiters each.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import psycopg
from aiohttp import web

from cyclesoft_async.quota import Limiter
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Delivery, Inbox, QueuedDelivery

from .measuring import Effort, Goal, Part, Table, turns
from .postgres import postgres_server
from .webhooks import PAYLOAD

__all__ = ["Spent", "handled_a_second", "measure", "spend", "spend_shared", "stored_a_second"]

NewDatabase: TypeAlias = Callable[[], str]

SQLITE, POSTGRES = "ours, SqliteInbox", "ours, PostgresInbox"
ONE_PUT, PUTS, PUTS_FEW = "stored, 1 at once", "stored, 32 at once", "stored, 32 at once, 8 entities"
HANDLED, HANDLED_FEW = "handled, 32 at once", "handled, 32 at once, 8 entities"
BEHIND = "the same, beside a failing entity with a backlog"
FEW = 8
FAILING = 1_000_000
BACKLOG = 10_000
AT_ONCE = 32
WARM_UP = 0.5
"""Warm-up as a share of the duration: opens the pool's connections and prepares their statements."""

IN_MEMORY, SHARED = "ours, in memory", "ours, in PostgreSQL"
BY_PROCESSES = f"{SHARED}, 4 processes"
PROCESSES = 4
CROWDS = {"1 waits": 1, "8 wait": 8, "64 wait": 64}
_PATIENCE = 60.0
PLENTY = {"X-RateLimit-Minutely-Limit": "100000000", "X-RateLimit-Daily-Limit": "100000000"}


def measure(effort: Effort) -> Part:
    """Measure deliveries per second, and the cost of a permit."""
    with postgres_server() as new_database:
        version = _version(new_database())
        deliveries = _deliveries(new_database, effort)
        grants, cpu = _grants(new_database(), effort)
    crowd = list(CROWDS)[-1]
    return Part(
        name="shared",
        tables=[deliveries, grants, cpu],
        goals=[
            Goal(
                words=f"{PUTS_FEW}, share of SqliteInbox",
                measured=deliveries.ratio(POSTGRES, PUTS_FEW, SQLITE),
                at_least=0.4,
            ),
            Goal(
                words=f"{HANDLED_FEW}, share of SqliteInbox",
                measured=deliveries.ratio(POSTGRES, HANDLED_FEW, SQLITE),
                at_least=0.3,
            ),
            Goal(
                words=f"PostgresInbox, {BEHIND}, share of the rate without it",
                measured=deliveries.median(POSTGRES, BEHIND) / deliveries.median(POSTGRES, HANDLED_FEW),
                at_least=0.8,
            ),
            Goal(words=f"ms a permit, {crowd}", measured=grants.median(SHARED, crowd) / 1_000, at_most=2),
            Goal(
                words=f"ms a permit, {crowd}, in {PROCESSES} processes",
                measured=grants.median(BY_PROCESSES, crowd) / 1_000,
                at_most=2,
            ),
        ],
        notes=[f"PostgreSQL {version}; a flush of the disk, which commits wait for, took {_flush():.2f} ms."],
    )


def _deliveries(new_database: NewDatabase, effort: Effort) -> Table:
    """Measure with new tables for each number, so that earlier rows cost no contender anything."""
    table = Table(
        title="Deliveries into an inbox",
        unit="a second",
        columns=[ONE_PUT, PUTS, PUTS_FEW, HANDLED, HANDLED_FEW, BEHIND],
        beside=SQLITE,
    )
    seconds, backlog = effort.pick(0.1, 1.5), effort.number(100, BACKLOG)
    with tempfile.TemporaryDirectory() as folder:
        inboxes: dict[str, Callable[[], Inbox]] = {
            SQLITE: lambda: SqliteInbox(Path(folder) / f"{uuid4()}.db"),
            POSTGRES: lambda: PostgresInbox(new_database()),
        }
        for name in turns(list(inboxes), effort.number(2, 5)):
            new = inboxes[name]
            table.add(name, ONE_PUT, asyncio.run(stored_a_second(new(), 1, seconds)))
            table.add(name, PUTS, asyncio.run(stored_a_second(new(), AT_ONCE, seconds)))
            table.add(name, PUTS_FEW, asyncio.run(stored_a_second(new(), AT_ONCE, seconds, entities=FEW)))
            table.add(name, HANDLED, asyncio.run(handled_a_second(new(), AT_ONCE, seconds)))
            few = handled_a_second(new(), AT_ONCE, seconds, entities=FEW)
            table.add(name, HANDLED_FEW, asyncio.run(few))
            behind = handled_a_second(new(), AT_ONCE, seconds, entities=FEW, backlog=backlog)
            table.add(name, BEHIND, asyncio.run(behind))
    return table


async def stored_a_second(
    inbox: Inbox, at_once: int, seconds: float, *, entities: int | None = None
) -> float:
    """Put deliveries without handling them."""
    await inbox.open(_ignore)
    try:
        await _put(inbox, at_once, seconds * WARM_UP, entities)
        began = time.perf_counter()
        stored = await _put(inbox, at_once, seconds, entities)
        return stored / (time.perf_counter() - began)
    finally:
        await inbox.close()


async def handled_a_second(
    inbox: Inbox, at_once: int, seconds: float, *, entities: int | None = None, backlog: int = 0
) -> float:
    """Put deliveries, and wait until the last one is handled. The first event of a backlog fails."""
    receiver = WebhookReceiver("a secret of the benchmarks", inbox, retry_after=3_600.0)
    handled = asyncio.Semaphore(0)
    failed = asyncio.Event()

    @receiver.on(events.WorkshopOrderUpdated)
    async def count_it(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.workshop_order_id == FAILING:
            failed.set()
            raise ValueError
        handled.release()

    async def put_and_wait(seconds: float) -> int:
        stored = await _put(inbox, at_once, seconds, entities)
        for _ in range(stored):
            await handled.acquire()
        return stored

    async with _running(receiver):
        if backlog:
            logging.getLogger("cyclesoft_async.webhooks").setLevel(logging.ERROR)
            await inbox.put(_delivery(FAILING))
            await failed.wait()
            await asyncio.gather(*(inbox.put(_delivery(FAILING)) for _ in range(backlog)))
        await put_and_wait(seconds * WARM_UP)
        began = time.perf_counter()
        stored = await put_and_wait(seconds)
        return stored / (time.perf_counter() - began)


async def _put(inbox: Inbox, at_once: int, seconds: float, entities: int | None) -> int:
    """Return the number stored in that time, of that many orders in turn, or each of another order."""
    numbers = count(1)
    stored = 0
    until = time.perf_counter() + seconds

    async def put_some() -> None:
        nonlocal stored
        while time.perf_counter() < until:
            number = next(numbers)
            await inbox.put(_delivery(number if entities is None else number % entities + 1))
            stored += 1

    await asyncio.gather(*(put_some() for _ in range(at_once)))
    return stored


_TEMPLATE = PAYLOAD.read_bytes()
_ID, _ORDER = (
    json.loads(_TEMPLATE)["id"].encode(),
    b'"workshop_order_id": %d' % json.loads(_TEMPLATE)["payload"]["workshop_order_id"],
)


def _delivery(number: int) -> Delivery:
    """Return a delivery about an order."""
    id_ = str(uuid4())
    body = _TEMPLATE.replace(_ID, id_.encode()).replace(_ORDER, b'"workshop_order_id": %d' % number)
    return Delivery(
        account_id=1,
        id=id_,
        event_name="workshop_order.updated",
        ordering_key=f"1/workshop_order/{number}",
        event_timestamp=1_649_336_612.447,
        body=body,
    )


@asynccontextmanager
async def _running(receiver: WebhookReceiver) -> AsyncGenerator[None]:
    """Run a receiver's handlers, without a port."""
    runner = web.AppRunner(receiver.app(), handle_signals=False)
    await runner.setup()
    yield
    await runner.cleanup()


def _ignore(_: Sequence[QueuedDelivery]) -> None:
    pass


class Spent(NamedTuple):
    """Number and duration of permits."""

    permits: int
    seconds: float
    cpu: float
    """CPU time of the client, in seconds."""


def _grants(url: str, effort: Effort) -> tuple[Table, Table]:
    grants = Table(title="A permit, by number of waiters", unit="µs", columns=list(CROWDS))
    cpu = Table(title="The same, the client's CPU time", unit="µs", columns=list(CROWDS), charted=False)
    seconds = effort.pick(0.1, 1.0)
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(PROCESSES + 1)
    with context.Pool(PROCESSES, _say_started, [started]) as pool:
        started.wait(_PATIENCE)  # starting processes take the core of the measured ones
        contenders: dict[str, Callable[[int], Spent]] = {
            IN_MEMORY: lambda waiters: asyncio.run(spend(Limiter(max_concurrent=64), waiters, seconds)),
            SHARED: lambda waiters: spend_shared(url, uuid4().hex, waiters, seconds),
            BY_PROCESSES: lambda waiters: _spend_in_processes(pool, url, waiters, seconds),
        }
        for name in turns(list(contenders), effort.number(2, 5)):
            for column, waiters in CROWDS.items():
                if name != BY_PROCESSES or waiters >= PROCESSES:
                    spent = contenders[name](waiters)
                    grants.add(name, column, spent.seconds / spent.permits * 1e6)
                    cpu.add(name, column, spent.cpu / spent.permits * 1e6)
    return grants, cpu


async def spend(limiter: Limiter, waiters: int, seconds: float) -> Spent:
    """Acquire permits for that time."""
    (await limiter.acquire()).answered(200, PLENTY)
    permits = 0
    began, cpu = time.perf_counter(), time.process_time()
    until = began + seconds

    async def work() -> None:
        nonlocal permits
        while time.perf_counter() < until:
            permit = await limiter.acquire()
            await asyncio.sleep(0)
            permit.answered(200, PLENTY)
            permits += 1

    await asyncio.gather(*(work() for _ in range(waiters)))
    return Spent(permits, time.perf_counter() - began, time.process_time() - cpu)


def _spend_in_processes(pool: Pool, url: str, waiters: int, seconds: float) -> Spent:
    """The same, by several processes."""
    job = (url, uuid4().hex, waiters // PROCESSES, seconds)
    spent = pool.starmap(spend_shared, [job] * PROCESSES, chunksize=1)
    return Spent(
        permits=sum(one.permits for one in spent),
        seconds=max(one.seconds for one in spent),
        cpu=sum(one.cpu for one in spent),
    )


def _say_started(started: Barrier) -> None:
    started.wait(_PATIENCE)


def spend_shared(url: str, account: str, waiters: int, seconds: float) -> Spent:
    """The same, with the account's quota in a database."""

    async def main() -> Spent:
        limiter = PostgresLedger(url).limiter(
            account, "https://api.example.com", max_concurrent=64, bulk_reserve=None
        )
        try:
            return await spend(limiter, waiters, seconds)
        finally:
            await limiter.aclose()

    return asyncio.run(main())


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.info.parameter_status("server_version") or "of an unknown version"


def _flush() -> float:
    """Return the median milliseconds of a flush in the folder of both databases."""
    took: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(100):
            file.write(bytes(8_192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took) * 1_000
