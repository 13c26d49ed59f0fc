"""Limits that the limiter learns and keeps, in virtual time: a minute passes in a millisecond."""

import asyncio
from email.utils import format_datetime
from itertools import pairwise

import pytest

from benchmarks.virtual_time import VirtualTimeLoop
from cyclesoft_async import errors
from cyclesoft_async.quota import Lane, Limiter, Permit
from tests.support.limiter import Queue, a_limiter, close, headers, moment, now, settle, until, use, wall


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


# The start


async def test_the_first_request_is_a_probe_and_its_answer_teaches_the_limits() -> None:
    limiter = Limiter(wall=wall)
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    assert queue.granted == ["a"]
    queue.permits["a"].answered(200, headers(100, 60, daily_limit=5_000, daily_remaining=4_000, reset=3_600))
    await settle()
    assert queue.granted == ["a", "b", "c"]
    quota = limiter.snapshot()
    assert (quota.minutely.limit, quota.minutely.used, quota.minutely.remaining) == (100, 42, 58)
    assert (quota.daily.limit, quota.daily.used, quota.daily.remaining) == (5_000, 1_002, 3_998)
    assert (quota.minutely.source, quota.daily.source) == ("header", "header")
    assert close(quota.daily.resets_at, 3_600)
    assert (quota.in_flight, quota.waiting, quota.sent, quota.refused) == (2, 0, 3, 0)


@pytest.mark.parametrize("outcome", ["no headers", "lost", "nonsense"])
async def test_a_first_answer_without_limits_leaves_the_documented_ones(outcome: str) -> None:
    limiter = Limiter(wall=wall)
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    permit = queue.permits["a"]
    if outcome == "lost":
        permit.lost()
    elif outcome == "no headers":
        permit.answered(200, {})
    else:
        permit.answered(200, dict.fromkeys(headers(1, 1, daily_limit=1, daily_remaining=1, reset=1), "x1_0"))
    await settle()
    assert queue.granted == ["a", "b", "c"]
    quota = limiter.snapshot()
    assert (quota.minutely.limit, quota.daily.limit) == (360, 15_000)
    assert (quota.minutely.source, quota.daily.source) == ("estimate", "estimate")


async def test_an_unsent_probe_is_followed_by_another_at_once() -> None:
    limiter = Limiter(wall=wall)
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    queue.permits["a"].unsent()
    await settle()
    assert queue.granted == ["a", "b"]
    assert now() == pytest.approx(0, abs=0.001)
    queue.permits["b"].answered(200, headers(100, 2))
    await settle()
    assert queue.granted == ["a", "b", "c"]


async def test_a_snapshot_before_the_first_request_shows_the_documented_limits() -> None:
    quota = Limiter(wall=wall).snapshot()
    assert (quota.minutely.remaining, quota.daily.remaining) == (360, 15_000)
    assert (quota.resets_at, quota.minutely.resets_at, quota.daily.resets_at) == (None, None, None)


# The minute


async def test_a_token_returns_one_minute_after_the_answer() -> None:
    limiter = await a_limiter(headers(2, 1))
    permit = await limiter.acquire()
    await until(10)
    permit.answered(200, {})
    await limiter.acquire()
    assert now() == pytest.approx(60, abs=0.001)
    await limiter.acquire()
    assert now() == pytest.approx(70, abs=0.001)


async def test_a_lost_request_returns_its_token_after_a_minute_an_unsent_one_at_once() -> None:
    limiter = await a_limiter(headers(2, 1))
    await until(1)
    (await limiter.acquire()).unsent()
    permit = await limiter.acquire()
    await until(20)
    permit.lost()
    await limiter.acquire()
    await limiter.acquire()
    assert now() == pytest.approx(80, abs=0.001)


async def test_reporting_an_outcome_is_idempotent() -> None:
    limiter = await a_limiter(headers(10, 9))
    permit = await limiter.acquire()
    assert repr(permit) == "<Permit: in flight>"
    permit.unsent()
    before = limiter.snapshot()
    permit.unsent()
    permit.lost()
    permit.answered(429, {})
    assert limiter.snapshot() == before
    assert repr(permit) == "<Permit: done>"


async def test_foreign_use_lowers_the_room() -> None:
    limiter = await a_limiter(headers(100, 3))
    await use(limiter, 3)
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=5)
    assert raised.value.scope == "minutely"
    assert close(raised.value.resets_at, 60)


async def test_a_wrong_remaining_stalls_for_a_window_at_most() -> None:
    limiter = await a_limiter(headers(100, 0))
    for _ in range(5):
        before = now()
        permit = await limiter.acquire()
        assert now() - before < 60.01
        permit.answered(200, headers(100, 0))


async def test_max_concurrent_limits_the_requests_in_flight() -> None:
    limiter = await a_limiter(max_concurrent=2)
    queue = Queue(limiter)
    await queue.join("a", "b", "c", "d")
    assert queue.granted == ["a", "b"]
    queue.permits["b"].answered(200, {})
    await settle()
    assert queue.granted == ["a", "b", "c"]
    assert limiter.snapshot().waiting == 1


# 429


async def test_a_429_pauses_all_calls_and_then_one_probes() -> None:
    limiter = await a_limiter(headers(100, 99))
    permit = await limiter.acquire()
    queue = Queue(limiter)
    permit.answered(429, headers(retry_after="7"))
    await queue.join("a", "b", "c")
    assert queue.granted == []
    await until(6.9)
    assert queue.granted == []
    await until(7.1)
    assert queue.granted == ["a"]
    queue.permits["a"].answered(200, {})
    await settle()
    assert queue.granted == ["a", "b", "c"]
    assert limiter.snapshot().refused == 1


async def test_an_unsent_probe_after_a_429_is_followed_by_another() -> None:
    limiter = await a_limiter(headers(100, 99))
    (await limiter.acquire()).answered(429, headers(retry_after="7"))
    alone = await limiter.acquire()
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    alone.unsent()
    await queue.cancel("a")
    assert queue.granted == ["b"]
    assert now() == pytest.approx(7, abs=0.001)


async def test_retry_after_may_be_a_date() -> None:
    limiter = await a_limiter()
    (await limiter.acquire()).answered(429, headers(retry_after=format_datetime(moment(30), usegmt=True)))
    await limiter.acquire()
    assert now() == pytest.approx(30, abs=1)


async def test_a_retry_after_date_is_read_against_the_answers_own_date() -> None:
    ahead = 3_600.0  # of the client's clock
    limiter = Limiter(wall=lambda: wall() + ahead)
    (await limiter.acquire()).answered(200, headers(100, 99))
    dates = {
        "Date": format_datetime(moment(0), usegmt=True),
        "Retry-After": format_datetime(moment(30), usegmt=True),
    }
    (await limiter.acquire()).answered(429, dates)
    await limiter.acquire()
    assert now() == pytest.approx(30, abs=0.01)


LANES: tuple[Lane, ...] = ("interactive", "bulk")
PAST = format_datetime(moment(-60), usegmt=True)


@pytest.mark.parametrize("retry_after", [None, "0", "1", "-5", "0.5", PAST])
async def test_retry_after_never_shortens_the_backoff(retry_after: str | None) -> None:
    limiter = await a_limiter()
    began: list[float] = []
    for _ in range(5):
        permit = await limiter.acquire()
        began.append(now())
        permit.answered(429, headers(360, 300, retry_after=retry_after))
    assert [later - earlier for earlier, later in pairwise(began)] == pytest.approx([1, 2, 4, 8], abs=0.01)


async def test_a_retry_after_of_a_day_is_probed_every_ten_minutes() -> None:
    limiter = await a_limiter()
    for number in range(3):
        (await limiter.acquire()).answered(429, headers(retry_after="86400"))
        assert now() == pytest.approx(600 * number, abs=0.01)
        with pytest.raises(errors.QuotaExhausted, match="429") as raised:
            await limiter.acquire(max_wait=3)
        assert close(raised.value.resets_at, now() + 600)
        assert raised.value.basis == "the server refused with status 429"
    (await limiter.acquire()).answered(200, {})
    assert now() == pytest.approx(1_800, abs=0.01)
    await limiter.acquire(max_wait=0)


@pytest.mark.parametrize("nonsense", ["soon", "-1", "1e3", "Tue, 99 Foo 2025", "9" * 5_000])
async def test_a_429_without_retry_after_waits_for_the_next_token(nonsense: str) -> None:
    limiter = await a_limiter(headers(100, 99))
    await until(20)
    await use(limiter, 5)
    permit = await limiter.acquire()
    await until(25)
    permit.answered(429, headers(retry_after=nonsense))
    queue = Queue(limiter)
    await queue.join("a", "b")
    await until(59.9)
    assert queue.granted == []
    await until(60.1)
    assert queue.granted == ["a"]


async def test_a_429_for_the_first_request_waits_for_a_window_at_most() -> None:
    limiter = Limiter(wall=wall)
    (await limiter.acquire()).answered(429, {})
    await limiter.acquire()
    assert now() == pytest.approx(60, abs=0.01)


async def test_a_429_despite_room_pauses_with_exponential_backoff() -> None:
    limiter = await a_limiter()
    began: list[float] = []
    for _ in range(4):
        permit = await limiter.acquire()
        began.append(now())
        permit.answered(429, headers(360, 300))
    assert [later - earlier for earlier, later in pairwise(began)] == pytest.approx([1, 2, 4], abs=0.01)


# The day


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


async def test_a_waiter_fails_as_soon_as_an_answer_shows_its_deadline_is_too_soon() -> None:
    limiter = await a_limiter(headers(3, 2, daily_limit=100, daily_remaining=40, reset=5_000))
    permits = [await limiter.acquire() for _ in range(2)]

    def wait(lane: Lane, max_wait: float | None) -> asyncio.Task[Permit]:
        return asyncio.create_task(limiter.acquire(lane=lane, max_wait=max_wait))

    bulk, call = wait("bulk", 300), wait("interactive", 300)
    patient = [wait("bulk", 6_000), wait("bulk", None), wait("interactive", 6_000), wait("interactive", None)]
    await settle()
    permits[0].answered(200, headers(3, 0, daily_limit=100, daily_remaining=3, reset=5_000))
    with pytest.raises(errors.QuotaExhausted, match="daily") as raised:
        await bulk
    assert close(raised.value.resets_at, 5_000)
    assert not call.done()
    permits[1].answered(429, headers(3, 0, daily_limit=100, daily_remaining=0, reset=5_000))
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await call
    assert now() == pytest.approx(0, abs=1)
    for task in patient:
        (await task).unsent()
    assert now() == pytest.approx(5_000, abs=1)


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


async def test_a_minutely_limit_of_one_grants_a_request_a_minute_until_the_next_answer() -> None:
    limiter = await a_limiter(headers(1, 0))
    (await limiter.acquire()).answered(200, headers(360, 359))
    assert now() == pytest.approx(60, abs=0.01)
    await use(limiter, 100)


async def test_the_verdict_says_what_it_rests_on() -> None:
    limiter = await a_limiter(headers(3, 2))
    await use(limiter, 2)
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=0)
    assert raised.value.basis == "by this client's own count"
    assert "(by this client's own count)" in str(raised.value)
    limiter = await a_limiter(headers(3, 0))
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=0)
    assert raised.value.basis == "by the server's count, which includes other clients' requests"


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
