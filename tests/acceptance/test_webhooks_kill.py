"""`kill -9` under load: acknowledged deliveries are stored once and handled in order."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from cyclesoft_async.webhooks.inbox import State, entries
from cyclesoft_async.webhooks.testing import SignedDelivery
from tests.support.paths import SUPPORT
from tests.support.webhook_server import SECRET, order

ENTITIES = 12


class Sender:
    """Sends the events of one entity, each until it is acknowledged."""

    def __init__(self, entity: int) -> None:
        self.entity = entity
        self.acknowledged: list[str] = []
        self.unanswered: SignedDelivery | None = None

    async def send(self, http: aiohttp.ClientSession, url: str) -> None:
        """Send until the server is gone."""
        while True:
            sent = self.unanswered or order(self.entity, status=len(self.acknowledged))
            self.unanswered = sent
            try:
                async with http.post(url, data=sent.body, headers=sent.headers) as response:
                    assert response.status == 200
            except aiohttp.ClientError:
                return
            self.acknowledged.append(sent.headers["X-CycleSoftware-Delivery"])
            self.unanswered = None


async def start(folder: Path, server: str) -> tuple[asyncio.subprocess.Process, str]:
    script = SUPPORT / server
    arguments = [str(script), str(folder / "inbox.db"), str(folder / "seen"), SECRET]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    return process, f"http://127.0.0.1:{port}/"


async def one_round(folder: Path, server: str, senders: list[Sender], seconds: float) -> None:
    process, url = await start(folder, server)
    asyncio.get_running_loop().call_later(seconds, process.kill)
    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(sender.send(http, url) for sender in senders))
    await process.wait()


@pytest.mark.parametrize(
    ("server", "rounds", "longest"),
    [
        ("kill_server.py", 3, 0.3),
        pytest.param("kill_server.py", 200, 0.3, marks=pytest.mark.soak),
        ("fastapi_server.py", 2, 1.5),
        pytest.param("fastapi_server.py", 20, 3.0, marks=pytest.mark.soak),
    ],
    ids=["aiohttp, few", "aiohttp, all", "FastAPI, few", "FastAPI, all"],
)
async def test_nothing_acknowledged_is_lost(tmp_path: Path, server: str, rounds: int, longest: float) -> None:
    senders = [Sender(entity) for entity in range(ENTITIES)]
    dice = random.Random()  # noqa: S311
    for _ in range(rounds):
        await one_round(tmp_path, server, senders, dice.uniform(0.01, longest))
    process, _ = await start(tmp_path, server)
    async with asyncio.timeout(120):
        await asyncio.to_thread(wait_until_settled, tmp_path / "inbox.db")
    process.kill()
    await process.wait()

    acknowledged = [id_ for sender in senders for id_ in sender.acknowledged]
    seen: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for line in (tmp_path / "seen").read_text().splitlines():
        entity, status, id_ = line.split()
        seen[int(entity)].append((int(status), id_))
    handled = Counter(id_ for events in seen.values() for _, id_ in events)
    assert set(acknowledged) <= set(handled)
    stored = Counter(entry.id for entry in entries(tmp_path / "inbox.db", limit=10_000_000))
    assert set(stored.values()) == {1}
    for events in seen.values():
        assert events[0][0] == 0
        assert all(later == earlier or later[0] == earlier[0] + 1 for earlier, later in pairwise(events))
    repeated = sum(count - 1 for count in handled.values())
    print(f"{rounds} rounds, {len(acknowledged)} acknowledged, {len(handled)} handled, {repeated} repeats")  # noqa: T201


def wait_until_settled(path: Path) -> None:
    states: tuple[State, ...] = ("received", "running", "retrying")
    while any(entries(path, state=state, limit=1) for state in states):
        pass
