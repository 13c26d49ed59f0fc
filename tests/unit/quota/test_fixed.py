"""Rate limiter for a fixed limit, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from cyclesoft_async.errors import QuotaExhausted, SessionError
from cyclesoft_async.quota import FixedLimiter
from tests.support.limiter import now, settle, until


async def test_every_minute_has_exactly_the_limit_while_calls_wait() -> None:
    limiter = FixedLimiter(20)
    sent: list[float] = []

    async def call() -> None:
        permit = await limiter.acquire()
        sent.append(now())
        await asyncio.sleep(0.3)  # virtual time: what an answer takes
        permit.answered(200, {})

    began = now()
    await asyncio.gather(*(call() for _ in range(60)))
    assert [round(at - began, 1) for at in sent] == [0.0] * 20 + [60.3] * 20 + [120.6] * 20


async def test_without_a_limit_all_calls_are_granted_at_once() -> None:
    limiter = FixedLimiter(None)
    began = now()
    for _ in range(1_000):
        (await limiter.acquire()).answered(200, {})
    assert now() == began


@pytest.mark.parametrize("limit", [None, 20])
async def test_a_429_pauses_all_calls_for_its_retry_after(limit: int | None) -> None:
    limiter = FixedLimiter(limit)
    began = now()
    (await limiter.acquire()).answered(429, {"Retry-After": "30"})
    (await limiter.acquire()).answered(200, {})
    assert round(now() - began) == 30


@pytest.mark.parametrize("retry_after", [None, "0", "-5", "Fri, 27 Nov 2020 20:00:00 GMT"])
@pytest.mark.parametrize("limit", [None, 20])
async def test_retry_after_never_shortens_the_backoff(limit: int | None, retry_after: str | None) -> None:
    limiter = FixedLimiter(limit)
    began: list[float] = []
    for _ in range(5):
        permit = await limiter.acquire()
        began.append(now())
        permit.answered(429, {} if retry_after is None else {"Retry-After": retry_after})
    assert [later - earlier for earlier, later in pairwise(began)] == pytest.approx([1, 2, 4, 8], abs=0.01)


async def test_a_retry_after_date_is_read_against_the_answers_own_date() -> None:
    limiter = FixedLimiter(20)
    began = now()
    dates = {"Date": "Fri, 27 Nov 2020 20:00:00 GMT", "Retry-After": "Fri, 27 Nov 2020 20:00:30 GMT"}
    (await limiter.acquire()).answered(429, dates)
    await limiter.acquire()
    assert now() - began == pytest.approx(30, abs=0.01)


async def test_an_unsent_request_returns_its_token_at_once() -> None:
    limiter = FixedLimiter(1)
    began = now()
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await settle()
    assert repr(limiter) == "<FixedLimiter: 1 in flight, 1 waiting>"
    await until(began + 5)
    permit.unsent()
    next_one = await waiting
    assert round(now() - began) == 5
    next_one.lost()
    await limiter.acquire()
    assert round(now() - began) == 65


async def test_a_wait_longer_than_max_wait_fails_at_once() -> None:
    limiter = FixedLimiter(1)
    (await limiter.acquire()).answered(200, {})
    began = now()
    with pytest.raises(QuotaExhausted) as caught:
        await limiter.acquire(max_wait=59)
    assert (caught.value.scope, now()) == ("minutely", began)
    patient = asyncio.create_task(limiter.acquire(max_wait=61))
    await settle()
    with pytest.raises(QuotaExhausted):  # the second of two waits for two minutes
        await limiter.acquire(max_wait=61)
    (await patient).answered(429, {"Retry-After": "90"})
    waiting = [asyncio.create_task(limiter.acquire(max_wait=wait)) for wait in (None, 80)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[1], QuotaExhausted)


async def test_a_pause_that_exceeds_max_wait_fails_a_waiting_call() -> None:
    limiter = FixedLimiter(2)
    first, _ = await limiter.acquire(), await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire(max_wait=70))
    await settle()
    first.answered(429, {"Retry-After": "600"})
    with pytest.raises(QuotaExhausted):
        await waiting


async def test_cancelled_waiters_leave_the_queue() -> None:
    limiter = FixedLimiter(1)
    permit = await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await settle()
    for task in waiting[:2]:
        task.cancel()
    await settle()
    permit.unsent()
    (await waiting[2]).unsent()
    assert repr(limiter) == "<FixedLimiter: 0 in flight, 0 waiting>"


@pytest.mark.parametrize("ticks", range(4))
async def test_cancellation_wins_over_a_token_that_returns_in_the_same_tick(ticks: int) -> None:
    limiter = FixedLimiter(1)
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await settle()
    permit.unsent()
    for _ in range(ticks):
        await asyncio.sleep(0)
    asked = waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() == asked
    if asked:
        (await limiter.acquire(max_wait=0)).unsent()


async def test_max_wait_applies_behind_other_waiters() -> None:
    limiter = FixedLimiter(1)
    permit = await limiter.acquire()
    patient = asyncio.create_task(limiter.acquire())
    waiting = asyncio.create_task(limiter.acquire(max_wait=200))
    await settle()
    began = now()
    permit.answered(429, {"Retry-After": "3600"})
    with pytest.raises(QuotaExhausted):
        await waiting
    assert now() < began + 200.1
    patient.cancel()


async def test_closing_fails_waiting_and_later_calls() -> None:
    limiter = FixedLimiter(1)
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await settle()
    await limiter.aclose()
    for call in (waiting, asyncio.create_task(limiter.acquire())):
        with pytest.raises(SessionError, match="closed"):
            await call
    permit.answered(200, {})
    assert repr(limiter) == "<FixedLimiter: 0 in flight, 0 waiting>"
