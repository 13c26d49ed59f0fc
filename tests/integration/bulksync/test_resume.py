"""A sync that was stopped goes on where it was."""

import pickle
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, errors
from cyclesoft_async.bulksync import SyncProgress, SyncReport, SyncStopped, sync_workshop_orders
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from tests.support.loopback import served
from tests.support.sync import DATED, YEAR, contents, limitless, listing, rows, session, store

DAY = 86_400


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


async def test_a_cancelled_sync_keeps_what_it_stored_and_goes_on(tmp_path: Path, file: Path) -> None:
    async with limitless(5_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        undisturbed = await sync_workshop_orders(cs, store(tmp_path / "undisturbed.db"), **YEAR)
        before = sandbox.requests
        await stopped_at(100, cs, file)
        [(stored,)] = rows(file, "select count(*) from workshop_orders")
        assert isinstance(stored, int)
        assert 1_900 <= stored < 5_000
        spent = sandbox.requests - before
        report = await sync_workshop_orders(cs, store(file), **YEAR)
        assert report.resumed
        assert report.requests_now == sandbox.requests - before - spent
        assert sandbox.requests - before <= undisturbed.requests + 8
    assert report.orders == 5_000
    assert report.pages <= undisturbed.pages + 8
    assert contents(file) == contents(tmp_path / "undisturbed.db")


async def test_what_did_not_come_in_order_is_read_to_its_end_also_when_it_goes_on(file: Path) -> None:
    """A page out of order, and then pages beyond the first window's cut that seem to be in order."""
    listed = [*DATED[:20], *DATED[30:40][::-1], *DATED[250:], *DATED[20:30], *DATED[40:250]]
    async with served(listing(listed, page_size=10)) as url, session(url) as cs:
        await stopped_at(8, cs, file, concurrency=2)
        assert len(rows(file, "select * from cyclesoft_windows")) > 1
        assert (0,) in rows(file, "select in_order from cyclesoft_windows")
        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=2)
    assert rows(file, "select count(*) from workshop_orders") == [(len(DATED),)]


async def test_a_list_that_breaks_its_order_where_it_was_stopped_is_read_to_its_end(file: Path) -> None:
    """The first window is cut after one page; its next one begins earlier, and ends beyond the cut."""
    first, second = [*DATED[:5], *DATED[20:25]], [*DATED[5:10], *DATED[300:305]]
    answer = listing([*first, *second, *DATED[10:20], *DATED[25:300], *DATED[305:]], page_size=10)
    stopped = anyio.Event()

    async def hold_second_page(request: web.Request) -> web.StreamResponse:
        if request.query.get("skip") == "10":
            await stopped.wait()
        return await answer(request)

    async with served(hold_second_page) as url, session(url) as cs:
        await stopped_at(2, cs, file, concurrency=2)
        stopped.set()
        assert rows(file, "select pages, in_order, reached from cyclesoft_windows where number = 0") == [
            (1, 1, "2025-01-25")
        ]
        await sync_workshop_orders(cs, store(file), **YEAR, concurrency=2)
    assert rows(file, "select count(*) from workshop_orders") == [(len(DATED),)]


async def test_a_finished_run_is_not_gone_on_with(file: Path) -> None:
    async with limitless(500) as sandbox, session(sandbox.url) as cs:
        first = await sync_workshop_orders(cs, store(file), **YEAR)
        second = await sync_workshop_orders(cs, store(file), **YEAR)
        assert not second.resumed
        assert second.requests == first.requests
        with pytest.raises(errors.UsageError, match="no unfinished run"):
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
    """A day's quota that is used up, and a clock that can be moved to the next."""

    def __init__(self, file: Path, *, daily_limit: int) -> None:
        self.days = 0
        self.file = file
        self.sandbox = Sandbox(
            orders=2_000,
            page_size=10,
            minutely_limit=10**9,
            daily_limit=daily_limit,
            clock=lambda: time.time() + self.days * DAY,
        )

    async def sync(self) -> SyncReport:
        """As a new process would: the session knows nothing of the day before."""
        async with session(self.sandbox.url) as cs:
            return await sync_workshop_orders(cs, store(self.file), **YEAR)


async def test_when_the_days_quota_is_used_up_it_stops_and_tells_when_to_come_back(file: Path) -> None:
    today = Today(file, daily_limit=100)
    async with today.sandbox as sandbox:
        with pytest.raises(SyncStopped) as stopped:
            await today.sync()
        assert sandbox.requests == 95, "a twentieth is left for interactive calls"
        assert sandbox.refused == 0
    [(stored,)] = rows(file, "select count(*) from workshop_orders")
    stop = stopped.value
    assert isinstance(stop, errors.QuotaExhausted)
    assert stop.scope == "daily"
    back = stop.resets_at.astimezone(AMSTERDAM)
    assert abs(back - back.replace(hour=0, minute=0, second=0)) < timedelta(seconds=2) or back.hour == 23
    assert stop.progress.orders == stored
    assert stop.progress.pages == stop.progress.requests == 95
    assert 95 < stop.progress.pages_left < 130
    copied = pickle.loads(pickle.dumps(stop))  # noqa: S301 - our own bytes
    assert (copied.progress, copied.resets_at) == (stop.progress, stop.resets_at)


async def test_the_next_days_go_on_until_it_is_done(file: Path) -> None:
    today = Today(file, daily_limit=100)
    async with today.sandbox as sandbox:
        for day in range(2):
            today.days = day
            with pytest.raises(SyncStopped):
                await today.sync()
        assert sandbox.requests == 2 * 95
        # The client's clock is not moved: it does not believe a reset that is days away.
        today.days = 2
        report = await today.sync()
    assert report.resumed
    assert report.orders == 2_000
    assert report.requests == report.pages == sandbox.requests <= 215


async def test_a_day_without_quota_costs_nothing_and_stores_nothing(file: Path) -> None:
    today = Today(file, daily_limit=1)
    async with today.sandbox as sandbox, session(sandbox.url) as cs:
        await cs.workshop_orders.list(**YEAR)
        with pytest.raises(SyncStopped) as stopped:
            await sync_workshop_orders(cs, store(file), **YEAR)
        assert sandbox.requests == 1
    assert stopped.value.progress.pages == 0


async def test_interactive_calls_have_the_rest_of_the_day(file: Path) -> None:
    today = Today(file, daily_limit=60)
    async with today.sandbox as sandbox, session(sandbox.url) as cs:
        with pytest.raises(SyncStopped):
            await sync_workshop_orders(cs, store(file), **YEAR)
        for _ in range(3):
            await cs.workshop_orders.list(**YEAR)
        assert sandbox.refused == 0
