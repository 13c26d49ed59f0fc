"""The limit of a day, in virtual time: a minute passes in a millisecond."""

import asyncio
from email.utils import format_datetime

import pytest

from cyclesoft_async import errors
from cyclesoft_async.quota import Lane, Limiter
from tests.support.limiter import Queue, a_limiter, close, headers, moment, now, settle, until, use, wall

LANES: tuple[Lane, ...] = ("interactive", "bulk")


async def test_a_used_up_day_waits_for_the_servers_reset() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=2, reset=5_000))
    await use(limiter, 2)
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=4_000)
    assert raised.value.scope == "daily"
    assert close(raised.value.resets_at, 5_000)
    await limiter.acquire()
    assert now() == pytest.approx(5_000, abs=1)
    assert limiter.snapshot().daily.used == 1


async def test_a_429_for_the_day_waits_for_the_reset() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=1, reset=5_000))
    (await limiter.acquire()).answered(429, headers(daily_limit=100, daily_remaining=0, reset=5_000))
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await limiter.acquire(max_wait=0)
    await limiter.acquire()
    assert now() == pytest.approx(5_000, abs=1)


@pytest.mark.parametrize("reset", [None, -100, 10 * 86_400], ids=["none", "over", "far"])
async def test_without_a_credible_reset_a_used_up_day_is_probed_every_minute(reset: float | None) -> None:
    limiter = await a_limiter()
    (await limiter.acquire()).answered(429, headers(daily_limit=100, daily_remaining=0, reset=reset))
    for _ in range(3):
        before = now()
        permit = await limiter.acquire()
        assert now() - before == pytest.approx(60, abs=0.01)
        permit.answered(429, headers(daily_limit=100, daily_remaining=0, reset=reset))
    before = now()
    (await limiter.acquire()).answered(200, headers(daily_limit=100, daily_remaining=99))
    await use(limiter, 5)
    assert now() - before == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("ahead", [0, 3_600, 43_200, 90_000, -90_000, -3 * 86_400])
async def test_a_new_day_opens_however_wrong_the_clocks_are(ahead: float, status: int) -> None:
    limiter, midnight = Limiter(wall=lambda: wall() + ahead), 7_200.0

    def reported(remaining: int) -> dict[str, str]:
        reset = midnight if now() < midnight else midnight + 86_400
        return headers(360, 300, daily_limit=15_000, daily_remaining=remaining, reset=reset)

    (await limiter.acquire()).answered(200, reported(5))
    permit = await limiter.acquire()
    while now() < midnight:
        permit.answered(429, reported(0))
        permit = await limiter.acquire()
    assert now() <= midnight + 60.1
    permit.answered(status, reported(14_999))
    await use(limiter, 200)
    assert limiter.snapshot().daily.remaining == 14_799


@pytest.mark.parametrize("ahead", [43_200, -43_200, 86_400 * 365])
async def test_the_reset_is_read_against_the_answers_own_date(ahead: float) -> None:
    limiter = Limiter(wall=lambda: wall() + ahead)
    date = {"Date": format_datetime(moment(0), usegmt=True)}
    reported = headers(daily_limit=100, daily_remaining=1, reset=5_000)
    (await limiter.acquire()).answered(200, {**reported, **date})
    await use(limiter, 1)
    await limiter.acquire()
    assert now() == pytest.approx(5_000, abs=1)


async def test_a_new_day_opens_although_the_reset_is_a_constant() -> None:
    limiter = Limiter(wall=wall)

    def reported(remaining: int) -> dict[str, str]:
        return headers(daily_limit=15_000, daily_remaining=remaining, reset=-80_000_000)

    (await limiter.acquire()).answered(200, reported(1))
    (await limiter.acquire()).answered(429, reported(0))
    permit = await limiter.acquire()
    assert now() == pytest.approx(60, abs=0.01)
    permit.answered(200, reported(14_999))
    for used in range(2, 202):
        (await limiter.acquire(max_wait=0)).answered(200, reported(15_000 - used))
    assert limiter.snapshot().daily.used == 201


async def test_a_200_that_shows_room_opens_a_used_up_day_whose_end_was_wrong() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=1, reset=80_000))
    permit = await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted, match="X-RateLimit-Daily-Reset"):
        await limiter.acquire(max_wait=0)
    permit.answered(200, headers(daily_limit=100, daily_remaining=60, reset=-5))
    await use(limiter, 60)
    assert now() < 1


# Odd answers
@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("daily_limit", [1, 15_000])
async def test_a_first_answer_with_a_reset_in_47_hours_is_probed_every_minute(
    daily_limit: int, status: int
) -> None:
    limiter = Limiter(wall=wall)
    odd = headers(daily_limit=daily_limit, daily_remaining=0, reset=47 * 3_600)
    (await limiter.acquire()).answered(status, odd)
    with pytest.raises(errors.QuotaExhausted, match="end of the day is unknown") as raised:
        await limiter.acquire(max_wait=3)
    assert raised.value.resets_at <= moment(61)
    (await limiter.acquire()).answered(200, headers(daily_limit=15_000, daily_remaining=14_000, reset=3_600))
    await use(limiter, 50)
    assert now() < 61


async def test_a_first_answer_that_ends_a_small_day_with_a_credible_reset_is_believed() -> None:
    limiter = await a_limiter(headers(daily_limit=1, daily_remaining=0, reset=23 * 3_600))
    for lane in LANES:
        with pytest.raises(errors.QuotaExhausted, match="X-RateLimit-Daily-Reset") as raised:
            await limiter.acquire(lane=lane, max_wait=300)
        assert close(raised.value.resets_at, 23 * 3_600)
    assert now() < 1


async def test_a_daily_limit_that_falls_suddenly_counts_when_a_second_answer_confirms_it() -> None:
    limiter = await a_limiter(headers(daily_limit=15_000, daily_remaining=14_000, reset=20 * 3_600))
    lower = headers(daily_limit=1, daily_remaining=0, reset=20 * 3_600)
    (await limiter.acquire()).answered(200, lower)
    assert limiter.snapshot().daily.limit == 15_000
    (await limiter.acquire(max_wait=0)).answered(200, lower)
    assert limiter.snapshot().daily.limit == 1
    with pytest.raises(errors.QuotaExhausted, match="sudden change") as raised:
        await limiter.acquire(max_wait=3)
    assert raised.value.resets_at <= moment(61)


async def test_a_429_that_ends_the_day_all_of_a_sudden_is_probed_every_hour() -> None:
    limiter = await a_limiter(headers(daily_limit=15_000, daily_remaining=14_000, reset=20 * 3_600))
    odd = headers(daily_limit=15_000, daily_remaining=0, reset=20 * 3_600)
    (await limiter.acquire()).answered(429, odd)
    for hour in (1, 2):
        permit = await limiter.acquire()
        assert now() == pytest.approx(hour * 3_600, abs=1)
        permit.answered(429, odd)
    (await limiter.acquire()).answered(200, headers(daily_limit=15_000, daily_remaining=13_990))
    await use(limiter, 100)
    assert now() == pytest.approx(3 * 3_600, abs=1)


async def test_without_headers_the_day_is_counted_and_restarts_after_a_day() -> None:
    limiter = await a_limiter(headers(20_000))
    await use(limiter, 14_999)
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await limiter.acquire(max_wait=0)
    await until(86_401)
    await use(limiter, 100)
    assert limiter.snapshot().daily.used == 100


async def test_an_answer_of_yesterday_does_not_change_today() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=50, reset=100))
    late = await limiter.acquire()
    await until(101)
    await use(limiter, 1)
    late.answered(200, headers(daily_limit=100, daily_remaining=0, reset=100))
    assert limiter.snapshot().daily.used == 1


async def test_a_late_refusal_of_yesterday_does_not_end_today() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=3, reset=10))
    late = await limiter.acquire()
    await until(10.1)
    (await limiter.acquire()).answered(200, headers(daily_limit=100, daily_remaining=99, reset=86_410))
    late.answered(429, headers(daily_limit=100, daily_remaining=0, reset=10))
    assert limiter.snapshot().daily.remaining == 99
    await use(limiter, 5)
    assert now() == pytest.approx(10.1, abs=0.001)


async def test_an_unsent_request_of_yesterday_leaves_today_at_zero() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=3, reset=10))
    late = await limiter.acquire()
    await until(10.1)
    late.unsent()
    assert (limiter.snapshot().daily.used, limiter.snapshot().daily.remaining) == (0, 100)


async def test_a_machine_that_was_suspended_overnight_starts_a_new_day() -> None:
    slept = 0.0
    limiter = Limiter(wall=lambda: wall() + slept)
    (await limiter.acquire()).answered(200, headers(daily_limit=100, daily_remaining=1, reset=30_000))
    await use(limiter, 1)
    slept = 40_000.0  # the loop's clock stood still meanwhile
    await limiter.acquire(max_wait=1)
    assert now() < 1
    (await limiter.acquire()).answered(200, headers(daily_limit=100, daily_remaining=0, reset=80_000))
    waiting = asyncio.create_task(limiter.acquire())
    await settle()
    slept = 90_000.0
    await waiting
    assert now() < 400


async def test_a_day_that_is_suddenly_used_up_is_doubted() -> None:
    limiter = await a_limiter(headers(daily_limit=10_000, daily_remaining=9_000, reset=50_000))
    (await limiter.acquire()).answered(200, headers(daily_limit=10_000, daily_remaining=0, reset=50_000))
    before = now()
    (await limiter.acquire()).answered(200, headers(daily_limit=10_000, daily_remaining=8_998, reset=50_000))
    assert now() - before == pytest.approx(60, abs=0.01)
    assert limiter.snapshot().daily.remaining == 8_998


async def test_bulk_work_leaves_its_reserve_of_the_day_unused() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=99, reset=5_000), bulk_reserve=97)
    await limiter.acquire(lane="bulk")
    await limiter.acquire(lane="bulk")
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await limiter.acquire(lane="bulk", max_wait=100)
    await limiter.acquire(max_wait=0)
    queue = Queue(limiter)
    await queue.join("a", lane="bulk")
    await queue.join("b")
    assert queue.granted == ["b"]
    await until(5_001)
    assert queue.granted == ["b", "a"]


async def test_the_reserve_is_a_twentieth_of_the_day_by_default() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=6, reset=5_000))
    await limiter.acquire(lane="bulk", max_wait=0)
    with pytest.raises(errors.QuotaExhausted):
        await limiter.acquire(lane="bulk", max_wait=0)
