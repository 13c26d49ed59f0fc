"""The runs in a store, in SQLite and in PostgreSQL: where they are, and what they have come across."""

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
from cyclesoft_async.bulksync.fetch.plan import Part
from cyclesoft_async.bulksync.store.queries import OrderKey
from cyclesoft_async.bulksync.store.runs import StoredRun
from cyclesoft_async.bulksync.window import Window
from tests.support.store import SQLITE, YEAR, as_it_is, begin, decoded, page_of, rows, stored, version

SUNDAY = 6
YEAR_2 = datetime.fromisoformat("0002-01-01")


async def test_a_run_is_where_its_pages_left_it(url: str) -> None:
    june, july = Window(date(2025, 6, 1), date(2025, 6, 30)), Window(date(2025, 7, 1), date(2025, 7, 31))
    async with Store(url).open() as writer:
        assert await writer.last_run(june.first, july.last) is None
        run = await begin(writer, [june, july])
        assert [(part.number, part.window, part.cursor) for part in run.windows] == [
            (0, june, None),
            (1, july, None),
        ]
        assert datetime.now(UTC) - run.started_at < timedelta(minutes=1)
        assert run.finished_at is None
        page = page_of(run, {"workshop_order_id": 1}, {"workshop_order_id": 2}, number=1)
        page = replace(page, page=replace(page.page, cursor="/next?page=2"), orders=1)
        await writer.write([page, page_of(run, {"workshop_order_id": 3}, done=True)], requests=3)
        await writer.write([page], requests=0)
    async with Store(url).open() as writer:
        found = await writer.last_run(june.first, july.last)
        assert found is not None
        assert (found.run_id, found.requests, found.pages, found.orders) == (run.run_id, 3, 3, 3)
        assert [(w.window, w.cursor, w.done, w.pages, w.orders) for w in found.windows] == [
            (june, None, True, 1, 1),
            (july, "/next?page=2", False, 2, 2),
        ]
        late = replace(page_of(run, number=0), page=replace(page.page, cursor="/late"))
        await writer.write([late], requests=0)
        assert (await as_it_is(writer, run)).windows[0].done, "what is done stays done"
        await writer.finish_run(run.run_id, requests=2)
        await writer.finish_run(run.run_id, requests=2)
        found = await writer.last_run(june.first, july.last)
        assert found is not None
        assert found.requests == 7
        assert found.finished_at is not None
        assert await writer.last_run(june.first, june.last) is None
        assert (await begin(writer, [june, july])).run_id > run.run_id


async def test_a_window_is_split(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        page = page_of(run, {"workshop_order_id": 1})
        await writer.write([replace(page, page=replace(page.page, cursor="here"))], requests=1)
        second = await writer.split(run.run_id, 0, date(2025, 7, 1))
        third = await writer.split(run.run_id, second.number, date(2025, 12, 31))
        found = await writer.last_run(YEAR.first, YEAR.last)
    assert found is not None
    first, *others = found.windows
    assert (first.window, first.cursor, first.pages) == (Window(YEAR.first, date(2025, 6, 30)), "here", 1)
    assert others == [replace(second, window=Window(date(2025, 7, 1), date(2025, 12, 30))), third]
    assert third.window == Window(YEAR.last, YEAR.last)
    assert (second.number, third.number, second.cursor, second.done) == (1, 2, None, False)


async def test_a_window_that_another_process_has_cut_earlier_keeps_to_that(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        await writer.split(run.run_id, 0, date(2025, 3, 1))
        late = await writer.split(run.run_id, 0, date(2025, 7, 1))
        first, *_ = (await as_it_is(writer, run)).windows
    assert first.window == Window(YEAR.first, date(2025, 2, 28))
    assert late.window == Window(date(2025, 7, 1), date(2025, 7, 1)), "it has a day at least"


async def test_a_window_remembers_that_a_page_came_out_of_order(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        for in_order in (True, False, True):
            await writer.write([replace(page_of(run), in_order=in_order)], requests=1)
        [window] = (await as_it_is(writer, run)).windows
    assert not window.in_order
    assert not Part.of(window).in_order


async def test_a_window_remembers_how_far_it_was_read(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        page = replace(page_of(run), page=replace(page_of(run).page, cursor="here"))
        await writer.write([replace(page, reached=date(2025, 3, 9))], requests=1)
        part = Part.of((await as_it_is(writer, run)).windows[0])
    assert part.days_left == range(date(2025, 3, 10).toordinal(), date(2026, 1, 1).toordinal())
    part.read([date(2025, 3, 2).toordinal(), date(2026, 1, 1).toordinal()], "there")
    assert not part.in_order, "this page begins before the last one's end"
    assert not part.done


async def test_days_up_to_the_last_that_there_is(url: str) -> None:
    async with Store(url).open() as writer:
        run = await writer.begin_run(YEAR.first, date.max, [Window(YEAR.first, date.max)])
        assert await writer.unseen(run.run_id) == []
        assert await writer.orders_per_day(YEAR.first, date.max) == {}


async def test_who_is_cancelled_by_asyncio_itself_waits_for_the_transaction_too(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    async with Store(f"{SQLITE}{file}").open() as writer:
        run = await begin(writer)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            page = page_of(run, {"workshop_order_id": 1})
            writing = asyncio.create_task(writer.write([page], requests=1))
            await anyio.wait_all_tasks_blocked()
            writing.cancel()
            await anyio.wait_all_tasks_blocked()
            assert not writing.done()
            other.execute("rollback")
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert rows(f"{SQLITE}{file}", "select orders from cyclesoft_runs") == [(1,)]


async def test_orders_that_a_run_has_not_come_across(url: str) -> None:
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
        assert await writer.unseen(run.run_id) == [OrderKey(20, 2), OrderKey(30, 3), OrderKey(90, 9)]
        await writer.write([page_of(run, everything[1])], requests=1)
        assert await writer.unseen(run.run_id) == [OrderKey(30, 3), OrderKey(90, 9)]
        await writer.write_orders([decoded(everything[2])], run_id=None)
        assert await writer.unseen(run.run_id) == [OrderKey(30, 3), OrderKey(90, 9)]
        await writer.write_orders([decoded(everything[2])], run_id=run.run_id)
        assert await writer.unseen(run.run_id) == [OrderKey(90, 9)]
        await writer.mark_deleted([9, 99])
        await writer.mark_deleted([])
        await writer.write_orders([], run_id=run.run_id)
        assert await writer.unseen(run.run_id) == []
    [(inactive,)] = rows(url, "select count(*) from workshop_orders where not is_active")
    assert inactive == 2


async def test_a_run_is_active_whenever_something_of_it_is_stored(url: str) -> None:
    order = {"workshop_order_id": 1}
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert run.active_at == run.started_at
        times = [run.active_at]
        for store in (
            partial(writer.write, [page_of(run, order)], requests=1),
            partial(writer.split, run.run_id, 0, date(2025, 7, 1)),
            partial(writer.write_orders, [decoded(order)], run_id=run.run_id),
        ):
            await store()
            times.append((await as_it_is(writer, run)).active_at)
    assert len(set(times)) == 4
    assert times == sorted(times)


async def test_orders_per_day_are_those_of_dutch_days(url: str) -> None:
    starts = ["2025-03-30 00:00:00", "2025-03-30 23:59:59", "2025-07-01 00:30:00", "2025-12-31 23:30:00"]
    await stored(
        url,
        tuple({"workshop_order_id": key, "datetime_scheduled_start": at} for key, at in enumerate(starts)),
    )
    async with Store(url).open() as writer:
        assert await writer.orders_per_day(YEAR.first, YEAR.last) == {
            date(2025, 3, 30): 2,
            date(2025, 7, 1): 1,
            date(2025, 12, 31): 1,
        }
        assert await writer.orders_per_day(date(2025, 3, 31), date(2025, 7, 1)) == {date(2025, 7, 1): 1}


async def test_tasks_may_share_an_open_store(url: str) -> None:
    async with Store(url).open() as writer:
        run = await begin(writer)
        async with anyio.create_task_group() as tasks:
            for key in range(20):
                page = page_of(run, {"workshop_order_id": key})
                tasks.start_soon(partial(writer.write, [page], requests=1))
        found = await writer.last_run(YEAR.first, YEAR.last)
    assert found is not None
    assert (found.requests, found.orders, found.pages) == (20, 20, 20)


async def test_stores_may_write_the_same_orders_at_the_same_time(url: str) -> None:
    """Each brings another copy of the orders, in another order; the newest one is there in the end."""
    minutes = range(8)

    async def write(store: Store, run: StoredRun, minute: int) -> None:
        async with store.open() as writer:
            keys = range(100) if minute % 2 else range(99, -1, -1)
            copies = [version(str(minute), f"2025-07-01 09:0{minute}:00", key) for key in keys]
            for start in range(0, 100, 25):
                await writer.write([page_of(run, *copies[start : start + 25])], requests=1)

    store = Store(url)
    async with store.open() as writer:
        run = await begin(writer)
        async with anyio.create_task_group() as tasks:
            for minute in minutes:
                tasks.start_soon(write, store, run, minute)
        found = await writer.last_run(YEAR.first, YEAR.last)
    assert found is not None
    assert (found.requests, found.orders) == (32, 800)
    assert rows(url, "select distinct repair_description from workshop_orders") == [("7",)]
    assert rows(url, "select description, count(*) from workshop_order_items group by 1") == [("7", 100)]


async def test_a_finished_run_takes_the_place_of_earlier_ones_of_its_days(url: str) -> None:
    month = Window(date(2025, 3, 1), date(2025, 3, 31))
    other = Window(date(2024, 3, 1), date(2024, 3, 31))
    async with Store(url).open() as writer:
        for window in (month, other, YEAR):
            run = await begin(writer, [window])
            await writer.write([page_of(run, {"workshop_order_id": 1}, done=True)], requests=1)
            await writer.finish_run(run.run_id, requests=0)
        assert await writer.last_run(month.first, month.last) is None
        assert await writer.last_run(other.first, other.last) is not None
    assert rows(url, "select run_id from cyclesoft_windows order by 1") == [(2,), (3,)]


async def test_a_finished_run_ends_those_that_were_stopped_before_it_began(url: str) -> None:
    month = Window(date(2025, 3, 1), date(2025, 3, 31))
    async with Store(url).open() as writer:
        stopped, at_work = await begin(writer, [month]), await begin(writer, [month])
        run = await begin(writer)
        await writer.write([page_of(at_work, {"workshop_order_id": 1})], requests=1)
        await writer.finish_run(run.run_id, requests=0)
        assert await writer.current_run(stopped.run_id) is None
        assert await writer.current_run(at_work.run_id) is not None
        with pytest.raises(errors.StoreError, match="this run was given up"):
            await writer.write([page_of(stopped, {"workshop_order_id": 2})], requests=1)
        with pytest.raises(errors.StoreError, match="this run was given up"):
            await writer.split(stopped.run_id, 0, date(2025, 3, 9))
        assert await writer.unseen(stopped.run_id) == []
        await writer.finish_run(stopped.run_id, requests=1)
    assert rows(url, "select workshop_order_id from workshop_orders") == [(1,)]
    assert rows(url, "select run_id from cyclesoft_runs order by 1") == [(at_work.run_id,), (run.run_id,)]


async def test_a_run_that_is_begun_over_is_not_the_current_one_any_more(url: str) -> None:
    async with Store(url).open() as writer:
        first, other = await begin(writer), await begin(writer, [Window(YEAR.first, YEAR.first)])
        assert await writer.current_run(first.run_id) == first
        second = await begin(writer)
        assert await writer.current_run(first.run_id) is None
        assert await writer.current_run(second.run_id) == second
        assert await writer.current_run(other.run_id) == other
