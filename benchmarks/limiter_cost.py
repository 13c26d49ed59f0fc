"""Cost of a permit: CPU time per request, from acquiring it to reporting the response.

The waiters loop in virtual time through 360 requests a minute, answered at once; every minute 360 tokens come
back. The numbers contain asyncio's own futures and task switches, and the jump of the clock once a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

from aiolimiter import AsyncLimiter

from cyclesoft_async.quota import Limiter

__all__ = ["contended", "contended_aiolimiter", "uncontended"]

REQUESTS = 20_000
FEW = 400
PLENTY = {"X-RateLimit-Minutely-Limit": "100000000", "X-RateLimit-Daily-Limit": "100000000"}
SCARCE = {"X-RateLimit-Minutely-Limit": "360", "X-RateLimit-Daily-Limit": "100000000"}
USUAL = {**PLENTY, "X-RateLimit-Minutely-Remaining": "99900000", "X-RateLimit-Daily-Remaining": "99900000"}


def _wall() -> float:
    return asyncio.get_running_loop().time()


async def uncontended() -> tuple[float, float, float]:
    """Microseconds to acquire, and to report a response without and with headers."""
    limiter = Limiter(max_concurrent=FEW, wall=_wall)
    (await limiter.acquire()).answered(200, PLENTY)
    acquired = answered = learned = 0.0
    for _ in range(REQUESTS // FEW):
        began = time.process_time()
        permits = [await limiter.acquire() for _ in range(FEW)]
        acquired += time.process_time() - began
        acquired_at = time.process_time()
        for permit in permits[::2]:
            permit.answered(200, {})
        answered += time.process_time() - acquired_at
        answered_at = time.process_time()
        for permit in permits[1::2]:
            permit.answered(200, USUAL)
        learned += time.process_time() - answered_at
    return acquired / REQUESTS * 1e6, answered / REQUESTS * 2e6, learned / REQUESTS * 2e6


async def contended(waiters: int) -> float:
    """Microseconds per request with `waiters` tasks waiting."""
    limiter = Limiter(wall=_wall)
    (await limiter.acquire()).answered(200, SCARCE)
    todo = iter(range(REQUESTS))

    async def work() -> None:
        for _ in todo:
            (await limiter.acquire()).answered(200, {})

    return await _time_crowd(waiters, work)


async def contended_aiolimiter(waiters: int) -> float:
    """The same for aiolimiter."""
    limiter = AsyncLimiter(360, 60)
    todo = iter(range(REQUESTS))

    async def work() -> None:
        for _ in todo:
            await limiter.acquire()

    return await _time_crowd(waiters, work)


async def _time_crowd(waiters: int, work: Callable[[], Coroutine[object, object, None]]) -> float:
    crowd = [asyncio.create_task(work()) for _ in range(waiters)]
    await asyncio.sleep(0)
    began = time.process_time()
    await asyncio.gather(*crowd)
    return (time.process_time() - began) / REQUESTS * 1e6
