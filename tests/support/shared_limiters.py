"""Limiters that share their quota in PostgreSQL, and calls that wait for them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from cyclesoft_async.quota import Lane, Limiter, Permit
from cyclesoft_async.quota.postgres import PostgresLedger

from .processes import HOST

SOON = 30.0


def a_limiter(url: str, *, max_concurrent: int = 32, bulk_reserve: int | None = None) -> Limiter:
    limiter = PostgresLedger(url).limiter(
        "user", HOST, max_concurrent=max_concurrent, bulk_reserve=bulk_reserve
    )
    limiter.expect(60)
    return limiter


@asynccontextmanager
async def limiters(
    url: str, count: int = 1, *, max_concurrent: int = 32, bulk_reserve: int | None = None
) -> AsyncGenerator[list[Limiter]]:
    made = [a_limiter(url, max_concurrent=max_concurrent, bulk_reserve=bulk_reserve) for _ in range(count)]
    try:
        yield made
    finally:
        for limiter in made:
            await limiter.aclose()


async def first(limiter: Limiter, reported: dict[str, str]) -> None:
    """Send the first request, whose answer teaches the limits."""
    with anyio.fail_after(SOON):
        (await limiter.acquire()).answered(200, reported)


async def go(limiter: Limiter, count: int, *, lane: Lane = "interactive") -> list[Permit]:
    with anyio.fail_after(SOON):
        return list(await asyncio.gather(*(limiter.acquire(lane=lane) for _ in range(count))))
