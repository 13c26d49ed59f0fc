"""Several processes share an inbox, and die: what was answered 200 is handled, once as an event, in order."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from cyclesoft_async.webhooks.testing import SignedDelivery
from tests.support.paths import SUPPORT
from tests.support.postgres import Server, query
from tests.support.webhook_server import SECRET, order

ENTITIES = 20
SCRIPT = SUPPORT / "kill_server.py"


class Round(NamedTuple):
    deliveries: int
    workers: int
    kills: int
    """Of each process."""


class Replica:
    """A process with a receiver; it is started again after each kill."""

    def __init__(self, inbox: str, seen: Path) -> None:
        self._arguments = [str(SCRIPT), inbox, str(seen), SECRET]
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self.url = ""

    async def start(self) -> None:
        async with self._starting:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments, stdout=asyncio.subprocess.PIPE
            )
            assert self._process.stdout is not None
            self.url = f"http://127.0.0.1:{int(await self._process.stdout.readline())}/"

    async def kill(self) -> None:
        async with self._starting:
            assert self._process is not None
            self._process.kill()
            await self._process.wait()


class Vendor:
    """Sends the events of one entity, each until it is answered 200; one in five to both receivers."""

    def __init__(self, entity: int, receivers: list[Replica], dice: random.Random) -> None:
        self._entity = entity
        self._receivers = receivers
        self._dice = dice
        self.acknowledged: list[str] = []
        self.refused = 0

    async def send(self, http: aiohttp.ClientSession, statuses: range) -> None:
        for status in statuses:
            sent = order(self._entity, status=status)
            twice = self._dice.random() < 0.2
            while True:
                to = self._receivers if twice else [self._dice.choice(self._receivers)]
                answers = await asyncio.gather(*(self._post(http, one.url, sent) for one in to))
                if 200 in answers:
                    break
                await asyncio.sleep(0.02)  # a vendor does not come back at once
            self.acknowledged.append(sent.headers["X-CycleSoftware-Delivery"])

    async def _post(self, http: aiohttp.ClientSession, url: str, sent: SignedDelivery) -> int:
        try:
            async with http.post(url, data=sent.body, headers=sent.headers) as response:
                self.refused += response.status == 503
                assert response.status in {200, 503}
                return response.status
        except aiohttp.ClientError:
            return 0


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Round(deliveries=400, workers=1, kills=1), id="few"),
        pytest.param(Round(deliveries=10_000, workers=3, kills=4), id="all", marks=pytest.mark.soak),
    ],
)
async def test_nothing_acknowledged_is_lost_by_any_process(
    tmp_path: Path, postgres: str, postgres_server: Server, size: Round
) -> None:
    dice = random.Random()  # noqa: S311
    seen = tmp_path / "seen"
    replicas = [Replica(postgres, seen) for _ in range(2 + size.workers)]
    vendors = [Vendor(entity, replicas[:2], dice) for entity in range(ENTITIES)]
    await asyncio.gather(*(replica.start() for replica in replicas))
    try:
        async with asyncio.timeout(900):
            await under_fire(replicas, vendors, postgres_server, size, dice)
            await asyncio.to_thread(wait_until_settled, postgres)
    finally:
        await asyncio.gather(*(replica.kill() for replica in replicas))
    judge(vendors, seen, postgres)


async def under_fire(
    replicas: list[Replica], vendors: list[Vendor], server: Server, size: Round, dice: random.Random
) -> None:
    """All deliveries, in as many parts as there are kills; PostgreSQL crashes in the middle."""
    victims = replicas * size.kills
    dice.shuffle(victims)
    each = -(-size.deliveries // len(vendors) // len(victims))
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as restarts:
        for part, victim in enumerate(victims):
            statuses = range(part * each, (part + 1) * each)
            sending = [restarts.create_task(vendor.send(http, statuses)) for vendor in vendors]
            await asyncio.sleep(dice.uniform(0.0, 0.1))
            await victim.kill()
            restarts.create_task(victim.start())
            if part == len(victims) // 2:
                await asyncio.to_thread(server.crash)
                await asyncio.to_thread(server.start)
            await asyncio.wait(sending)


def wait_until_settled(url: str) -> None:
    # A job ends after its last delivery; that of a killed process is requeued first.
    unfinished = (
        "SELECT 1 FROM cyclesoft.deliveries WHERE state <> 'done'"
        " UNION ALL SELECT 1 FROM cyclesoft.procrastinate_jobs LIMIT 1"
    )
    while query(url, unfinished):
        pass


def judge(vendors: list[Vendor], log: Path, url: str) -> None:
    seen: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for line in log.read_text().splitlines():
        entity, status, id_ = line.split()
        seen[int(entity)].append((int(status), id_))
    handled = Counter(id_ for events in seen.values() for _, id_ in events)
    acknowledged = [id_ for vendor in vendors for id_ in vendor.acknowledged]
    assert set(acknowledged) == set(handled)
    stored = query(url, "SELECT delivery_id, count(*) FROM cyclesoft.deliveries GROUP BY delivery_id")
    assert dict(stored) == dict.fromkeys(acknowledged, 1)
    for events in seen.values():
        assert events[0][0] == 0
        assert all(later == earlier or later[0] == earlier[0] + 1 for earlier, later in pairwise(events))
    assert query(url, "SELECT count(*) FROM cyclesoft.procrastinate_jobs") == [(0,)]
    repeats = handled.total() - len(handled)
    refused = sum(vendor.refused for vendor in vendors)
    print(f"{len(acknowledged)} acknowledged and handled, {repeats} repeats, {refused} answers of 503")  # noqa: T201
