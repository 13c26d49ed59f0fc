"""Exact model of the server's quota, and a crowd of workers that sends requests to it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

__all__ = ["Acquire", "Crowd", "MovingWindow"]

Acquire = Callable[[], Awaitable[Callable[[int, Mapping[str, str]], None]]]
"""Waits for a permit, and returns a callback for the response's status and headers."""


class MovingWindow:
    """A moving window that counts granted requests at the time of the decision.

    Times are those of the running event loop. It records the times of refusals, and the longest row of them.
    """

    def __init__(self, limit: int = 360, window: float = 60.0) -> None:
        self.limit = limit
        self.window = window
        self.refusals: list[float] = []
        self.in_a_row = 0
        self._row = 0
        self.counted: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return the number of requests that count at `now`."""
        while self.counted and self.counted[0] <= now - self.window:
            self.counted.popleft()
        return len(self.counted)

    def foreign(self, now: float, *, always: bool = False) -> None:
        """Count a request of another client, if the window has capacity or `always`."""
        if always or self.used(now) < self.limit:
            self.counted.append(now)

    def decide(self, now: float) -> bool:
        """Count a request of the client under test; False if it is refused."""
        if self.used(now) >= self.limit:
            self.refusals.append(now)
            self._row += 1
            self.in_a_row = max(self.in_a_row, self._row)
            return False
        self._row = 0
        self.counted.append(now)
        return True

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers of a response decided at `now`."""
        return {
            "X-RateLimit-Minutely-Limit": str(self.limit),
            "X-RateLimit-Minutely-Remaining": str(max(0, self.limit - self.used(now))),
        }

    async def request(self, latency: float, decided: float) -> tuple[int, dict[str, str]]:
        """Serve a request: `latency` seconds in all, decided after the share `decided` of it."""
        await asyncio.sleep(latency * decided)
        now = asyncio.get_running_loop().time()
        status = 200 if self.decide(now) else 429
        headers = self.headers(now)
        await asyncio.sleep(latency * (1 - decided))
        return status, headers

    async def spend_elsewhere(self, gap: float, *, always: bool) -> None:
        """Spend one request every `gap` seconds, give or take 40%, as another client would."""
        rnd = random.Random(1)
        while True:
            self.foreign(asyncio.get_running_loop().time(), always=always)
            await asyncio.sleep(gap * rnd.uniform(0.6, 1.4))


class Crowd(NamedTuple):
    """Workers that send a number of requests, each until it is granted.

    Each takes 50 to 300 ms, and is decided after the share `decided` of that; None: a random share.
    """

    workers: int
    requests: int
    seed: int = 0
    decided: float | None = None

    async def rush(self, server: MovingWindow, acquire: Acquire) -> float:
        """Send all requests, and return the seconds until the last response."""
        rnd, loop = random.Random(self.seed), asyncio.get_running_loop()
        todo, began = iter(range(self.requests)), loop.time()

        async def work() -> None:
            for _ in todo:
                status = 429
                while status == 429:
                    done = await acquire()
                    decided = rnd.random() if self.decided is None else self.decided
                    status, headers = await server.request(rnd.uniform(0.05, 0.3), decided)
                    done(status, headers)

        await asyncio.gather(*(work() for _ in range(self.workers)))
        return loop.time() - began
