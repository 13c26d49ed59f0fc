"""Limiters that share their quota in PostgreSQL, and calls that wait for them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import psycopg

from cyclesoft_async.quota import Lane, Limiter, Permit
from cyclesoft_async.quota.postgres import PostgresLedger, migrate
from cyclesoft_async.quota.state import AccountState, decode_state

from .fast_loop import run_fast
from .postgres import query
from .processes import FAST_CLOCK, HOST

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


def state(url: str) -> AccountState:
    """The state of the only account."""
    [[stored]] = query(url, "SELECT state FROM cyclesoft.quota_state")
    return decode_state(stored)


def tokens(url: str) -> dict[str, int]:
    """How many tokens of each limit are out."""
    return {window.name: len(window.in_flight) + len(window.returns) for window in state(url).windows()}


@contextmanager
def locked(url: str) -> Generator[None]:
    """Keep the account's row locked: turns wait."""
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM cyclesoft.quota_state FOR UPDATE")
        yield


def fast(url: str, main: Callable[[], Coroutine[object, object, None]], speed: float) -> None:
    """Run it where a minute takes a moment.

    A turn has five seconds of the fast time, so a high speed fails turns of a busy machine.
    """
    asyncio.run(migrate(url))
    query(url, FAST_CLOCK.format(speed=speed))
    run_fast(main(), speed)
