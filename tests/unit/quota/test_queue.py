"""Order of waiting calls, deadlines and cancellation, in virtual time."""

import asyncio

import pytest

from cyclesoft_async import errors
from cyclesoft_async.quota import Limiter
from tests.support.limiter import (
    INVOICES,
    Queue,
    a_limiter,
    close,
    headers,
    now,
    settle,
    until,
    use,
    use_when_there_is_room,
    wall,
)

# Lanes and endpoints


async def test_interactive_calls_come_first_but_every_eighth_turn_is_bulk() -> None:
    limiter = await a_limiter(max_concurrent=1)
    holder = await limiter.acquire()
    queue = Queue(limiter)
    await queue.join(*(f"bulk {number}" for number in range(3)), lane="bulk")
    await queue.join(*(f"call {number}" for number in range(20)))
    holder.unsent()
    for number in range(22):
        await settle()
        queue.permits[queue.granted[number]].unsent()
    await settle()
    assert [name for name in queue.granted if name.startswith("call")] == [f"call {n}" for n in range(20)]
    assert [queue.granted.index(f"bulk {number}") for number in range(3)] == [7, 15, 22]


async def test_a_full_endpoint_holds_up_no_other_call_and_keeps_its_order() -> None:
    limiter = await a_limiter(headers(100, 99))
    await use(limiter, 15, endpoint=INVOICES)
    queue = Queue(limiter)
    await queue.join("invoice 1", "invoice 2", endpoint=INVOICES)
    await queue.join("order")
    assert queue.granted == ["order"]
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=30)
    await until(61)
    assert queue.granted == ["order", "invoice 1", "invoice 2"]


async def test_a_lane_keeps_its_order_across_endpoints() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    queue = Queue(limiter)
    await queue.join("order 1")
    await queue.join("invoice", endpoint=INVOICES)
    await queue.join("order 2")
    for name in ("order 1", "invoice", "order 2"):
        permit.unsent()
        await settle()
        permit = queue.permits[name]
    assert queue.granted == ["order 1", "invoice", "order 2"]


async def test_both_tokens_of_an_endpoint_return() -> None:
    limiter = await a_limiter(headers(100, 99))
    for outcome in ("unsent", "lost", "unsent"):
        getattr(await limiter.acquire(endpoint=INVOICES), outcome)()
    assert limiter.snapshot().minutely.used == 2
    await use(limiter, 14, endpoint=INVOICES)
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=0)


async def test_an_endpoints_minutely_headers_are_recognised_by_their_limit() -> None:
    limiter = await a_limiter(headers(360, 359))
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(15, 3))
    assert limiter.snapshot().minutely.remaining == 358
    await use(limiter, 3, endpoint=INVOICES)
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=0)
    (await limiter.acquire()).answered(200, headers(360, 300))
    assert limiter.snapshot().minutely.remaining == 300


async def test_an_endpoint_may_report_the_accounts_limit_and_without_a_limit_is_ignored() -> None:
    limiter = Limiter(wall=wall)
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(remaining=0))
    assert limiter.snapshot().minutely.remaining == 359
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(100, 50))
    assert limiter.snapshot().minutely.remaining == 50


async def test_an_endpoints_429_pauses_only_that_endpoint() -> None:
    limiter = await a_limiter(headers(360, 359))
    for reported in (headers(15, 0), headers(360, 200)):
        (await limiter.acquire(endpoint=INVOICES)).answered(429, reported)
        with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
            await limiter.acquire(endpoint=INVOICES, max_wait=0)
        await limiter.acquire(max_wait=0)
        await until(now() + 61)


async def test_a_429_without_a_limit_pauses_endpoint_and_account() -> None:
    limiter = await a_limiter(headers(360, 359))
    (await limiter.acquire(endpoint=INVOICES)).answered(429, headers(retry_after="50"))
    with pytest.raises(errors.QuotaExhausted, match="minutely"):
        await limiter.acquire(max_wait=40)


async def test_a_smaller_limit_counts_when_a_second_answer_confirms_it() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 29)
    for reported in (headers(15, 14), headers(360, 329), headers(15, 13)):
        (await limiter.acquire()).answered(200, reported)
        assert limiter.snapshot().minutely.limit == 360
    await use(limiter, 3)
    (await limiter.acquire()).answered(200, headers(15, 0))
    assert limiter.snapshot().minutely.limit == 15
    await limiter.acquire()
    assert now() > 59


async def test_a_429_of_an_unknown_limit_pauses_the_account_briefly() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 20)
    (await limiter.acquire()).answered(429, headers(15, 0))
    await use_when_there_is_room(limiter, 20)
    assert now() == pytest.approx(1, abs=0.01)
    assert limiter.snapshot().minutely.limit == 360


# Waiting and giving up


async def test_max_wait_zero_takes_a_token_or_fails() -> None:
    limiter = await a_limiter(headers(2, 1))
    await limiter.acquire(max_wait=0)
    with pytest.raises(errors.QuotaExhausted):
        await limiter.acquire(max_wait=0)


async def test_a_hopeless_wait_fails_at_once_counting_the_waiters_ahead() -> None:
    limiter = await a_limiter(headers(3, 2))
    await until(10)
    await use(limiter, 1)
    await until(20)
    await use(limiter, 1)
    queue = Queue(limiter)
    await queue.join("a", "b")
    with pytest.raises(errors.QuotaExhausted) as raised:
        await limiter.acquire(max_wait=55)
    assert now() == pytest.approx(20, abs=0.001)
    assert close(raised.value.resets_at, 80)
    await limiter.acquire(max_wait=61)
    assert now() == pytest.approx(80, abs=0.001)


async def test_a_wait_that_an_answer_may_end_is_not_hopeless() -> None:
    limiter = Limiter(wall=wall)
    first = await limiter.acquire()
    second = asyncio.create_task(limiter.acquire(max_wait=1))
    await until(0.5)
    first.answered(200, headers(10, 1))
    (await second).answered(200, headers(10, 0))
    third = await limiter.acquire(max_wait=61)
    fourth = asyncio.create_task(limiter.acquire(max_wait=1))
    await settle()
    third.answered(200, headers(10, 9))
    await fourth
    assert now() == pytest.approx(60.5, abs=0.2)


async def test_a_call_waits_for_max_wait_at_most() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted):
        await limiter.acquire(max_wait=3)
    assert now() == pytest.approx(3, abs=0.001)
    permit.unsent()
    assert limiter.snapshot().waiting == 0
    await limiter.acquire(max_wait=0)


@pytest.mark.parametrize("max_wait", [0, 3])
async def test_a_wait_for_a_slot_in_flight_fails_with_scope_concurrency(max_wait: float) -> None:
    limiter = Limiter(wall=wall)
    first = await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted, match="in flight") as raised:
        await limiter.acquire(max_wait=max_wait)
    assert (raised.value.scope, close(raised.value.resets_at, 5)) == ("concurrency", True)
    first.answered(200, {})

    limiter = await a_limiter(max_concurrent=1)
    await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted, match="in flight") as raised:
        await limiter.acquire(max_wait=max_wait)
    assert close(raised.value.resets_at, now() + 1), "not at once, or the caller would spin"


async def test_a_used_up_endpoint_is_the_scope_while_a_probe_is_in_flight() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 15, endpoint=INVOICES)
    (await limiter.acquire()).answered(429, headers(retry_after="1"))
    await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=20)


async def test_a_reserve_of_the_whole_day_is_a_usage_error_for_bulk_work() -> None:
    limiter = await a_limiter(
        headers(daily_limit=100, daily_remaining=90, reset=5_000), bulk_reserve=100, max_concurrent=1
    )
    with pytest.raises(errors.UsageError, match="bulk_reserve"):
        await limiter.acquire(lane="bulk")
    permit = await limiter.acquire(max_wait=0)
    waiting = asyncio.create_task(limiter.acquire(lane="bulk"))
    await settle()
    permit.unsent()
    with pytest.raises(errors.UsageError, match="bulk_reserve"):
        await waiting
    assert now() < 1


async def test_closing_fails_waiting_calls_at_once_and_later_ones() -> None:
    limiter = await a_limiter(headers(3, 2))
    permit = await limiter.acquire()
    (await limiter.acquire()).answered(200, {})
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    await queue.cancel("a")
    queue.tasks["b"].cancel()
    await limiter.aclose()
    await limiter.aclose()
    with pytest.raises(errors.SessionError, match="closed"):
        await queue.tasks["c"]
    with pytest.raises(asyncio.CancelledError):
        await queue.tasks["b"]
    for max_wait in (None, 0, 60):
        with pytest.raises(errors.SessionError, match="closed"):
            await limiter.acquire(max_wait=max_wait)
    permit.answered(200, {})
    quota = limiter.snapshot()
    assert (quota.waiting, quota.in_flight, quota.minutely.used, queue.granted) == (0, 0, 3, [])


async def test_a_grant_cancels_the_deadline() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire(max_wait=3))
    await until(1)
    permit.unsent()
    (await waiting).unsent()
    await until(10)
    assert limiter.snapshot().in_flight == 0


async def test_a_deadline_at_the_moment_of_the_grant_loses_no_token() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    loop = asyncio.get_running_loop()
    deadline = now() + 3
    loop.call_at(deadline, permit.unsent)
    (await limiter.acquire(max_wait=deadline - now())).unsent()
    await until(10)
    assert limiter.snapshot().in_flight == 0


# Cancellation


async def test_cancelled_waiters_are_skipped() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    queue = Queue(limiter)
    await queue.join("a", "b", "c")
    await queue.cancel("a", "b")
    permit.unsent()
    await settle()
    assert queue.granted == ["c"]
    assert limiter.snapshot().waiting == 0


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_cancellation_that_races_with_a_grant_passes_the_token_on(cancelled_first: bool) -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    queue = Queue(limiter)
    await queue.join("a", "b")
    if cancelled_first:
        queue.tasks["a"].cancel()
        permit.unsent()
    else:
        permit.unsent()
        queue.tasks["a"].cancel()
    await settle()
    assert queue.granted == ["b"]
    queue.permits["b"].unsent()
    assert (limiter.snapshot().in_flight, limiter.snapshot().waiting) == (0, 0)


async def test_a_cancellation_that_races_with_the_deadline_is_a_cancellation() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire(max_wait=3))
    await settle()
    asyncio.get_running_loop().call_at(now() + 3, waiting.cancel)
    await asyncio.wait([waiting])
    permit.unsent()
    assert (limiter.snapshot().in_flight, limiter.snapshot().waiting) == (0, 0)


async def test_its_repr_shows_the_state() -> None:
    limiter = await a_limiter(headers(100, 99))
    assert repr(limiter) == "<Limiter: 100 a minute, 1 of 15000 used today, 0 in flight, 0 waiting>"


async def test_a_snapshot_shows_when_the_next_request_may_go_and_when_all_are_back() -> None:
    limiter = await a_limiter(headers(2, 1))
    await until(10)
    await use(limiter, 1)
    quota = limiter.snapshot()
    assert close(quota.resets_at, 60)
    assert close(quota.minutely.resets_at, 70)
