"""`kill -9` at any moment: nothing is lost, and hardly anything is asked for twice."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from cyclesoft_async.bulksync import SyncReport, sync_workshop_orders
from cyclesoft_async.bulksync.store import Store
from cyclesoft_async.sandbox import Sandbox

from .postgres import Server, query
from .syncing import YEAR, contents, limitless, session

READERS = 8
ROUNDS = [(3, 3_000), pytest.param(50, 20_000, marks=pytest.mark.soak)]


async def one_life(sandbox: Sandbox, database: str, seconds: float) -> SyncReport | None:
    """A sync that is killed so many seconds after it began; its report if it was faster."""
    script = str(Path(__file__).with_name("kill_sync.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, sandbox.url, database, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begins\n"
    alarm = asyncio.get_running_loop().call_later(seconds, process.kill)
    told = await process.stdout.read()
    alarm.cancel()
    await process.wait()
    return json.decode(told, type=SyncReport) if told else None


async def survive(sandbox: Sandbox, database: str, kills: int) -> tuple[SyncReport, int]:
    """A sync that is killed so often, and how often it really was."""
    dice = random.Random()  # noqa: S311
    killed = 0
    while killed < kills:
        report = await one_life(sandbox, database, dice.uniform(0.0, 0.4))
        if report is not None:
            return report, killed
        killed += 1
    report = await one_life(sandbox, database, 600)
    assert report is not None
    return report, killed


@pytest.mark.parametrize(("kills", "orders"), ROUNDS)
async def test_sqlite(tmp_path: Path, kills: int, orders: int) -> None:
    async with limitless(orders, page_size=20 if orders < 20_000 else 100) as sandbox:
        async with session(sandbox.url) as cs:
            calm = await sync_workshop_orders(cs, Store(f"sqlite:///{tmp_path}/calm.db"), **YEAR)
        done = 0
        while done < kills:
            file = tmp_path / f"killed {done}.db"
            before = sandbox.requests
            report, killed = await survive(sandbox, f"sqlite:///{file}", kills - done)
            assert report.orders == orders
            assert report.resumed or not killed
            assert sandbox.requests - before <= calm.requests + READERS * (killed + 1)
            assert contents(file) == contents(tmp_path / "calm.db")
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
            before = sandbox.requests
            report, killed = await survive(sandbox, database, kills - done)
            assert report.orders == orders
            assert sandbox.requests - before <= calm.requests + READERS * (killed + 1)
            assert in_postgres(database) == in_postgres(undisturbed)
            done += killed


def in_postgres(database: str) -> Mapping[str, list[tuple[Any, ...]]]:
    keys = {"workshop_orders": "workshop_order_id", "workshop_order_items": "workshop_order_id, position"}
    return {table: query(database, f"select * from {table} order by {key}") for table, key in keys.items()}  # noqa: S608
