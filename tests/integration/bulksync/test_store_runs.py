"""Runs in a store, in SQLite and PostgreSQL: the days they have read, and the orders they have seen."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from cyclesoft_async import errors
from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.resources import WORKSHOP_ORDERS
from cyclesoft_async.bulksync.store import queries, runs, upserts
from cyclesoft_async.bulksync.store.runs import StoredRun
from tests.support.store import (
    SQLITE,
    YEAR,
    as_it_is,
    begin,
    decoded,
    finish,
    last_run,
    missing,
    page_of,
    rows,
    stored,
    version,
    write,
    write_single,
)


async def test_a_run_knows_the_days_that_were_read_whole(url: str) -> None:
    june, july = Window(date(2025, 6, 1), date(2025, 6, 30)), Window(date(2025, 7, 1), date(2025, 7, 31))
    summer = Window(june.first, july.last)
    async with Store(url).open() as writer:
        assert await last_run(writer, summer) is None
        run = await begin(writer, summer)
        assert run.unread == [summer]
        assert datetime.now(UTC) - run.started_at < timedelta(minutes=1)
        assert run.finished_at is None
        first = page_of({"workshop_order_id": 1}, window=july, is_last=False)
        last = page_of({"workshop_order_id": 2}, window=july, pages=2)
        await writer.run(runs.store_pages, run.run_id, [first], requests=1)
        assert (await as_it_is(writer, run)).unread == [summer], "its list goes on"
        await writer.run(runs.store_pages, run.run_id, [replace(last, rows=2)], requests=2)
    async with Store(url).open() as writer:
        found = await last_run(writer, summer)
        assert found is not None
        assert (found.run_id, found.requests, found.pages, found.orders) == (run.run_id, 3, 2, 2)
        assert [(each.window, each.pages, each.orders) for each in found.windows] == [(july, 2, 2)]
        assert found.unread == [june]
        await finish(writer, run, 2)
        await finish(writer, run, 2)
        found = await last_run(writer, summer)
        assert found is not None
        assert found.requests == 7
        assert found.finished_at is not None
        assert await last_run(writer, june) is None
        assert (await begin(writer, summer)).run_id > run.run_id


async def test_counts_of_days_read_of_late_are_known(url: str) -> None:
    march = Window(date(2025, 3, 1), date(2025, 3, 31))
    starts = ["2025-03-30 09:00:00", "2025-03-30 10:00:00", "2025-07-01 09:00:00"]
    orders = [{"workshop_order_id": key, "datetime_scheduled_start": at} for key, at in enumerate(starts)]
    async with Store(url).open() as writer:
        run = await begin(writer, march)
        assert await writer.run(runs.known_days, YEAR) == {}
        assert await writer.run(runs.page_size) is None
        await write(writer, run, *orders, window=march)
        known = await writer.run(runs.known_days, YEAR)
        assert await writer.run(runs.page_size) is None, "a single page need not be full"
        july = Window(date(2025, 7, 1), date(2025, 7, 31))
        two_pages = replace(page_of(window=july, pages=2), rows=5)
        await writer.run(runs.store_pages, run.run_id, [two_pages], requests=2)
        assert await writer.run(runs.page_size) == 3
    assert len(known) == 31
    assert {date.fromordinal(day): rows for day, rows in known.items() if rows} == {date(2025, 3, 30): 2}


async def test_a_suspicious_run_is_not_resumable(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert await writer.run(runs.unfinished_run, YEAR.first) == run
        await writer.run(runs.give_up_run, run.run_id, suspicion="orders are missing", requests=3)
        assert await writer.run(runs.unfinished_run, YEAR.first) is None
        found = await as_it_is(writer, run)
    assert (found.suspicion, found.requests, found.finished_at) == ("orders are missing", 3, None)


async def test_the_last_thirty_runs_are_kept(url: str) -> None:
    async with Store(url).open() as writer:
        for _ in range(33):
            run = await begin(writer)
            await write(writer, run, {"workshop_order_id": 1})
            await finish(writer, run)
    assert rows(url, "select count(*), max(run_id) from cyclesoft_runs") == [(30, 33)]
    assert rows(url, "select count(*) from cyclesoft_windows") == [(30,)]


async def test_days_up_to_the_last_that_there_is(url: str) -> None:
    endless = Window(YEAR.first, date.max)
    async with Store(url).open() as writer:
        run = await begin(writer, endless)
        assert await missing(writer, run) == []
        assert await writer.run(queries.orders_per_day, endless.first, endless.last) == {}


async def test_a_task_cancelled_by_asyncio_waits_for_its_transaction(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    async with Store(f"{SQLITE}{file}").open() as writer:
        run = await begin(writer)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            writing = asyncio.create_task(write(writer, run, {"workshop_order_id": 1}))
            await anyio.wait_all_tasks_blocked()
            writing.cancel()
            await anyio.wait_all_tasks_blocked()
            assert not writing.done()
            other.execute("rollback")
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert rows(f"{SQLITE}{file}", "select orders from cyclesoft_runs") == [(1,)]


async def test_orders_that_a_run_has_not_seen(url: str) -> None:
    """On the first and the last moment of the year in Amsterdam, and just outside it."""
    starts = {
        1: "2024-12-31 23:59:59",
        2: "2025-01-01 00:00:00",
        3: "2025-12-31 23:59:59",
        4: "2026-01-01 00:00:00",
        5: None,
    }
    everything = [
        {"workshop_order_id": key, "customer_id": 10 * key, "datetime_scheduled_start": start}
        for key, start in starts.items()
    ]
    deleted = {
        "workshop_order_id": 6,
        "customer_id": 1,
        "datetime_scheduled_start": starts[2],
        "is_active": False,
    }
    nobodys = {"workshop_order_id": 7, "datetime_scheduled_start": starts[2]}
    anonymous, active = (
        {
            "workshop_order_id": key,
            "customer_id": customer,
            "datetime_scheduled_start": starts[2],
            "is_active": True,
        }
        for key, customer in ((8, 0), (9, 90))
    )
    await stored(url, (*everything, deleted, nobodys, anonymous, active))
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert await missing(writer, run) == [2, 3, 9]
        await write(writer, run, everything[1])
        assert await missing(writer, run) == [3, 9]
        await write_single(writer, decoded(everything[2]))
        assert await missing(writer, run) == [3, 9]
        await write_single(writer, decoded(everything[2]), run=run)
        assert await missing(writer, run) == [9]
        await writer.run(upserts.mark_deleted, WORKSHOP_ORDERS, [(9,), (99,)])
        await writer.run(upserts.mark_deleted, WORKSHOP_ORDERS, [])
        assert await missing(writer, run) == []
    [(inactive,)] = rows(url, "select count(*) from workshop_orders where not is_active")
    assert inactive == 2


async def test_a_run_is_active_whenever_something_of_it_is_stored(url: str) -> None:
    order = {"workshop_order_id": 1}
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert run.active_at == run.started_at
        times = [run.active_at]
        for store in (
            partial(write, writer, run, order),
            partial(write_single, writer, decoded(order), run=run),
        ):
            await store()
            times.append((await as_it_is(writer, run)).active_at)
    assert len(set(times)) == 3
    assert times == sorted(times)


async def test_orders_per_day_are_those_of_dutch_days(url: str) -> None:
    starts = ["2025-03-30 00:00:00", "2025-03-30 23:59:59", "2025-07-01 00:30:00", "2025-12-31 23:30:00"]
    await stored(
        url,
        tuple({"workshop_order_id": key, "datetime_scheduled_start": at} for key, at in enumerate(starts)),
    )
    async with Store(url).open() as writer:
        assert await writer.run(queries.orders_per_day, YEAR.first, YEAR.last) == {
            date(2025, 3, 30): 2,
            date(2025, 7, 1): 1,
            date(2025, 12, 31): 1,
        }
        assert await writer.run(queries.orders_per_day, date(2025, 3, 31), date(2025, 7, 1)) == {
            date(2025, 7, 1): 1
        }


async def test_tasks_may_share_an_open_store(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        async with anyio.create_task_group() as tasks:
            for key in range(20):
                day = YEAR.first + timedelta(days=key)
                tasks.start_soon(
                    partial(write, writer, run, {"workshop_order_id": key}, window=Window(day, day))
                )
        found = await last_run(writer)
    assert found is not None
    assert (found.requests, found.orders, found.pages) == (20, 20, 20)


async def test_stores_may_write_the_same_orders_at_the_same_time(url: str) -> None:
    """Each brings another copy of the orders, in another order; the newest one is there in the end."""
    minutes = range(8)

    async def write_copies(store: Store, run: StoredRun, minute: int) -> None:
        async with store.open() as writer:
            keys = range(100) if minute % 2 else range(99, -1, -1)
            copies = [version(str(minute), f"2025-07-01 09:0{minute}:00", key) for key in keys]
            for start in range(0, 100, 25):
                day = YEAR.first + timedelta(days=minute * 4 + start // 25)
                await write(writer, run, *copies[start : start + 25], window=Window(day, day))

    store = Store(url)
    async with store.open() as writer:
        run = await begin(writer)
        async with anyio.create_task_group() as tasks:
            for minute in minutes:
                tasks.start_soon(write_copies, store, run, minute)
        found = await last_run(writer)
    assert found is not None
    assert (found.requests, found.orders) == (32, 800)
    assert rows(url, "select distinct repair_description from workshop_orders") == [("7",)]
    assert rows(url, "select description, count(*) from workshop_order_items group by 1") == [("7", 100)]


async def test_a_finished_run_ends_those_that_were_stopped_before_it_began(url: str) -> None:
    month = Window(date(2025, 3, 1), date(2025, 3, 31))
    async with Store(url).open() as writer:
        stopped, at_work = await begin(writer, month), await begin(writer, month)
        run = await begin(writer)
        await write(writer, at_work, {"workshop_order_id": 1})
        await finish(writer, run)
        assert await writer.run(runs.current_run, stopped.run_id) is None
        assert await writer.run(runs.current_run, at_work.run_id) is not None
        with pytest.raises(errors.StoreError, match="this run was given up"):
            await write(writer, stopped, {"workshop_order_id": 2})
        assert await missing(writer, stopped) == []
        await finish(writer, stopped, 1)
    assert rows(url, "select workshop_order_id from workshop_orders") == [(1,)]
    assert rows(url, "select run_id from cyclesoft_runs order by 1") == [(at_work.run_id,), (run.run_id,)]


async def test_a_run_that_is_started_over_is_not_current(url: str) -> None:
    async with Store(url).open() as writer:
        first, other = await begin(writer), await begin(writer, Window(YEAR.first, YEAR.first))
        assert await writer.run(runs.current_run, first.run_id) == first
        second = await begin(writer)
        assert await writer.run(runs.current_run, first.run_id) is None
        assert await writer.run(runs.current_run, second.run_id) == second
        assert await writer.run(runs.current_run, other.run_id) == other
