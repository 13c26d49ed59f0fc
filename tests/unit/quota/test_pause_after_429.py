"""Pauses after a 429, in virtual time: a minute passes in a millisecond."""

from email.utils import format_datetime
from itertools import pairwise

import pytest

from cyclesoft_async import errors
from cyclesoft_async.quota import Limiter
from tests.support.limiter import Queue, a_limiter, close, headers, moment, now, settle, until, use, wall


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
