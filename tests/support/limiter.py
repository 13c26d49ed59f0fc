"""A limiter in virtual time after its first response, and calls that wait for it."""

import asyncio
from datetime import UTC, datetime

from cyclesoft_async.quota import EndpointLimit, Lane, Limiter, Permit

EPOCH = 1_750_000_000
INVOICES = EndpointLimit("create-invoices", 15)


def now() -> float:
    return asyncio.get_running_loop().time()


def wall() -> float:
    return EPOCH + now()


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(EPOCH + at, UTC)


def close(at: datetime | None, seconds: float) -> bool:
    return at is not None and abs((at - moment(seconds)).total_seconds()) < 0.01


def headers(
    limit: int | None = None,
    remaining: int | str | None = None,
    *,
    daily_limit: int | None = None,
    daily_remaining: int | None = None,
    reset: float | None = None,
    retry_after: str | None = None,
) -> dict[str, str]:
    values = {
        "X-RateLimit-Minutely-Limit": limit,
        "X-RateLimit-Minutely-Remaining": remaining,
        "X-RateLimit-Daily-Limit": daily_limit,
        "X-RateLimit-Daily-Remaining": daily_remaining,
        "X-RateLimit-Daily-Reset": None if reset is None else int(EPOCH + reset),
        "Retry-After": retry_after,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


async def a_limiter(
    reported: dict[str, str] | None = None, *, max_concurrent: int = 32, bulk_reserve: int | None = None
) -> Limiter:
    """Return a limiter after its first response."""
    limiter = Limiter(max_concurrent=max_concurrent, bulk_reserve=bulk_reserve, wall=wall)
    (await limiter.acquire()).answered(200, reported or {})
    return limiter


async def use(limiter: Limiter, count: int, *, endpoint: EndpointLimit | None = None) -> None:
    for _ in range(count):
        (await limiter.acquire(endpoint=endpoint, max_wait=0)).answered(200, {})


async def use_when_there_is_room(limiter: Limiter, count: int) -> None:
    for _ in range(count):
        (await limiter.acquire()).answered(200, {})


class Queue:
    """Calls that wait for a permit, and the order in which they acquire it."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.granted: list[str] = []
        self.permits: dict[str, Permit] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def join(
        self, *names: str, lane: Lane = "interactive", endpoint: EndpointLimit | None = None
    ) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._acquire(name, lane, endpoint))
        await settle()

    async def _acquire(self, name: str, lane: Lane, endpoint: EndpointLimit | None) -> None:
        self.permits[name] = await self.limiter.acquire(lane=lane, endpoint=endpoint)
        self.granted.append(name)

    async def cancel(self, *names: str) -> None:
        for name in names:
            self.tasks[name].cancel()
        await settle()


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def until(at: float) -> None:
    await asyncio.sleep(at - now())
