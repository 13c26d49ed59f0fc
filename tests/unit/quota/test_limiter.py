"""What the limiter learns and keeps, in virtual time: a minute passes in a millisecond."""

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


async def test_the_first_request_goes_alone_and_its_answer_teaches_the_limits() -> None:
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
async def test_a_first_request_that_teaches_nothing_opens_up_with_the_documented_limits(outcome: str) -> None:
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


async def test_after_a_first_request_that_was_never_sent_the_next_goes_alone_at_once() -> None:
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


async def test_a_token_comes_back_one_minute_after_the_answer() -> None:
    limiter = await a_limiter(headers(2, 1))
    permit = await limiter.acquire()
    await until(10)
    permit.answered(200, {})
    await limiter.acquire()
    assert now() == pytest.approx(60, abs=0.001)
    await limiter.acquire()
    assert now() == pytest.approx(70, abs=0.001)


async def test_the_token_of_a_lost_request_comes_back_one_minute_later_that_of_an_unsent_one_at_once() -> (
    None
):
    limiter = await a_limiter(headers(2, 1))
    await until(1)
    (await limiter.acquire()).unsent()
    permit = await limiter.acquire()
    await until(20)
    permit.lost()
    await limiter.acquire()
    await limiter.acquire()
    assert now() == pytest.approx(80, abs=0.001)


async def test_only_the_first_word_about_a_permit_counts() -> None:
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


async def test_others_use_of_the_account_is_respected() -> None:
    limiter = await a_limiter(headers(100, 3))
    await use(limiter, 3)
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=5)
    assert raised.value.scope == "minutely"
    assert close(raised.value.resets_at, 60)


async def test_a_remaining_that_lies_stalls_for_no_longer_than_a_window() -> None:
    limiter = await a_limiter(headers(100, 0))
    for _ in range(5):
        before = now()
        permit = await limiter.acquire()
        assert now() - before < 60.01
        permit.answered(200, headers(100, 0))


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    limiter = await a_limiter(max_concurrent=2)
    queue = Queue(limiter)
    await queue.join("a", "b", "c", "d")
    assert queue.granted == ["a", "b"]
    queue.permits["b"].answered(200, {})
    await settle()
    assert queue.granted == ["a", "b", "c"]
    assert limiter.snapshot().waiting == 1


# 429


async def test_a_refusal_stops_everybody_and_then_one_goes_alone() -> None:
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


async def test_a_call_that_is_given_up_after_a_refusal_leaves_the_view_as_it_was() -> None:
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


@pytest.mark.parametrize("nonsense", ["soon", "-1", "1e3", "Tue, 99 Foo 2025", "9" * 5_000])
async def test_a_refusal_without_advice_waits_for_the_next_token_that_comes_back(nonsense: str) -> None:
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


async def test_a_refusal_of_the_first_request_waits_for_no_longer_than_a_window() -> None:
    limiter = Limiter(wall=wall)
    (await limiter.acquire()).answered(429, {})
    await limiter.acquire()
    assert now() == pytest.approx(60, abs=0.01)


async def test_a_refusal_although_there_is_room_pauses_longer_each_time() -> None:
    limiter = await a_limiter()
    began: list[float] = []
    for _ in range(4):
        permit = await limiter.acquire()
        began.append(now())
        permit.answered(429, headers(360, 300))
    assert [later - earlier for earlier, later in pairwise(began)] == pytest.approx([1, 2, 4], abs=0.01)


# The day


async def test_when_the_day_is_used_up_all_wait_for_the_reset_that_the_server_named() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=2, reset=5_000))
    await use(limiter, 2)
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=4_000)
    assert raised.value.scope == "daily"
    assert close(raised.value.resets_at, 5_000)
    await limiter.acquire()
    assert now() == pytest.approx(5_000, abs=1)
    assert limiter.snapshot().daily.used == 1


async def test_who_waits_is_told_as_soon_as_an_answer_shows_that_it_is_in_vain() -> None:
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


async def test_a_refusal_for_the_day_waits_for_the_reset() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=50, reset=5_000))
    (await limiter.acquire()).answered(429, headers(daily_limit=100, daily_remaining=0, reset=5_000))
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await limiter.acquire(max_wait=0)
    await limiter.acquire()
    assert now() == pytest.approx(5_000, abs=1)


@pytest.mark.parametrize("reset", [None, -100, 10 * 86_400], ids=["none", "over", "far"])
async def test_without_a_credible_reset_one_request_a_minute_finds_out(reset: float | None) -> None:
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


async def test_the_day_is_counted_without_headers_and_starts_anew_after_a_day() -> None:
    limiter = await a_limiter(headers(20_000))
    await use(limiter, 14_999)
    with pytest.raises(errors.QuotaExhausted, match="daily"):
        await limiter.acquire(max_wait=0)
    await until(86_401)
    await use(limiter, 100)
    assert limiter.snapshot().daily.used == 100


async def test_an_answer_of_yesterday_does_not_spoil_today() -> None:
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


async def test_a_request_of_yesterday_that_was_never_sent_takes_nothing_from_today() -> None:
    limiter = await a_limiter(headers(daily_limit=100, daily_remaining=3, reset=10))
    late = await limiter.acquire()
    await until(10.1)
    late.unsent()
    assert (limiter.snapshot().daily.used, limiter.snapshot().daily.remaining) == (0, 100)


async def test_a_machine_that_was_suspended_overnight_knows_that_the_day_is_over() -> None:
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


async def test_bulk_leaves_its_reserve_of_the_day_alone() -> None:
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
