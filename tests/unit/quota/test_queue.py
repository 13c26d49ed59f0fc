"""Whose turn it is, and who gives up, in virtual time."""

import asyncio

import pytest

from benchmarks.virtual_time import VirtualTimeLoop
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


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


# Lanes and endpoints


async def test_interactive_goes_before_bulk_but_every_eighth_turn_is_a_bulk_one() -> None:
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


async def test_who_waits_for_an_endpoint_holds_up_nobody_else_and_keeps_the_order() -> None:
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


async def test_both_tokens_of_an_endpoint_come_back() -> None:
    limiter = await a_limiter(headers(100, 99))
    for outcome in ("unsent", "lost", "unsent"):
        getattr(await limiter.acquire(endpoint=INVOICES), outcome)()
    assert limiter.snapshot().minutely.used == 2
    await use(limiter, 14, endpoint=INVOICES)
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=0)


async def test_the_minutely_headers_of_an_endpoint_are_told_apart_by_their_limit() -> None:
    limiter = await a_limiter(headers(360, 359))
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(15, 3))
    assert limiter.snapshot().minutely.remaining == 358
    await use(limiter, 3, endpoint=INVOICES)
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=0)
    (await limiter.acquire()).answered(200, headers(360, 300))
    assert limiter.snapshot().minutely.remaining == 300


async def test_an_endpoint_may_tell_the_accounts_limit_and_without_a_limit_nothing_is_believed() -> None:
    limiter = Limiter(wall=wall)
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(remaining=0))
    assert limiter.snapshot().minutely.remaining == 359
    (await limiter.acquire(endpoint=INVOICES)).answered(200, headers(100, 50))
    assert limiter.snapshot().minutely.remaining == 50


async def test_a_refusal_by_an_endpoint_stops_only_that_endpoint() -> None:
    limiter = await a_limiter(headers(360, 359))
    for told in (headers(15, 0), headers(360, 200)):
        (await limiter.acquire(endpoint=INVOICES)).answered(429, told)
        with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
            await limiter.acquire(endpoint=INVOICES, max_wait=0)
        await limiter.acquire(max_wait=0)
        await until(now() + 61)


async def test_a_refusal_that_names_no_limit_stops_endpoint_and_account() -> None:
    limiter = await a_limiter(headers(360, 359))
    (await limiter.acquire(endpoint=INVOICES)).answered(429, headers(retry_after="50"))
    with pytest.raises(errors.QuotaExhausted, match="minutely"):
        await limiter.acquire(max_wait=40)


async def test_a_smaller_limit_is_believed_when_it_is_told_again() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 29)
    for told in (headers(15, 14), headers(360, 329), headers(15, 13)):
        (await limiter.acquire()).answered(200, told)
        assert limiter.snapshot().minutely.limit == 360
    await use(limiter, 3)
    (await limiter.acquire()).answered(200, headers(15, 0))
    assert limiter.snapshot().minutely.limit == 15
    await limiter.acquire()
    assert now() > 59


async def test_a_refusal_by_a_limit_that_nobody_knew_holds_up_the_account_for_a_moment_only() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 20)
    (await limiter.acquire()).answered(429, headers(15, 0))
    await use_when_there_is_room(limiter, 20)
    assert now() == pytest.approx(1, abs=0.01)
    assert limiter.snapshot().minutely.limit == 360


# Waiting and giving up


async def test_max_wait_zero_takes_a_token_only_if_there_is_one() -> None:
    limiter = await a_limiter(headers(2, 1))
    await limiter.acquire(max_wait=0)
    with pytest.raises(errors.QuotaExhausted):
        await limiter.acquire(max_wait=0)


async def test_a_hopeless_wait_is_refused_at_once_given_those_ahead() -> None:
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


async def test_a_wait_that_an_answer_may_end_any_moment_is_not_hopeless() -> None:
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


async def test_nobody_waits_longer_than_max_wait() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted):
        await limiter.acquire(max_wait=3)
    assert now() == pytest.approx(3, abs=0.001)
    permit.unsent()
    assert limiter.snapshot().waiting == 0
    await limiter.acquire(max_wait=0)


@pytest.mark.parametrize("max_wait", [0, 3])
async def test_who_waits_in_vain_though_there_is_quota_is_told_so(max_wait: float) -> None:
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


async def test_a_used_up_endpoint_is_told_as_such_while_another_waits_for_its_answer() -> None:
    limiter = await a_limiter(headers(360, 359))
    await use(limiter, 15, endpoint=INVOICES)
    (await limiter.acquire()).answered(429, headers(retry_after="1"))
    await limiter.acquire()
    with pytest.raises(errors.QuotaExhausted, match="create-invoices"):
        await limiter.acquire(endpoint=INVOICES, max_wait=20)


async def test_bulk_work_that_may_have_nothing_of_the_day_is_refused() -> None:
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


async def test_closing_refuses_those_who_wait_at_once_and_those_who_come_later() -> None:
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


async def test_a_granted_wait_forgets_its_deadline() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire(max_wait=3))
    await until(1)
    permit.unsent()
    (await waiting).unsent()
    await until(10)
    assert limiter.snapshot().in_flight == 0


async def test_a_deadline_in_the_very_moment_of_the_grant_loses_no_token() -> None:
    limiter = await a_limiter(max_concurrent=1)
    permit = await limiter.acquire()
    loop = asyncio.get_running_loop()
    deadline = now() + 3
    loop.call_at(deadline, permit.unsent)
    (await limiter.acquire(max_wait=deadline - now())).unsent()
    await until(10)
    assert limiter.snapshot().in_flight == 0


# Cancellation


async def test_a_cancelled_wait_leaves_the_queue_to_the_others() -> None:
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
async def test_a_cancellation_that_races_with_a_grant_gives_the_token_on(cancelled_first: bool) -> None:
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


async def test_its_repr_tells_the_state() -> None:
    limiter = await a_limiter(headers(100, 99))
    assert repr(limiter) == "<Limiter: 100 a minute, 1 of 15000 used today, 0 in flight, 0 waiting>"


async def test_a_snapshot_says_when_the_next_may_go_and_when_all_is_free() -> None:
    limiter = await a_limiter(headers(2, 1))
    await until(10)
    await use(limiter, 1)
    quota = limiter.snapshot()
    assert close(quota.resets_at, 60)
    assert close(quota.minutely.resets_at, 70)
