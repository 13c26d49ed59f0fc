"""Orders that change while they are read, or between two syncs, end up as the server has them."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, errors, models
from cyclesoft_async.bulksync import SyncProgress, SyncStopped, sync_workshop_orders
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.fetch.refetch import refetch
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.queries import OrderKey
from cyclesoft_async.models import AMSTERDAM, WorkshopOrder, WorkshopOrderUpdate
from cyclesoft_async.sandbox import Sandbox
from tests.support.loopback import served
from tests.support.sync import DAY, YEAR, Days, Orders, limitless, rows, session, store

Change = Callable[[], Awaitable[object]]
START = "2025-07-01 09:00:00"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


async def move(cs: CycleSoftSession, order: WorkshopOrder, year: int, month: int, day: int) -> None:
    start = datetime(year, month, day, 12, tzinfo=AMSTERDAM)
    change = WorkshopOrderUpdate(datetime_scheduled_start=start)
    await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)


def stored(file: Path, order: WorkshopOrder) -> tuple[object, ...]:
    columns = "is_active, substr(datetime_scheduled_start, 1, 10)"
    query = f"select {columns} from workshop_orders where workshop_order_id = ?"  # noqa: S608
    [row] = rows(file, query, order.workshop_order_id)
    return row


async def test_orders_that_left_the_days_between_two_syncs_are_refetched(file: Path) -> None:
    async with limitless(500) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        page = await cs.workshop_orders.list()
        moved, deleted, *_ = (order for order in page.items if order.is_active)
        await move(cs, moved, 2027, 3, 1)
        await cs.workshop_orders.update(
            deleted.customer_id or 0,
            deleted.workshop_order_id,
            WorkshopOrderUpdate(is_active=False),
        )
        await move(cs, deleted, 2027, 3, 1)
        report = await sync_workshop_orders(cs, store(file), **YEAR)
        assert report.refetched == 2
        assert report.orders == 498
        assert stored(file, moved) == (1, "2027-03-01")
        assert stored(file, deleted) == (0, "2027-03-01")
        again = await sync_workshop_orders(cs, store(file), **YEAR)
        assert again.refetched == 0


async def test_orders_that_the_server_does_not_have_are_not_active(file: Path) -> None:
    orders = [
        {
            "workshop_order_id": number,
            "customer_id": customer,
            "is_active": True,
            "datetime_scheduled_start": "2025-07-01 09:00:00",
        }
        for number, customer in ((1, 11), (2, 12), (3, 0), (4, 14), (5, 15))
    ]
    listed = orders
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/orders.json"):
            return web.json_response({"error": False, "data": listed, "pagination": {"next_url": None}})
        asked.append(request.path)
        if "/11/" in request.path or "/0/" in request.path:
            return web.json_response({"error": True, "error_message": "Niet gevonden"}, status=404)
        if "/12/" in request.path:
            return web.json_response({"workshop_order_id": 2, "order_items": "none"})
        if "/15/" in request.path:
            return web.Response(text="geen JSON", content_type="application/json")
        return web.json_response(orders[3] | {"status_id": 8, "added": "kept"})

    async with served(answer) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
        listed = []
        report = await sync_workshop_orders(cs, store(file), **DAY)
        assert report.refetched == len(asked) == 4, "an anonymous customer can't be asked by"
        assert report.rejected == 1
        async with store(file).open() as writer:
            # An event can name one; but it proves nothing that the server does not know customer 0.
            await refetch(cs, writer, [OrderKey(0, 3)], run_id=None)
    assert len(asked) == 5
    found = rows(file, "select workshop_order_id, is_active, status_id from workshop_orders order by 1")
    assert found == [(1, 0, None), (2, 1, None), (3, 1, None), (4, 1, 8), (5, 1, None)]
    [(unread, path)] = rows(file, "select raw, path from rejected_rows")
    assert isinstance(unread, bytes)
    assert (json.loads(unread), path) == ({"workshop_order_id": 2, "order_items": "none"}, "$.order_items")
    [(raw,)] = rows(file, "select raw from workshop_orders where workshop_order_id = 4")
    assert json.loads(str(raw))["added"] == "kept"


async def test_orders_that_cannot_be_read_any_more_are_not_refetched_and_rejected_once(file: Path) -> None:
    lines: object = []
    asked = 0

    async def answer(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        same = {"customer_id": 5, "datetime_scheduled_start": START, "order_items": lines}
        orders = [{"workshop_order_id": number, **same} for number in range(20)]
        return web.json_response({"data": orders, "pagination": {"next_url": None}})

    async with served(answer) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
        lines = "none"
        for number in (2, 3):
            report = await sync_workshop_orders(cs, store(file), **DAY)
            assert (asked, report.rejected, report.refetched) == (number, 20, 0)
            assert rows(file, "select count(*) from rejected_rows") == [(20,)]


async def test_what_could_not_be_read_stays_when_its_order_leaves_the_days(file: Path) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": listed, "pagination": {"next_url": None}})

    listed: Orders = [{"workshop_order_id": 7, "datetime_scheduled_start": START, "order_items": "none"}]
    async with served(answer) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
        listed = []
        await sync_workshop_orders(cs, store(file), **DAY)
        assert rows(file, "select workshop_order_id from rejected_rows") == [(7,)]
        listed = [{"workshop_order_id": 7, "datetime_scheduled_start": START}]
        await sync_workshop_orders(cs, store(file), **DAY)
    assert rows(file, "select * from rejected_rows") == []


async def test_a_run_does_not_refetch_what_a_later_one_has_seen(file: Path) -> None:
    spring = Days(date_from=date(2025, 1, 1), date_until=date(2025, 4, 30))
    async with limitless(2_000) as sandbox, session(sandbox.url) as cs:
        alone = await sync_workshop_orders(cs, store(file), **YEAR)
        async with anyio.create_task_group() as others:

            def on_progress(seen: SyncProgress) -> None:
                if seen.pages == 10:
                    others.start_soon(lambda: sync_workshop_orders(cs, store(file), **spring))

            report = await sync_workshop_orders(
                cs, store(file), **YEAR, concurrency=1, on_progress=on_progress
            )
            assert report.pages <= alone.pages
            assert (report.orders, report.refetched) == (2_000, 0)


async def test_a_failure_while_refetching_is_raised_and_the_run_resumes_there(file: Path) -> None:
    failing = True

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/orders.json"):
            return web.json_response({"error": True}, status=500 if failing else 404)
        order = {"workshop_order_id": 1, "customer_id": 2, "datetime_scheduled_start": "2025-07-01 09:00:00"}
        return web.json_response({"data": [order] if first else [], "pagination": {"next_url": None}})

    first = True
    async with served(answer) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
        first = False
        with pytest.raises(errors.ServerError):
            await sync_workshop_orders(cs, store(file), **DAY)
        failing = False
        report = await sync_workshop_orders(cs, store(file), **DAY, resume=True)
    assert report.refetched == 1
    assert rows(file, "select is_active from workshop_orders") == [(0,)]


async def test_the_quota_can_run_out_while_refetching(file: Path) -> None:
    async with Sandbox(orders=100, daily_limit=45, page_size=10) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        everything = await cs.workshop_orders.list().collect()
        chosen = [order for order in everything if order.is_active][:8]
        for order in chosen:
            await move(cs, order, 2027, 3, 1)
        with pytest.raises(SyncStopped) as stopped:
            await sync_workshop_orders(cs, store(file), **YEAR, concurrency=3)
    moved = [order for order in chosen if stored(file, order) == (1, "2027-03-01")]
    done = stopped.value.progress
    assert 0 < len(moved) == done.requests_now - done.pages < 8


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    ("number", "day", "refetched"),
    [(0, (2025, 12, 30), 0), (-1, (2025, 1, 2), 1), (-1, (2026, 5, 1), 1)],
    ids=["forwards: it comes twice", "backwards, past the reader", "out of the days"],
)
async def test_an_order_that_moves_while_the_sync_runs(
    file: Path, number: int, day: tuple[int, int, int], refetched: int, concurrency: int
) -> None:
    async with limitless(2_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        order = (await cs.workshop_orders.list().collect())[number]
        async with anyio.create_task_group() as movers:

            def on_progress(seen: SyncProgress) -> None:
                if seen.pages == 2:
                    movers.start_soon(move, cs, order, *day)

            report = await sync_workshop_orders(
                cs, store(file), **YEAR, concurrency=concurrency, on_progress=on_progress
            )
            assert report.refetched == refetched
    assert stored(file, order) == (order.is_active, "{}-{:02}-{:02}".format(*day))
    assert rows(file, "select count(*) from workshop_orders") == [(2_000,)]


async def test_an_order_created_before_the_readers_come_by_is_read(file: Path) -> None:
    start = datetime(2025, 12, 30, 12, tzinfo=AMSTERDAM)
    async with (
        limitless(2_000, page_size=20) as sandbox,
        session(sandbox.url) as cs,
        anyio.create_task_group() as creators,
    ):

        def on_progress(seen: SyncProgress) -> None:
            if seen.pages == 1:
                new = models.WorkshopOrderCreate(datetime_scheduled_start=start, repair_codes=["999"])
                creators.start_soon(cs.workshop_orders.create, 1006, new)

        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=1, on_progress=on_progress)
    assert rows(file, "select count(*) from workshop_orders") == [(2_001,)]


async def test_an_order_that_was_not_found_for_a_while_is_active_again(file: Path) -> None:
    order = {"workshop_order_id": 1, "customer_id": 11, "is_active": True, "datetime_scheduled_start": START}
    listed = [order]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/orders.json"):
            return web.json_response({"error": False, "data": listed, "pagination": {"next_url": None}})
        return web.json_response({"error": True, "error_message": "Niet gevonden"}, status=404)

    async with served(answer) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **DAY)
        listed = []
        await sync_workshop_orders(cs, store(file), **DAY)
        assert rows(file, "select is_active from workshop_orders") == [(0,)]
        listed = [order]
        await sync_workshop_orders(cs, store(file), **DAY)
        assert rows(file, "select is_active from workshop_orders") == [(1,)], "its JSON is unchanged"


async def test_orders_that_move_to_days_that_were_read_raise_no_suspicion(file: Path) -> None:
    """As in a busy shop, or between a stop and the next day."""
    async with limitless(2_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR)
        orders = await cs.workshop_orders.list().collect()
        whole = Window(YEAR["date_from"], YEAR["date_until"])
        with anyio.CancelScope() as stop:

            def stop_half_way(progress: SyncProgress) -> None:
                if progress.windows_done * 2 > progress.windows:
                    stop.cancel()

            await sync_workshop_orders(cs, store(file), **YEAR, concurrency=1, on_progress=stop_half_way)
        async with store(file).open() as writer:
            run = await writer.run(runs.last_run, whole.first, whole.last)
        assert run is not None
        day = run.windows[0].window.first
        unread = [
            order
            for order in orders
            if order.is_active
            and order.customer_id
            and order.datetime_scheduled_start
            and any(left.first <= order.datetime_scheduled_start.date() <= left.last for left in run.unread)
        ]
        moving = unread[-5:]
        for order in moving:
            await move(cs, order, day.year, day.month, day.day)
        report = await sync_workshop_orders(cs, store(file), **YEAR, resume=True)
    assert report.refetched == len(moving)
    assert {stored(file, order) for order in moving} == {(1, day.isoformat())}
