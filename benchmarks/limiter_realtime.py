"""The limiter against the real sandbox in real time: 60 requests a minute, 150 requests, 32 workers.

Run: python -m benchmarks.limiter_realtime      (about two minutes)

The shortest possible time: the first 60 go at once, the next 60 a minute later, the last 30 two minutes
later. So everything above 120 s is what the limiter wastes, latency included.
"""

from __future__ import annotations

import time
from datetime import date

import anyio

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.sandbox import Sandbox

LIMIT, REQUESTS, WORKERS = 60, 150, 32
MINIMUM = (REQUESTS - 1) // LIMIT * 60.0
EMPTY_DAY = date(1970, 1, 1)


async def main() -> None:
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
        print(
            f"{REQUESTS} requests in {took:.2f} s, {took / MINIMUM - 1:.2%} over the minimum, {MINIMUM:.0f} s"
        )
        print(f"answers 429: {sandbox.refused}; client counted {cs.quota.sent}, server {sandbox.requests}")


if __name__ == "__main__":
    anyio.run(main)
