"""What a sync will cost is known beforehand."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from cyclesoft_async import errors
from cyclesoft_async.bulksync import SyncProgress, estimate, sync_workshop_orders
from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.estimate.sampling import Sample
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox
from tests.support.loopback import served
from tests.support.sync import DAY, YEAR, Days, limitless, listing, session, store

WIDE = Days(date_from=date(2024, 6, 1), date_until=date(2026, 6, 11))
SPRING = Days(date_from=date(2025, 3, 5), date_until=date(2025, 5, 20))


def within_a_tenth(expected: int, real: int) -> bool:
    return abs(expected - real) <= max(1, real / 10)


@pytest.mark.parametrize(
    ("orders", "page_size", "seed", "days"),
    [
        (0, 100, 1, YEAR),
        (20_000, 100, 1, DAY),
        (300, 100, 1, YEAR),
        (300, 100, 2, WIDE),
        (2_003, 10, 3, WIDE),  # no full last page: such a list is listed again, which cannot be foreseen
        (5_000, 100, 4, YEAR),
        (5_000, 50, 5, SPRING),
        (20_000, 100, 6, WIDE),
        (20_000, 10, 7, SPRING),
    ],
)
async def test_the_real_run_is_within_a_tenth(
    tmp_path: Path, orders: int, page_size: int, seed: int, days: Days
) -> None:
    async with limitless(orders, page_size=page_size, seed=seed) as sandbox, session(sandbox.url) as cs:
        file = store(tmp_path / "orders.db")
        sampled = await estimate(cs, None, **days)
        assert sampled.requests_now == sandbox.received
        assert sampled.requests_now <= max(30, sampled.requests / 8)
        report = await sync_workshop_orders(cs, file, **days)
        assert within_a_tenth(sampled.requests, report.requests)
        assert within_a_tenth(sampled.orders, report.orders)
        known = await estimate(cs, file, **days)
    assert (known.source, known.requests_now) == ("last run", 1)
    assert known.orders == report.orders
    assert within_a_tenth(known.requests, report.requests)


async def test_a_run_of_days_to_come_is_not_trusted_for_long(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    days = Days(date_from=date(2025, 1, 1), date_until=datetime.now(UTC).date() + timedelta(days=30))
    async with limitless(300) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, store(file), **days)
        assert (await estimate(cs, store(file), **days)).source == "last run"
        eight_days_ago = datetime.now(UTC) - timedelta(days=8)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("update cyclesoft_runs set finished_at = ?", [f"{eight_days_ago:%F %T.%f}"])
        assert (await estimate(cs, store(file), **days)).source == "sample"


async def test_of_a_stopped_run_it_tells_what_is_left(tmp_path: Path) -> None:
    file = store(tmp_path / "orders.db")
    async with limitless(5_000, page_size=20) as sandbox, session(sandbox.url) as cs:
        with anyio.CancelScope() as scope:

            def stop(seen: SyncProgress) -> None:
                if seen.pages == 150:
                    scope.cancel()

            await sync_workshop_orders(cs, file, **YEAR, on_progress=stop)
        left = await estimate(cs, file, **YEAR)
        anew = await estimate(cs, file, **YEAR, resume=False)
        report = await sync_workshop_orders(cs, file, **YEAR)
    assert left.resumes
    assert not anew.resumes
    assert within_a_tenth(left.requests, report.requests_now)
    assert within_a_tenth(anew.requests, report.requests)


OPEN_DAYS = [YEAR["date_from"] + timedelta(days=day) for day in range(365) if day % 7]
REGULAR: list[dict[str, object]] = [
    {"workshop_order_id": number, "datetime_scheduled_start": f"{OPEN_DAYS[number // 4]} 09:00:00"}
    for number in range(4 * len(OPEN_DAYS))
]


@pytest.mark.parametrize("order", [REGULAR, REGULAR[::-1]], ids=["in order", "not in order"])
async def test_lists_in_any_order_can_be_estimated(tmp_path: Path, order: list[dict[str, object]]) -> None:
    async with served(listing(order, page_size=10)) as url, session(url) as cs:
        expected = await estimate(cs, None, **YEAR)
        assert within_a_tenth(expected.orders, len(REGULAR))
        report = await sync_workshop_orders(cs, store(tmp_path / "a.db"), **YEAR, concurrency=1)
    assert report.orders == len(REGULAR)


async def test_a_small_shop_can_be_estimated_by_lists_in_no_order() -> None:
    every_third_day: list[dict[str, object]] = [
        {
            "workshop_order_id": number,
            "datetime_scheduled_start": f"{YEAR['date_from'] + timedelta(days=3 * number)} 09:00:00",
        }
        for number in range(120)
    ]
    async with served(listing(every_third_day[::-1], page_size=100)) as url, session(url) as cs:
        expected = await estimate(cs, None, **YEAR)
    assert within_a_tenth(expected.orders, len(every_third_day))


# The second is the evening before, in Amsterdam.
@pytest.mark.parametrize("start", [None, "2025-01-01T00:30:00+02:00"])
async def test_an_order_from_before_the_days_does_not_hold_it_up(start: str | None) -> None:
    busy_day: list[dict[str, object]] = [
        {"workshop_order_id": number, "datetime_scheduled_start": "2025-01-01 09:00:00"}
        for number in range(30)
    ]
    first: dict[str, object] = {"workshop_order_id": 10_000, "datetime_scheduled_start": start}
    async with served(listing([first, *busy_day, *REGULAR], page_size=10)) as url, session(url) as cs:
        with anyio.fail_after(10):
            expected = await estimate(cs, None, **YEAR)
    assert within_a_tenth(expected.orders, len(busy_day) + len(REGULAR))
    assert expected.requests_now <= 30


async def test_nights_are_told(tmp_path: Path) -> None:
    async with Sandbox(orders=3_000, page_size=10, daily_limit=100) as sandbox, session(sandbox.url) as cs:
        expected = await estimate(cs, store(tmp_path / "a.db"), **YEAR)
    # 95 a day for bulk work, some of which the estimate took.
    assert within_a_tenth(expected.requests, 305)
    assert expected.days == 4
    now = datetime.now(UTC).astimezone(AMSTERDAM)
    ready = expected.ready_at.astimezone(AMSTERDAM)
    assert ready.date() == now.date() + timedelta(days=3)
    assert ready.hour == 0
    assert expected.quota.daily.limit == 100


async def test_minutes_are_told(tmp_path: Path) -> None:
    async with Sandbox(orders=3_000, page_size=10, minutely_limit=100) as sandbox, session(sandbox.url) as cs:
        expected = await estimate(cs, store(tmp_path / "a.db"), **YEAR)
    assert 3 <= expected.minutes <= 4
    assert expected.days == 1
    assert timedelta(minutes=2) < expected.ready_at - datetime.now(UTC) < timedelta(minutes=5)


async def test_without_a_store_there_is_nothing_to_go_on_with() -> None:
    async with limitless(1) as sandbox, session(sandbox.url) as cs:
        with pytest.raises(errors.UsageError, match="needs an unfinished run"):
            await estimate(cs, None, **YEAR, resume=True)


def sampled(counts: Sequence[int], page: int) -> Sample:
    """A sample of days with so many orders, taken without a server."""
    first = date(2025, 1, 1).toordinal()
    days = [first + day for day, orders in enumerate(counts) for _ in range(orders)]
    sample = Sample(Window(date(2025, 1, 1), date.fromordinal(first + len(counts) - 1)))
    sample.page_size = page
    while (day := sample.next_day()) is not None:
        left = [start for start in days if start >= day]
        size = page
        while size < len(left) and left[size - 1] == left[0]:
            size += page
        sample.requests += size // page
        sample.add(day, left[:size], left[size - 1] if size < len(left) else first + len(counts))
    return sample


def test_seasons_and_weekdays_are_found_with_few_requests() -> None:
    # Closed on Sundays, quiet on Mondays, busy on Saturdays; twice as busy in May as in December.
    weekday = [0.5, 1, 1, 1, 1.2, 1.8, 0]
    season = [1 + abs(180 - day) / -270 for day in range(365)]
    counts = [round(40 * weekday[(day + 2) % 7] * season[day]) for day in range(365)]
    sample = sampled(counts, 100)
    assert sample.requests <= 30
    assert abs(len(sample.starts()) / sum(counts) - 1) < 0.1


def test_a_shop_that_opened_late_is_found_with_few_requests() -> None:
    counts = [0] * 500 + [30, 30, 30, 30, 30, 0, 0] * 20
    sample = sampled(counts, 100)
    assert sample.requests <= 30
    assert abs(len(sample.starts()) / sum(counts) - 1) < 0.05


@pytest.mark.parametrize("closed", [(59, 304), (181, 243), (187, 208), (0, 90), (300, 365)], ids=str)
@pytest.mark.parametrize("a_day", [55, 8])
def test_a_closed_season_is_found_with_few_requests(closed: tuple[int, int], a_day: int) -> None:
    counts = [0 if closed[0] <= day < closed[1] else a_day for day in range(365)]
    sample = sampled(counts, 100)
    assert sample.requests <= 30
    assert abs(len(sample.starts()) / sum(counts) - 1) < 0.1


@pytest.mark.parametrize("day", [0, 100, 181, 290, 364])
def test_a_single_busy_day_of_a_quiet_year_is_found(day: int) -> None:
    counts = [3] * 365
    counts[day] = 1_000
    sample = sampled(counts, 100)
    assert sample.requests <= 36
    assert abs(len(sample.starts()) / sum(counts) - 1) < 0.1


def test_where_a_day_has_dozens_of_pages_few_days_are_looked_at() -> None:
    sample = sampled([500] * 30, 10)
    assert sample.requests <= 110
    assert len(sample.starts()) == 15_000
