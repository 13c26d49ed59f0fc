"""A stopped sync resumes with the days that were not read to their end."""

import pickle
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, errors
from cyclesoft_async.bulksync import SyncProgress, SyncReport, SyncStopped, sync_workshop_orders
from cyclesoft_async.bulksync.fetch.plan import MOST_PAGES
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from tests.support.loopback import served
from tests.support.store import SQLITE, contents
from tests.support.sync import DATED, YEAR, Orders, limitless, listing, rows, session, store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


async def stopped_at(page: int, cs: CycleSoftSession, file: Path, concurrency: int = 8) -> None:
    """A sync that was cancelled after so many pages."""
    with anyio.CancelScope() as scope:

        def stop(seen: SyncProgress) -> None:
            if seen.pages >= page:
                scope.cancel()

        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=concurrency, on_progress=stop)
    assert scope.cancelled_caught


async def test_a_cancelled_sync_resumes(tmp_path: Path, file: Path) -> None:
    async with limitless(5_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        undisturbed = await sync_workshop_orders(cs, store(tmp_path / "undisturbed.db"), **YEAR)
        before = sandbox.received
        await stopped_at(100, cs, file)
        [(stored,)] = rows(file, "select count(*) from workshop_orders")
        assert isinstance(stored, int)
        assert 1_900 <= stored < 5_000
        spent = sandbox.received - before
        report = await sync_workshop_orders(cs, store(file), **YEAR)
        assert report.resumed
        assert report.requests_now == sandbox.received - before - spent
        assert sandbox.received - before <= undisturbed.requests + 8 * MOST_PAGES
    assert report.orders == 5_000
    assert report.pages <= undisturbed.pages + 8
    assert contents(f"{SQLITE}{file}") == contents(f"{SQLITE}{tmp_path}/undisturbed.db")


@pytest.mark.parametrize("status", [400, 404, 500, 200])
async def test_a_server_that_refuses_cursors_is_read_in_windows_of_one_page(file: Path, status: int) -> None:
    """Its first pages can be had: what a run that was stopped needs, and what a run needs that begins."""
    answer = listing(DATED, page_size=10)
    refuses = False

    async def refuse_cursors(request: web.Request) -> web.StreamResponse:
        if refuses and "skip" in request.query:
            return web.json_response({"error": True, "error_message": "Token expired"}, status=status)
        return await answer(request)

    async with served(refuse_cursors) as url, session(url) as cs:
        await stopped_at(8, cs, file, concurrency=2)
        refuses = True
        assert (await sync_workshop_orders(cs, store(file), **YEAR)).resumed
        stored = rows(file, "select count(*) from workshop_orders")
        await sync_workshop_orders(cs, store(file.with_name("new.db")), **YEAR)
    assert stored == rows(file.with_name("new.db"), "select count(*) from workshop_orders") == [(len(DATED),)]


async def test_a_cursor_that_is_refused_on_a_single_day_is_an_error(file: Path) -> None:
    busy: Orders = [
        {"workshop_order_id": number, "datetime_scheduled_start": "2025-07-01 09:00:00"}
        for number in range(30)
    ]
    answer = listing(busy, page_size=10)

    async def refuse_cursors(request: web.Request) -> web.StreamResponse:
        if "skip" in request.query:
            return web.json_response({"error": True, "error_message": "Token expired"}, status=400)
        return await answer(request)

    async with served(refuse_cursors) as url, session(url) as cs:
        with pytest.raises(errors.BadRequestError, match="Token expired"):
            await sync_workshop_orders(cs, store(file), **YEAR)


@pytest.mark.parametrize("a_day", [9, 30])
async def test_a_server_that_repeats_a_cursor_is_not_asked_for_ever(file: Path, a_day: int) -> None:
    orders: Orders = [
        {
            "workshop_order_id": number,
            "datetime_scheduled_start": f"2025-07-{1 + number // a_day:02} 09:00:00",
        }
        for number in range(4 * a_day)
    ]
    answer = listing(orders, page_size=10)
    requests = 0

    async def ignore_cursors(request: web.Request) -> web.StreamResponse:
        nonlocal requests
        requests += 1
        return await answer(request.clone(rel_url=request.rel_url.without_query_params("skip")))

    async with served(ignore_cursors) as url, session(url) as cs:
        if a_day <= 10:
            await sync_workshop_orders(cs, store(file), **YEAR)
            assert rows(file, "select count(*) from workshop_orders") == [(len(orders),)]
        else:
            with pytest.raises(errors.PaginationError, match="repeated a cursor"):
                await sync_workshop_orders(cs, store(file), **YEAR)
    assert requests < 100


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_untouched_orders_stay_when_others_leave_the_list_of_a_stopped_run(
    file: Path, concurrency: int
) -> None:
    orders: Orders = [dict(order) for order in DATED]
    async with served(listing(orders, page_size=10)) as url, session(url) as cs:
        await stopped_at(12, cs, file, concurrency)
        gone = set(range(0, len(orders), 9))
        for number in gone:
            orders[number]["datetime_scheduled_start"] = "2026-02-01 09:00:00"
        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=concurrency)
    found = {key for (key,) in rows(file, "select workshop_order_id from workshop_orders")}
    assert set(range(len(orders))) - gone <= found


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_untouched_orders_stay_when_others_leave_the_list_while_it_is_read(
    file: Path, concurrency: int
) -> None:
    """The server's cursors are numbers of rows: whatever leaves a list moves the next page."""
    orders: Orders = [dict(order) for order in DATED]
    answer = listing(orders, page_size=10)
    gone: set[int] = set()
    dice = random.Random(concurrency)  # noqa: S311

    async def leave(request: web.Request) -> web.StreamResponse:
        if len(gone) < 20:
            number = dice.randrange(len(orders))
            gone.add(number)
            orders[number]["datetime_scheduled_start"] = "2026-02-01 09:00:00"
        return await answer(request)

    async with served(leave) as url, session(url) as cs:
        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=concurrency)
    found = {key for (key,) in rows(file, "select workshop_order_id from workshop_orders")}
    assert set(range(len(orders))) - gone <= found


async def test_a_finished_run_is_not_resumed(file: Path) -> None:
    async with limitless(500) as sandbox, session(sandbox.url) as cs:
        first = await sync_workshop_orders(cs, store(file), **YEAR)
        second = await sync_workshop_orders(cs, store(file), **YEAR)
        assert not second.resumed
        assert second.requests_now == second.requests <= first.requests
        with pytest.raises(errors.UsageError, match="needs an unfinished run"):
            await sync_workshop_orders(cs, store(file), **YEAR, resume=True)


async def test_a_run_of_other_days_is_not_gone_on_with(file: Path) -> None:
    async with limitless(5_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        await stopped_at(5, cs, file)
        last = YEAR["date_until"] - timedelta(days=1)
        report = await sync_workshop_orders(cs, store(file), date_from=YEAR["date_from"], date_until=last)
    assert not report.resumed


@pytest.mark.parametrize(
    ("resume", "hours", "resumed"),
    [(None, 23, True), (None, 25, False), (True, 1_000, True), (False, 1, False)],
)
async def test_a_day_later_it_starts_over_unless_told_otherwise(
    file: Path, resume: bool | None, hours: int, resumed: bool
) -> None:
    async with limitless(2_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        await stopped_at(50, cs, file)
        age(file, hours)
        report = await sync_workshop_orders(cs, store(file), **YEAR, resume=resume)
    assert report.resumed is resumed
    assert (report.requests_now < report.requests) is resumed
    assert report.orders == 2_000


def age(file: Path, hours: int) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=hours)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "update cyclesoft_runs set active_at = ?", [long_ago.strftime("%Y-%m-%d %H:%M:%S.%f")]
        )


class Today:
    """A day's quota that is used up."""

    def __init__(self, file: Path, *, daily_limit: int) -> None:
        self.file = file
        self.sandbox = Sandbox(
            orders=2_000,
            page_size=10,
            minutely_limit=10**9,
            daily_limit=daily_limit,
        )

    async def sync(self) -> SyncReport:
        """As a new process would: the session knows nothing of the day before."""
        async with session(self.sandbox.url) as cs:
            return await sync_workshop_orders(cs, store(self.file), **YEAR)


async def test_when_the_days_quota_is_used_up_it_stops_and_says_when_to_resume(file: Path) -> None:
    today = Today(file, daily_limit=100)
    async with today.sandbox as sandbox:
        with pytest.raises(SyncStopped) as stopped:
            await today.sync()
        assert sandbox.received == 95, "a twentieth is left for interactive calls"
        assert sandbox.refused == 0
    [(stored,)] = rows(file, "select count(*) from workshop_orders")
    stop = stopped.value
    assert isinstance(stop, errors.QuotaExhausted)
    assert stop.scope == "daily"
    back = stop.resets_at.astimezone(AMSTERDAM)
    assert abs(back - back.replace(hour=0, minute=0, second=0)) < timedelta(seconds=2) or back.hour == 23
    assert isinstance(stored, int)
    assert 0 < stop.progress.orders <= stored
    assert stop.progress.pages < stop.progress.requests == 95
    assert 95 < stop.progress.pages_left < 150
    copied = pickle.loads(pickle.dumps(stop))  # noqa: S301 - our own bytes
    assert (copied.progress, copied.resets_at) == (stop.progress, stop.resets_at)


async def test_the_next_days_resume_until_it_is_done(file: Path) -> None:
    # Each day has a sandbox of its own with the same orders, which is the same account.
    for _ in range(2):
        today = Today(file, daily_limit=100)
        async with today.sandbox as sandbox:
            with pytest.raises(SyncStopped):
                await today.sync()
            assert sandbox.received == 95
    last = Today(file, daily_limit=400)
    async with last.sandbox as sandbox:
        report = await last.sync()
        spent = 2 * 95 + sandbox.received
    assert report.resumed
    assert report.orders == 2_000
    assert report.requests == spent
    assert spent <= 240


async def test_a_day_without_quota_costs_nothing_and_stores_nothing(file: Path) -> None:
    today = Today(file, daily_limit=1)
    async with today.sandbox as sandbox, session(sandbox.url) as cs:
        await cs.workshop_orders.list(**YEAR)
        with pytest.raises(SyncStopped) as stopped:
            await sync_workshop_orders(cs, store(file), **YEAR)
        assert sandbox.received == 1
    assert stopped.value.progress.pages == 0


async def test_interactive_calls_have_the_rest_of_the_day(file: Path) -> None:
    today = Today(file, daily_limit=60)
    async with today.sandbox as sandbox, session(sandbox.url) as cs:
        with pytest.raises(SyncStopped):
            await sync_workshop_orders(cs, store(file), **YEAR)
        for _ in range(3):
            await cs.workshop_orders.list(**YEAR)
        assert sandbox.refused == 0
