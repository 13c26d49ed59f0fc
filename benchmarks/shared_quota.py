"""What a permit costs when the quota is shared in PostgreSQL: milliseconds per grant, at 1, 8 and 64 waiters.

Run: python -m benchmarks.shared_quota [postgresql://…]      (15 seconds; without a URL it starts a server)

Every waiter asks for a permit, reports an answer at once, and asks again. One process has all of them; then
four processes share them, which is when the account's row is fought over.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from uuid import uuid4

from cyclesoft_async.quota import Limiter
from cyclesoft_async.quota.postgres import PostgresLedger, migrate

SECONDS = 3.0
PLENTY = {"X-RateLimit-Minutely-Limit": "100000000", "X-RateLimit-Daily-Limit": "100000000"}
WAITERS = (1, 8, 64)
PROCESSES = 4


async def _spend(limiter: Limiter, waiters: int) -> tuple[int, float, float]:
    """Grants, seconds by the clock, and seconds of CPU."""
    (await limiter.acquire()).answered(200, PLENTY)
    grants = 0
    until = time.perf_counter() + SECONDS

    async def work() -> None:
        nonlocal grants
        while time.perf_counter() < until:
            (await limiter.acquire()).answered(200, PLENTY)
            grants += 1

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(waiters)))
    return grants, time.perf_counter() - began, time.process_time() - cpu


async def _one(url: str, account: str, waiters: int) -> tuple[int, float, float]:
    limiter = PostgresLedger(url).limiter(
        account, "https://api.example.com", max_concurrent=64, bulk_reserve=None
    )
    try:
        return await _spend(limiter, waiters)
    finally:
        await limiter.aclose()


def _process(url: str, account: str, waiters: int) -> tuple[int, float, float]:
    return asyncio.run(_one(url, account, waiters))


def _show(url: str) -> None:
    asyncio.run(migrate(url))
    print("| waiters | processes | grants a second | ms a grant | ms of CPU a grant, client |")
    print("| --- | --- | --- | --- | --- |")
    for waiters, processes in (*((waiters, 1) for waiters in WAITERS), (WAITERS[-1], PROCESSES)):
        jobs = [(url, uuid4().hex, waiters // processes)] * processes
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            results = pool.starmap(_process, jobs, chunksize=1)
        grants, cpu = sum(result[0] for result in results), sum(result[2] for result in results)
        took = max(result[1] for result in results)
        print(
            f"| {waiters} | {processes} | {grants / took:,.0f} | {took / grants * 1e3:.3f} "
            f"| {cpu / grants * 1e3:.3f} |"
        )


def main() -> None:
    if len(sys.argv) > 1:
        _show(sys.argv[1])
        return
    from tests.postgres import Server  # noqa: PLC0415 - only a checkout has it

    server = Server()
    try:
        _show(server.database())
    finally:
        server.close()


if __name__ == "__main__":
    main()
