"""`kill -9` at any moment: no order is lost, and few pages are fetched twice."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from cyclesoft_async.bulksync import ALL_TABLES, sync, sync_workshop_orders
from cyclesoft_async.bulksync.fetch.plan import MOST_PAGES
from cyclesoft_async.bulksync.resources import ALL
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.runs import StoredRun
from cyclesoft_async.bulksync.store.store import Store
from cyclesoft_async.sandbox import Sandbox
from tests.support.paths import SUPPORT
from tests.support.postgres import Server, query
from tests.support.store import SQLITE, contents
from tests.support.sync import YEAR, limitless, session

READERS = 8
ROUNDS = [(3, 3_000), pytest.param(50, 20_000, marks=pytest.mark.soak)]


async def one_life(sandbox: Sandbox, database: str, seconds: float, *tables: str) -> bool:
    """Run a sync, kill it some seconds after its start, and return whether it was killed."""
    script = str(SUPPORT / "kill_sync.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, sandbox.url, database, *tables, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begins\n"
    alarm = asyncio.get_running_loop().call_later(seconds, process.kill)
    await process.stdout.read()
    alarm.cancel()
    return await process.wait() != 0


async def survive(sandbox: Sandbox, database: str, kills: int) -> tuple[StoredRun, int]:
    """Kill a run up to a number of times until it finishes, and return the number of kills."""
    dice = random.Random()  # noqa: S311
    killed = 0
    while True:
        killed += await one_life(sandbox, database, dice.uniform(0.0, 0.4) if killed < kills else 600)
        # Read from the store: it may have finished, and been killed before it reported that.
        async with Store(database).open() as writer:
            run = await writer.run(runs.last_run, **YEAR)
        if run is not None and run.finished_at is not None:
            return run, killed


@pytest.mark.parametrize(("kills", "orders"), ROUNDS)
async def test_sqlite(tmp_path: Path, kills: int, orders: int) -> None:
    undisturbed = f"{SQLITE}{tmp_path}/undisturbed.db"
    async with limitless(orders, page_size=20 if orders < 20_000 else 100) as sandbox:
        async with session(sandbox.url) as cs:
            calm = await sync_workshop_orders(cs, Store(undisturbed), **YEAR)
        done = 0
        while done < kills:
            database = f"{SQLITE}{tmp_path}/killed {done}.db"
            before = sandbox.received
            run, killed = await survive(sandbox, database, kills - done)
            assert (run.run_id, run.orders) == (1, orders)
            assert sandbox.received - before <= calm.requests * 1.1 + READERS * MOST_PAGES * (killed + 1)
            assert contents(database) == contents(undisturbed)
            done += killed


@pytest.mark.parametrize(("kills", "orders"), ROUNDS)
async def test_postgres(postgres_server: Server, kills: int, orders: int) -> None:
    undisturbed = postgres_server.database()
    async with limitless(orders, page_size=20 if orders < 20_000 else 100) as sandbox:
        async with session(sandbox.url) as cs:
            calm = await sync_workshop_orders(cs, Store(undisturbed), **YEAR)
        done = 0
        while done < kills:
            database = postgres_server.database()
            before = sandbox.received
            run, killed = await survive(sandbox, database, kills - done)
            # A transaction that was killed has used up its number.
            assert (query(database, "SELECT count(*) FROM cyclesoft_runs"), run.orders) == ([(1,)], orders)
            assert sandbox.received - before <= calm.requests * 1.1 + READERS * MOST_PAGES * (killed + 1)
            assert contents(database) == contents(undisturbed)
            done += killed


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
async def test_all_tables(url: str, kills: int) -> None:
    dice = random.Random()  # noqa: S311
    async with limitless(300) as sandbox:
        for _ in range(kills):
            await one_life(sandbox, url, dice.uniform(0.0, 1.0), "all")
        assert not await one_life(sandbox, url, 600, "all")
        after_kills = contents(url, ALL)
        assert all(after_kills[name] for name in ALL_TABLES)
        # Reading everything again changes nothing. To this process the sandbox is another account.
        async with session(sandbox.url) as cs:
            await sync(cs, Store(url, adopt=True), ALL_TABLES, **YEAR, resume=False)
        assert contents(url, ALL) == after_kills
