"""Limiters against an exact moving window of 360 requests in 60 s, in virtual time: refused, or too slow?

Run: pip install aiolimiter pyrate-limiter limits; python -m benchmarks.limiters      (half a minute)

Every request takes 50 to 300 ms, and the server counts it somewhere on the way. 2,000 requests take 300 s at
least, so utilisation is 300 s over the time until the last answer. Refused requests are sent again.
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

from benchmarks.moving_window import Acquire, Crowd, MovingWindow
from benchmarks.virtual_time import run
from cyclesoft_async.quota import Limiter

LIMIT, WINDOW = 360, 60.0
WORKERS = (8, 16, 32, 64)
SEEDS = range(5)

Done = Callable[[int, Mapping[str, str]], None]


def ours() -> Acquire:
    limiter = Limiter(max_concurrent=max(WORKERS), wall=_now)

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
    bucket._clock = _VirtualClock()
    # Its leaking thread would run in real time; without it only old entries stay in memory.
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
    """The limiters of others don't ask what became of a request."""


class Result(NamedTuple):
    """What one run took."""

    seconds: float
    refused: int
    in_a_row: int


class Case(NamedTuple):
    """What the server and the others do."""

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


async def simulate(make: Callable[[], Acquire], workers: int, seed: int, case: Case) -> Result:
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


def measure(make: Callable[[], Acquire], workers: int, case: Case) -> list[Result]:
    async def main(seed: int) -> Result:
        with patch("time.time", asyncio.get_running_loop().time):
            return await simulate(make, workers, seed, case)

    return [run(main(seed)) for seed in SEEDS]


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def header(title: str, *cells: str) -> None:
    print(f"\n{title}\n")
    row(*cells)
    row(*("---" for _ in cells))


def alone() -> None:
    header(
        "Nobody else; 2,000 requests, five seeds: 429s in all, and utilisation in % (mean)",
        "limiter",
        "counted",
        *(f"{workers} workers" for workers in WORKERS),
    )
    for make in (ours, aiolimiter, aiolimiter_as_pacer, pyrate_limiter, limits):
        for decided in DECIDED if make is ours else ["anywhere"]:
            cells: list[str] = []
            for workers in WORKERS:
                results = measure(make, workers, Case(decided=decided))
                utilisation = 30_000 * len(results) / sum(result.seconds for result in results)
                cells.append(f"{sum(result.refused for result in results)}; {utilisation:.2f}")
            row(make.__name__, decided, *cells)


def used_before() -> None:
    header(
        "200 used elsewhere before; 700 requests: 429s a run (worst of five seeds), and seconds (mean)",
        "limiter",
        "used",
        *(f"{workers} workers" for workers in WORKERS),
    )
    for make in (ours, aiolimiter, pyrate_limiter, limits):
        for before in ("200 evenly", "200 at once"):
            cells: list[str] = []
            for workers in WORKERS:
                results = measure(make, workers, Case(requests=700, before=before))
                seconds = sum(result.seconds for result in results) / len(results)
                cells.append(f"{max(result.refused for result in results)}; {seconds:.1f}")
            row(make.__name__, before, *cells)


def beside_a_second_client() -> None:
    header(
        "A second client sends 2/s; 2,000 requests: share of ours refused (worst of five), most in a row",
        "second client",
        "counted",
        *(f"{workers} workers" for workers in WORKERS),
    )
    for second_client in ("refused when full", "always counted"):
        for decided in DECIDED:
            cells: list[str] = []
            for workers in WORKERS:
                results = measure(ours, workers, Case(decided=decided, second_client=second_client))
                worst = max(result.refused for result in results) / 2_000
                cells.append(f"{worst:.2%}; {max(result.in_a_row for result in results)}")
            row(second_client, decided, *cells)


if __name__ == "__main__":
    alone()
    used_before()
    beside_a_second_client()
