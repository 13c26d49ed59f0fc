"""Limiters in front of an exact moving window of 360 requests in 60 s, in virtual time.

Every request takes 50 to 300 ms, and the server counts it somewhere on the way. 2,000 requests take 300 s at
least, so utilisation is 300 s over the time until the last response. Refused requests are retried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple
from unittest.mock import patch

from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pyrate_limiter import InMemoryBucket, MonotonicClock, Rate, SingleBucketFactory
from pyrate_limiter import Limiter as PyrateLimiter

from cyclesoft_async.quota import Limiter

from .moving_window import Acquire, Crowd, MovingWindow
from .virtual_time import run

__all__ = [
    "BEFORE",
    "DECIDED",
    "LIMIT",
    "WINDOW",
    "Case",
    "Make",
    "Result",
    "aiolimiter",
    "aiolimiter_as_pacer",
    "limits",
    "ours",
    "pyrate_limiter",
    "simulate",
]

LIMIT, WINDOW = 360, 60.0
MOST_WORKERS = 64

Done = Callable[[int, Mapping[str, str]], None]
Make = Callable[[], Acquire]


def ours() -> Acquire:
    limiter = Limiter(max_concurrent=MOST_WORKERS, wall=_now)

    async def acquire() -> Done:
        return (await limiter.acquire()).answered

    return acquire


def aiolimiter() -> Acquire:
    limiter = AsyncLimiter(LIMIT, WINDOW)

    async def acquire() -> Done:
        await limiter.acquire()
        return _nothing

    return acquire


def aiolimiter_as_pacer() -> Acquire:
    limiter = AsyncLimiter(1, WINDOW / LIMIT)

    async def acquire() -> Done:
        await limiter.acquire()
        return _nothing

    return acquire


def pyrate_limiter() -> Acquire:
    bucket = InMemoryBucket([Rate(LIMIT, int(WINDOW * 1_000))])
    bucket._clock = _VirtualClock()  # pyright: ignore[reportPrivateUsage] - it has no other way to set one
    # Its leaking thread would run in real time. Without it, old entries stay in memory.
    limiter = PyrateLimiter(SingleBucketFactory(bucket, schedule_leak=False))

    async def acquire() -> Done:
        await limiter.try_acquire_async("account")
        return _nothing

    return acquire


def limits() -> Acquire:
    limiter, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute(LIMIT)

    async def acquire() -> Done:
        while not await limiter.hit(item, "account"):
            stats = await limiter.get_window_stats(item, "account")
            await asyncio.sleep(max(0.001, stats.reset_time - _now()))
        return _nothing

    return acquire


class _VirtualClock(MonotonicClock):
    def now(self) -> int:
        return int(_now() * 1_000)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _nothing(_status: int, _headers: Mapping[str, str]) -> None:
    """Other limiters ignore the outcome of a request."""


class Result(NamedTuple):
    """Measurements of one run."""

    seconds: float
    refused: int
    in_a_row: int


class Case(NamedTuple):
    """Behaviour of the server and of other clients."""

    requests: int = 2_000
    decided: str = "anywhere"
    before: str = "nothing"
    second_client: str = "none"


DECIDED = {"anywhere": None, "early": 0.02, "late": 0.98}
BEFORE: dict[str, list[float]] = {
    "nothing": [],
    "200 evenly": [-60 + 0.3 * (number + 0.5) for number in range(200)],
    "200 at once": [-1.0] * 200,
}


def simulate(make: Make, workers: int, seed: int, case: Case) -> Result:
    """Run once in virtual time, which is also `time.time` for the other limiters."""

    async def main() -> Result:
        with patch("time.time", asyncio.get_running_loop().time):
            return await _simulate(make, workers, seed, case)

    return run(main())


async def _simulate(make: Make, workers: int, seed: int, case: Case) -> Result:
    server = MovingWindow(LIMIT, WINDOW)
    await asyncio.sleep(WINDOW)
    for ago in BEFORE[case.before]:
        server.foreign(_now() + ago)
    others: asyncio.Task[None] | None = None
    if case.second_client != "none":
        others = asyncio.create_task(
            server.spend_elsewhere(0.5, always=case.second_client == "always counted")
        )
    seconds = await Crowd(workers, case.requests, seed, DECIDED[case.decided]).rush(server, make())
    if others is not None:
        others.cancel()
    return Result(seconds, len(server.refusals), server.in_a_row)
