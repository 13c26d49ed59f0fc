"""Several workers sync one range into PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TypedDict

import anyio
import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy, errors
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.bulksync.store.runs import StoredRun
from cyclesoft_async.bulksync.workers import sync_with_workers, work
from cyclesoft_async.sandbox import Sandbox
from tests.support.paths import ROOT
from tests.support.polling import until
from tests.support.postgres import Server, query
from tests.support.store import contents
from tests.support.worker import LEASE_SECONDS


class Days(TypedDict):
    date_from: date
    date_until: date


YEAR = Days(date_from=date(2025, 1, 1), date_until=date(2025, 12, 31))


def session(sandbox: Sandbox, password: str = "pass") -> CycleSoftSession:
    return CycleSoftSession("user", password, base_url=sandbox.url, retries=RetryPolicy.none())


@asynccontextmanager
async def working(cs: CycleSoftSession, url: str, workers: int = 1) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as tasks:
        for _ in range(workers):
            tasks.start_soon(lambda: work(cs, Store(url), lease=LEASE_SECONDS))
        yield
        tasks.cancel_scope.cancel()


@contextmanager
def process(url: str, sandbox: Sandbox) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.support.worker", url, sandbox.url]
    with subprocess.Popen(command, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


async def test_two_workers_and_one_process_give_the_same_tables_in_postgres(postgres_server: Server) -> None:
    alone, shared = postgres_server.database(), postgres_server.database()
    seen: list[StoredRun] = []
    async with Sandbox(orders=2_000, minutely_limit=10_000) as sandbox, session(sandbox) as cs:
        await sync_workshop_orders(cs, Store(alone), **YEAR)
        async with working(cs, shared, workers=2):
            run = await sync_with_workers(Store(shared), **YEAR, on_progress=seen.append)
    assert run.orders == 2_000
    assert run.finished_at is not None
    assert seen[-1] == run
    assert run.unread == []
    assert query(shared, "SELECT id FROM cyclesoft.procrastinate_jobs WHERE task_name ~ 'window'") == []
    assert contents(shared) == contents(alone)


@pytest.mark.parametrize("orders", [4_000, pytest.param(50_000, marks=pytest.mark.soak)])
async def test_workers_finish_the_windows_of_killed_workers_in_postgres(
    postgres_server: Server, orders: int
) -> None:
    alone, shared = postgres_server.database(), postgres_server.database()
    pages = orders // 100
    async with Sandbox(orders=orders, minutely_limit=10**6, daily_limit=10**6) as sandbox:
        async with session(sandbox) as cs:
            await sync_workshop_orders(cs, Store(alone), **YEAR)
        undisturbed = sandbox.received

        async def kill(child: subprocess.Popen[bytes], after_pages: int) -> None:
            await until(lambda: sandbox.received >= undisturbed + after_pages)
            os.kill(child.pid, signal.SIGKILL)

        with process(shared, sandbox) as one, process(shared, sandbox) as two, process(shared, sandbox):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(kill, one, pages // 4)
                tasks.start_soon(kill, two, pages // 2)
                run = await sync_with_workers(Store(shared), **YEAR)
                assert run.orders == orders
    assert contents(shared) == contents(alone)


async def test_a_stopped_worker_gives_its_windows_back_at_once_in_postgres(postgres: str) -> None:
    async with Sandbox(orders=3_000, minutely_limit=10_000, latency=0.02) as sandbox, session(sandbox) as cs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: sync_with_workers(Store(postgres), **YEAR, windows=4))
            async with working(cs, postgres):
                await until(lambda: sandbox.received > 8)
            states = query(postgres, "SELECT DISTINCT status::text FROM cyclesoft.procrastinate_jobs")
            assert states == [("todo",)]
            tasks.cancel_scope.cancel()
        async with working(cs, postgres):
            run = await sync_with_workers(Store(postgres), **YEAR)
    assert run.orders == 3_000


async def test_a_used_up_day_postpones_windows_until_the_reset_in_postgres(postgres: str) -> None:
    planned_at_midnight = (
        "SELECT DISTINCT (coalesce(scheduled_at, now()) AT TIME ZONE 'Europe/Amsterdam')::time < '00:01',"
        " attempts > 0 FROM cyclesoft.procrastinate_jobs"
    )
    async with Sandbox(orders=3_000, daily_limit=10) as sandbox, session(sandbox) as cs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: sync_with_workers(Store(postgres), **YEAR))
            async with working(cs, postgres):
                await until(
                    lambda: sandbox.received > 5 and query(postgres, planned_at_midnight) == [(True, True)]
                )
            tasks.cancel_scope.cancel()
        assert sandbox.refused == 0
    assert query(postgres, planned_at_midnight) == [(True, True)], "a worker that stops leaves them there"


async def test_a_permanent_failure_is_reported_and_retried_on_request_in_postgres(postgres: str) -> None:
    async with Sandbox(orders=300) as sandbox:
        async with session(sandbox, "wrong") as cs, working(cs, postgres):
            with pytest.raises(errors.CycleSoftError, match="jobs of the sync failed"):
                await sync_with_workers(Store(postgres), **YEAR, windows=3)
        async with session(sandbox) as cs, working(cs, postgres):
            run = await sync_with_workers(Store(postgres), **YEAR)
    assert (run.orders, run.unread) == (300, [])


async def test_workers_survive_a_restart_of_postgres(postgres: str, postgres_server: Server) -> None:
    # In its own process: Procrastinate leaves unsaved outcomes to the event loop meanwhile.
    async with Sandbox(orders=4_000, minutely_limit=10_000, latency=0.02) as sandbox:
        with process(postgres, sandbox):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask_until_answered, postgres)
                await until(lambda: sandbox.received > 10)
                await anyio.to_thread.run_sync(postgres_server.crash)
                await anyio.to_thread.run_sync(postgres_server.start)
    assert query(postgres, "SELECT count(*) FROM workshop_orders") == [(4_000,)]


async def ask_until_answered(url: str) -> None:
    while True:
        with suppress(errors.StoreError):
            await sync_with_workers(Store(url), **YEAR)
            return


async def test_workers_abandon_a_run_that_was_started_over_in_postgres(postgres: str) -> None:
    seen: list[int] = []
    runs: list[StoredRun] = []

    async def ask(resume: bool | None) -> None:
        runs.append(
            await sync_with_workers(
                Store(postgres),
                **YEAR,
                windows=8,
                resume=resume,
                on_progress=lambda run: seen.append(run.run_id),
            )
        )

    async with Sandbox(orders=1_000, minutely_limit=10_000) as sandbox, session(sandbox) as cs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, None)
            await until(lambda: 1 in seen)
            tasks.start_soon(ask, False)
            await until(lambda: 2 in seen)
            async with working(cs, postgres):
                await until(lambda: len(runs) == 2)
                await until(lambda: not query(postgres, "SELECT id FROM cyclesoft.procrastinate_jobs"))
        assert sandbox.received == runs[0].requests
    assert runs[0] == runs[1], "who waits for the first run gets the second"
    assert (runs[0].run_id, runs[0].orders) == (2, 1_000)


async def test_waiting_for_a_run_superseded_by_a_larger_one_is_reported_in_postgres(postgres: str) -> None:
    january = Days(date_from=date(2025, 1, 1), date_until=date(2025, 1, 31))
    seen: list[StoredRun] = []
    async with Sandbox(orders=500) as sandbox, session(sandbox) as cs, anyio.create_task_group() as tasks:

        async def outrun() -> None:
            await until(lambda: bool(seen))
            await sync_workshop_orders(cs, Store(postgres), **YEAR)

        tasks.start_soon(outrun)
        run = await sync_with_workers(Store(postgres), **january, on_progress=seen.append)
        assert run == seen[-1]
        assert run.finished_at is None


async def test_workers_need_postgres(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match="PostgreSQL"):
        await sync_with_workers(Store(f"sqlite:///{tmp_path / 'orders.db'}"), **YEAR)
