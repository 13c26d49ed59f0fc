"""Syncs of a sandbox and of awkward servers into real databases."""

import asyncio
import logging
import sqlite3
from contextlib import aclosing, closing
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy, errors, models
from cyclesoft_async.bulksync import (
    Follower,
    Store,
    SyncProgress,
    SyncReport,
    estimate,
    sync_workshop_orders,
    windows,
)
from cyclesoft_async.sandbox import Faults, Sandbox
from tests.support.fast_loop import run_fast
from tests.support.loopback import served
from tests.support.store import SQLITE, contents
from tests.support.store import rows as rows_of
from tests.support.sync import (
    DATED,
    DAY,
    YEAR,
    Days,
    Orders,
    limitless,
    listing,
    rows,
    session,
    store,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


async def test_every_order_and_line_of_the_sandbox_arrives(file: Path) -> None:
    async with Sandbox(orders=1_234) as sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR)
        everything = await cs.workshop_orders.list().collect()
    assert report.orders == sandbox.orders == 1_234
    assert rows(file, "select count(*) from workshop_orders") == [(1_234,)]
    assert report.rejected == report.rate_limited == report.refetched == 0
    assert report.pages <= report.requests == report.requests_now
    assert not report.resumed
    assert report.quota.minutely.limit == 360
    assert rows(file, "select workshop_order_id from workshop_orders order by 1") == sorted(
        (order.workshop_order_id,) for order in everything
    )
    assert rows(file, "select count(*) from workshop_order_items") == [
        (sum(len(order.order_items) for order in everything),)
    ]


@pytest.mark.parametrize(
    ("orders", "concurrency", "most"), [(0, 8, 1), (19, 8, 1), (99, 8, 3), (301, 8, 7), (20_000, 8, 220)]
)
async def test_hardly_a_request_is_wasted(file: Path, orders: int, concurrency: int, most: int) -> None:
    async with limitless(orders) as sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR, concurrency=concurrency)
        assert report.orders == orders
        assert report.requests == sandbox.received <= most


@pytest.mark.parametrize("orders", [30, 60, 150])
async def test_a_small_shop_is_read_with_a_request_for_each_page_from_the_second_sync_on(
    file: Path, orders: int
) -> None:
    async with limitless(orders) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        for _ in range(5):
            report = await sync_workshop_orders(cs, store(file), **YEAR)
            assert report.requests_now == -(-orders // 100)


async def test_the_second_sync_plans_its_windows_by_the_orders_of_the_first(file: Path) -> None:
    wide = Days(date_from=date(2020, 1, 1), date_until=date(2030, 12, 31))
    async with limitless(5_000) as sandbox, session(sandbox.url) as cs:
        first = await sync_workshop_orders(cs, store(file), **wide)
        second = await sync_workshop_orders(cs, store(file), **wide)
    assert first.orders == second.orders == 5_000
    assert first.requests <= 55
    assert second.requests <= 55
    planned = rows(file, "select max(pages) from cyclesoft_windows where run_id = 2")
    assert planned == [(5,)]


async def test_unchanged_orders_are_not_written(url: str) -> None:
    """Rows carry a mark that every write of ours would have to leave, and triggers count writes."""
    async with limitless(300) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, Store(url), **YEAR)
        count_writes(url)
        order = (await cs.workshop_orders.list()).items[0]
        change = models.WorkshopOrderUpdate(repair_description="Bel monteren")
        await sync_workshop_orders(cs, Store(url), **YEAR)
        assert rows_of(url, "select count(*) from writes") == [(0,)]
        await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
        await sync_workshop_orders(cs, Store(url), **YEAR)
    assert rows_of(url, "select workshop_order_id from writes") == [(order.workshop_order_id,)]


def count_writes(url: str) -> None:
    rows_of(url, "create table writes (workshop_order_id bigint)")
    if url.startswith("sqlite"):
        for event in ("insert", "update"):
            body = "begin insert into writes values (new.workshop_order_id); end"
            rows_of(url, f"create trigger on_{event} after {event} on workshop_orders {body}")
        return
    rows_of(
        url,
        "create function note() returns trigger language plpgsql as"
        " 'begin insert into writes values (new.workshop_order_id); return new; end'",
    )
    rows_of(
        url,
        "create trigger noted after insert or update on workshop_orders for each row execute function note()",
    )


async def test_the_store_of_another_account_is_refused_before_any_request(file: Path) -> None:
    async with Sandbox(orders=10) as one, session(one.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
    async with Sandbox(orders=10) as same, session(same.url) as cs:
        assert (await sync_workshop_orders(cs, store(file), **YEAR)).orders == 10, "the same seed"
    async with Sandbox(orders=10, seed=2) as other, session(other.url) as cs:
        with pytest.raises(errors.UsageError, match="must not mix accounts"):
            await sync_workshop_orders(cs, store(file), **YEAR)
        with pytest.raises(errors.UsageError, match="must not mix accounts"):
            await estimate(cs, store(file), **YEAR)
        with pytest.raises(errors.UsageError, match="must not mix accounts"):
            await Follower(cs, store(file)).run()
        assert other.received == 0
        adopted = Store(f"sqlite:///{file}", adopt=True)
        assert (await sync_workshop_orders(cs, adopted, **YEAR)).orders == 10
        assert (await sync_workshop_orders(cs, store(file), **YEAR)).orders == 10


async def test_another_user_of_the_same_host_is_another_account(file: Path) -> None:
    async with served(listing(DATED, page_size=100)) as url:
        async with CycleSoftSession("one", "pass", base_url=url) as cs:
            await sync_workshop_orders(cs, store(file), **YEAR)
        async with CycleSoftSession("two", "pass", base_url=url) as cs:
            with pytest.raises(errors.UsageError, match="must not mix accounts"):
                await sync_workshop_orders(cs, store(file), **YEAR)


async def test_of_accounts_that_begin_on_one_new_store_at_once_one_is_refused(url: str) -> None:
    both_begun = anyio.Event()
    begun = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        if begun == 2:
            both_begun.set()
        await both_begun.wait()
        return await listing(DATED[:10], page_size=100)(request)

    refused = 0

    async def sync(user: str) -> None:
        nonlocal refused
        async with CycleSoftSession(user, "pass", base_url=server) as cs:
            try:
                await sync_workshop_orders(cs, Store(url), **YEAR)
            except errors.UsageError:
                refused += 1

    async with served(answer) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(sync, "one")
        tasks.start_soon(sync, "two")
    assert refused == 1
    assert rows_of(url, "select count(*) from workshop_orders") == [(10,)]


async def test_a_user_whom_the_server_does_not_know_does_not_own_the_store(file: Path) -> None:
    async with Sandbox(orders=10) as sandbox:
        async with CycleSoftSession("usr", "pass", base_url=sandbox.url) as cs:
            with pytest.raises(errors.AuthenticationError):
                await sync_workshop_orders(cs, store(file), **YEAR)
        async with session(sandbox.url) as cs:
            await sync_workshop_orders(cs, store(file), **YEAR)


async def test_a_store_without_an_account_is_adopted_with_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Sandbox(orders=10) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("update cyclesoft_schema set account = null")
        await sync_workshop_orders(cs, store(file), **YEAR)
    assert (
        caplog.messages.count("the store names no account yet: its orders are taken for this account's") == 1
    )


async def test_a_run_logs_one_line(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cyclesoft_async.bulksync")
    async with Sandbox(orders=10) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
    assert caplog.messages == [
        "synced 2025-01-01 to 2025-12-31 in run 1: 10 orders, 1 requests, 0 refetched, 0 rejected"
    ]


async def test_several_readers_are_at_work_at_the_same_time(file: Path) -> None:
    waiting, asked, together = 0, 0, anyio.Event()

    async def answer_four_together(request: web.Request) -> web.StreamResponse:
        nonlocal waiting, asked
        waiting, asked = waiting + 1, asked + 1
        if waiting == 4:
            together.set()
        if asked > 2:  # the first pages show how many orders there are, and what is left of the quota
            await together.wait()
        waiting -= 1
        return await listing(DATED, page_size=10)(request)

    async with served(answer_four_together) as url, session(url) as cs:
        with anyio.fail_after(60):
            report = await sync_workshop_orders(cs, store(file), **YEAR, concurrency=4)
    assert report.orders == len(DATED)


async def test_a_second_sync_updates_rows_and_replaces_lines(file: Path) -> None:
    async with Sandbox(orders=50) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        order = (await cs.workshop_orders.list()).items[0]
        assert order.customer_id is not None
        line = models.WorkshopOrderItemInput(description="Bel", quantity=1, unit_price_in_vat_cents=895)
        await cs.workshop_orders.update(
            order.customer_id,
            order.workshop_order_id,
            models.WorkshopOrderUpdate(repair_description="Bel monteren", order_items=[line]),
        )
        await sync_workshop_orders(cs, store(file), **YEAR)
    key = order.workshop_order_id
    assert rows(file, "select count(*) from workshop_orders") == [(50,)]
    assert rows(file, "select repair_description from workshop_orders where workshop_order_id = ?", key) == [
        ("Bel monteren",)
    ]
    lines = rows(
        file,
        "select description from workshop_order_items where workshop_order_id = ? order by position",
        key,
    )
    assert len(lines) == len(order.order_items) + 1
    assert lines[-1] == ("Bel",)


async def test_progress_ends_at_the_report(file: Path) -> None:
    seen: list[SyncProgress] = []
    async with Sandbox(orders=2_000) as sandbox, session(sandbox.url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR, concurrency=2, on_progress=seen.append)
    assert [progress.pages for progress in seen] == list(range(1, report.pages + 1))
    assert seen[-1].orders == report.orders
    assert seen[-1].windows_done == seen[-1].windows > 1
    assert 15 < seen[0].pages_left < 30
    assert seen[-1].pages_left == 0


def test_the_right_rows_through_ten_percent_of_faults(tmp_path: Path) -> None:
    async def main(name: str, faults: Faults | None) -> SyncReport:
        patient = RetryPolicy(attempts=20, first_delay=0.0)
        async with limitless(3_000, page_size=20, faults=faults) as sandbox:
            async with session(sandbox.url, retries=patient) as cs:
                report = await sync_workshop_orders(cs, store(tmp_path / name), **YEAR)
            assert report.requests == sandbox.received + sandbox.dropped
        return report

    asyncio.run(main("calm", None))
    rough = main("rough", Faults(rate=0.1, seed=3, slow=0.05, retry_after="0"))
    report = run_fast(rough, 10.0)  # a 429 without figures costs a window
    assert report.requests > report.pages
    assert contents(f"{SQLITE}{tmp_path}/calm") == contents(f"{SQLITE}{tmp_path}/rough")


async def test_a_failure_for_good_is_raised_as_itself(file: Path) -> None:
    async with Sandbox(orders=500) as sandbox, session(sandbox.url, "wrong") as cs:
        with pytest.raises(errors.AuthenticationError):
            await sync_workshop_orders(cs, store(file), **YEAR)


async def test_a_failure_of_one_reader_stops_them_all(file: Path) -> None:
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked > 5:
            return web.json_response({"error": True, "error_message": "kapot"}, status=500)
        return await listing(DATED, page_size=10)(request)

    async with served(answer) as url, session(url) as cs:
        with pytest.raises(errors.ServerError, match="kapot"):
            await sync_workshop_orders(cs, store(file), **YEAR)
    assert 0 < len(rows(file, "select * from workshop_orders")) < len(DATED)


@pytest.mark.parametrize("order", ["forwards", "backwards", "any", "forwards, then not"])
async def test_nothing_is_missed_in_any_order_of_the_list(file: Path, order: str) -> None:
    listed = {
        "forwards": DATED,
        "backwards": DATED[::-1],
        "any": sorted(DATED, key=lambda row: hash(row["workshop_order_id"]) * 37 % 101),
        "forwards, then not": DATED[:60] + DATED[60:][::-1],
    }[order]
    async with served(listing(listed, page_size=10)) as url, session(url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR, concurrency=4)
        streamed = {
            row.workshop_order_id async for page in windows(cs, **YEAR, concurrency=4) for row in page.items
        }
    assert rows(file, "select count(*) from workshop_orders") == [(len(DATED),)]
    assert report.orders >= len(DATED)
    assert len(streamed) == len(DATED)


async def test_an_order_without_a_start_is_stored_too(file: Path) -> None:
    unplanned: Orders = [{"workshop_order_id": 1, "datetime_scheduled_start": None}]
    async with served(listing(unplanned, page_size=1)) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
    assert rows(file, "select workshop_order_id from workshop_orders") == [(1,)]


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00"])
async def test_a_time_at_the_edge_of_the_calendar_holds_nothing_up(file: Path, start: str) -> None:
    odd: Orders = [{"workshop_order_id": 10_000, "datetime_scheduled_start": start}]
    orders = [*DATED[:15], *odd, *DATED[15:]]

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": orders, "pagination": {"next_url": None}})

    async with served(answer) as url, session(url) as cs:
        report = await sync_workshop_orders(cs, store(file), **YEAR)
    assert report.orders >= len(orders), "this server lists all orders, whatever the days"
    [(stored,)] = rows(file, "select count(*) from workshop_orders")
    assert stored == len(orders) - report.rejected


async def test_arguments_that_cannot_work_cost_no_request(file: Path) -> None:
    backwards = Days(date_from=date(2025, 2, 1), date_until=date(2025, 1, 1))
    async with Sandbox(orders=1) as sandbox, session(sandbox.url) as cs:
        with pytest.raises(errors.UsageError, match="date_from must not lie after date_until"):
            await sync_workshop_orders(cs, store(file), **backwards)
        with pytest.raises(errors.UsageError, match="at least 1"):
            await sync_workshop_orders(cs, store(file), **YEAR, concurrency=0)
        with pytest.raises(errors.UsageError, match="date_from must not lie after date_until"):
            await anext(windows(cs, **backwards))
        for day, got in (
            (datetime(2025, 1, 1, tzinfo=UTC), "a datetime"),
            ("2025-01-01", "str"),
            (None, "NoneType"),
        ):
            wrong = Days(date_from=cast("date", day), date_until=date(2025, 2, 1))
            with pytest.raises(errors.UsageError, match=f"date_from must be a date, got {got}"):
                await sync_workshop_orders(cs, store(file), **wrong)
            with pytest.raises(errors.UsageError, match=f"date_from must be a date, got {got}"):
                await anext(windows(cs, **wrong))
        assert sandbox.received == 0


async def test_windows_gives_every_order_without_a_database() -> None:
    async with limitless(3_000) as sandbox, session(sandbox.url) as cs:
        pages = [page async for page in windows(cs, **YEAR)]
        assert len({order.workshop_order_id for page in pages for order in page.items}) == 3_000
        starts = [page.items[0].datetime_scheduled_start for page in pages]
        assert any(later and sooner and later < sooner for sooner, later in pairwise(starts)), "concurrently"


async def test_windows_fetches_no_more_than_is_taken_and_stops_when_left() -> None:
    async with limitless(10_000) as sandbox, session(sandbox.url) as cs:
        tasks = anyio.get_running_tasks
        before = len(tasks())
        async with aclosing(windows(cs, **YEAR, concurrency=3)) as pages:
            async for _ in pages:
                if sandbox.received >= 20:
                    break
            for _ in range(1_000):
                await anyio.lowlevel.checkpoint()
            waiting = sandbox.received
            assert waiting <= 26
        assert cs.quota.in_flight == 0
        await anyio.wait_all_tasks_blocked()
        assert len(tasks()) <= before + 3, "connections, but no readers"
        assert sandbox.received <= waiting + 1


async def test_windows_raises_errors_as_themselves() -> None:
    async with Sandbox(orders=10) as sandbox, session(sandbox.url, "wrong") as cs:
        with pytest.raises(errors.AuthenticationError):
            await anext(windows(cs, **YEAR))


async def test_a_url_is_no_store() -> None:
    url: Any = "sqlite:///orders.db"
    async with Sandbox(orders=1) as sandbox, session(sandbox.url) as cs:
        with pytest.raises(errors.UsageError, match="store must be a Store, got str"):
            await sync_workshop_orders(cs, url, **YEAR)
        with pytest.raises(errors.UsageError, match="store must be a Store, got str"):
            await estimate(cs, url, **YEAR)
        with pytest.raises(errors.UsageError, match="store must be a Store, got str"):
            Follower(cs, url)
        assert sandbox.received == 0
