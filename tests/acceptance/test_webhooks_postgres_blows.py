"""Two receivers and three more processes with handlers, under blows: how long until the rate is back."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.support.polling import until
from tests.support.postgres import Server, query
from tests.support.webhook_server import order

from .test_webhooks_postgres_kill import Replica, wait_until_settled

ENTITIES = 40
EVENTS_A_SECOND = 40.0
OURS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Vendor:
    """Sends events of its entity at a steady rate, each until it is answered 200."""

    def __init__(self, entity: int, receivers: list[Replica]) -> None:
        self._entity = entity
        self._receivers = receivers
        self.acknowledged: list[str] = []

    async def send(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            due = clock() + ENTITIES / EVENTS_A_SECOND
            sent = order(self._entity, status=len(self.acknowledged))
            while await self._post(http, sent.body, sent.headers) != 200:  # noqa: ASYNC110 - a server
                await asyncio.sleep(0.05)  # a vendor does not come back at once
            self.acknowledged.append(sent.headers["X-CycleSoftware-Delivery"])
            await asyncio.sleep(max(0.0, due - clock()))

    async def _post(self, http: aiohttp.ClientSession, body: bytes, headers: dict[str, str]) -> int:
        try:
            async with http.post(random.choice(self._receivers).url, data=body, headers=headers) as response:  # noqa: S311
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


@pytest.mark.soak
async def test_the_rate_is_back_within_seconds_of_each_blow(
    tmp_path: Path, postgres: str, postgres_server: Server
) -> None:
    seen = tmp_path / "seen"
    seen.touch()
    replicas = [Replica(postgres, seen) for _ in range(5)]
    vendors = [Vendor(entity, replicas[:2]) for entity in range(ENTITIES)]

    def handled() -> list[list[str]]:
        return [line.split() for line in seen.read_text().splitlines()]

    async def rate(seconds: float) -> float:
        before = len(handled())
        await asyncio.sleep(seconds)
        return (len(handled()) - before) / seconds

    async def restart(*victims: Replica) -> None:
        await asyncio.gather(*(victim.kill() for victim in victims))
        await asyncio.gather(*(victim.start() for victim in victims))

    async def crash() -> None:
        await asyncio.to_thread(postgres_server.crash)
        await asyncio.to_thread(postgres_server.start)

    async def terminate() -> None:
        query(postgres, f"SELECT pg_terminate_backend(pid) {OURS}")

    blows: dict[str, Callable[[], Awaitable[None]]] = {
        "a receiver killed": lambda: restart(replicas[0]),
        "a process with handlers killed": lambda: restart(replicas[3]),
        "PostgreSQL crashed": crash,
        "all connections terminated": terminate,
        "all processes killed": lambda: restart(*replicas),
    }
    clock = asyncio.get_running_loop().time
    await asyncio.gather(*(replica.start() for replica in replicas))
    stop = asyncio.Event()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http:
            sending = [asyncio.create_task(vendor.send(http, stop)) for vendor in vendors]
            await until(lambda: len(handled()) >= 5 * EVENTS_A_SECOND)
            for name, blow in blows.items():
                usual = await rate(6)
                began = clock()
                await blow()
                ended = clock()
                while await rate(2) < 0.95 * usual:
                    assert clock() < ended + 12, name
                print(f"{name}: back within {clock() - began - 2:.1f} s")  # noqa: T201
            stop.set()
            await asyncio.gather(*sending)
        async with asyncio.timeout(300):
            await asyncio.to_thread(wait_until_settled, postgres)
    finally:
        await asyncio.gather(*(replica.kill() for replica in replicas))
    statuses: defaultdict[str, list[int]] = defaultdict(list)
    for entity, status, _ in handled():
        statuses[entity].append(int(status))
    assert {id_ for _, _, id_ in handled()} == {id_ for vendor in vendors for id_ in vendor.acknowledged}
    for of_entity in statuses.values():
        assert all(later in {earlier, earlier + 1} for earlier, later in pairwise(of_entity))
