"""Limiter against the sandbox in real time: 60 requests a minute, 150 requests, 32 workers.

The shortest possible time: the first 60 go at once, the next 60 a minute later, the last 30 two minutes
later. All time above 120 s is waste, latency included.
"""

from __future__ import annotations

import time
from datetime import date
from typing import NamedTuple

import anyio

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.sandbox import Sandbox

__all__ = ["Rush", "rush"]

LIMIT, REQUESTS, WORKERS = 60, 150, 32
MINIMUM = (REQUESTS - 1) // LIMIT * 60.0
EMPTY_DAY = date(1970, 1, 1)


class Rush(NamedTuple):
    """Outcome of the requests."""

    excess: float
    """Seconds over the shortest possible time, as a share of it."""
    refused: int
    is_agreed: bool
    """True if client and server counted the same number of requests."""


async def rush() -> Rush:
    """Send all requests. Takes two minutes."""
    async with (
        Sandbox(orders=1, minutely_limit=LIMIT, latency=(0.05, 0.3)) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, retries=RetryPolicy.none()) as cs,
    ):
        todo = iter(range(REQUESTS))

        async def work() -> None:
            for _ in todo:
                await cs.workshop_orders.list(date_from=EMPTY_DAY, date_until=EMPTY_DAY)

        began = time.perf_counter()
        async with anyio.create_task_group() as workers:
            for _ in range(WORKERS):
                workers.start_soon(work)
        took = time.perf_counter() - began
        return Rush(took / MINIMUM - 1, sandbox.refused, cs.quota.sent == sandbox.received)
