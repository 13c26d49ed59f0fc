"""The server's side of the quota, exact, and a crowd of workers that sends requests to it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

__all__ = ["Acquire", "Crowd", "MovingWindow"]

Acquire = Callable[[], Awaitable[Callable[[int, Mapping[str, str]], None]]]
"""Waits for the right to send, and returns what wants to hear of the answer's status and headers."""


class MovingWindow:
    """A moving window that counts at the moment of the decision; refused requests do not count.

    Times are those of the running event loop. It remembers when it refused, and how often in a row.
    """

    def __init__(self, limit: int = 360, window: float = 60.0) -> None:
        self.limit = limit
        self.window = window
        self.refusals: list[float] = []
        self.in_a_row = 0
        self._row = 0
        self.counted: deque[float] = deque()

    def used(self, now: float) -> int:
        """How many requests count at `now`."""
        while self.counted and self.counted[0] <= now - self.window:
            self.counted.popleft()
        return len(self.counted)

    def foreign(self, now: float, *, always: bool = False) -> None:
        """Count a request of somebody else, if there is room or `always`."""
        if always or self.used(now) < self.limit:
            self.counted.append(now)

    def decide(self, now: float) -> bool:
        """Count a request of ours; False: there is no room."""
        if self.used(now) >= self.limit:
            self.refusals.append(now)
            self._row += 1
            self.in_a_row = max(self.in_a_row, self._row)
            return False
        self._row = 0
        self.counted.append(now)
        return True

    def headers(self, now: float) -> dict[str, str]:
        """The headers of an answer that is decided at `now`."""
        return {
            "X-RateLimit-Minutely-Limit": str(self.limit),
            "X-RateLimit-Minutely-Remaining": str(max(0, self.limit - self.used(now))),
        }

    async def request(self, latency: float, decided: float) -> tuple[int, dict[str, str]]:
        """One request: `latency` seconds in all, decided after that share of it."""
        await asyncio.sleep(latency * decided)
        now = asyncio.get_running_loop().time()
        status = 200 if self.decide(now) else 429
        headers = self.headers(now)
        await asyncio.sleep(latency * (1 - decided))
        return status, headers

    async def spend_elsewhere(self, gap: float, *, always: bool) -> None:
        """Another client that spends, for ever, one request every `gap` seconds, give or take 40%."""
        rnd = random.Random(1)
        while True:
            self.foreign(asyncio.get_running_loop().time(), always=always)
            await asyncio.sleep(gap * rnd.uniform(0.6, 1.4))


class Crowd(NamedTuple):
    """Workers that send so many requests, each again until it is not refused.

    Each takes 50 to 300 ms, and is decided after the share `decided` of that; None: anywhere.
    """

    workers: int
    requests: int
    seed: int = 0
    decided: float | None = None

    async def rush(self, server: MovingWindow, acquire: Acquire) -> float:
        """Send all; returns the seconds until the last answer."""
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
