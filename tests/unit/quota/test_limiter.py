"""Limits that the limiter learns and keeps, in virtual time: a minute passes in a millisecond."""

import asyncio

import pytest

from cyclesoft_async import errors
from cyclesoft_async.quota import Lane, Limiter, Permit
from tests.support.limiter import Queue, a_limiter, close, headers, now, settle, until, use, wall


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


async def test_a_long_wait_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cyclesoft_async")
    limiter = await a_limiter(headers(100, 99))
    (await limiter.acquire()).answered(429, headers(retry_after="4"))
    (await limiter.acquire()).answered(429, headers(retry_after="40"))
    assert caplog.messages == [], "a wait of seconds is usual"
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    await until(30)
    await queue.join("d")
    assert caplog.messages == ["no quota for 40 s, 1 waiting"]
