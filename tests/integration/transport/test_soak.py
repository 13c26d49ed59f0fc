"""Thousands of calls with random cancellations, drops and cuts leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import random

import anyio
import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import RequestError
from cyclesoft_async.models import WorkshopOrderUpdate
from cyclesoft_async.transport.timeouts import Deadline
from tests.support.http_server import PASSWORD, USERNAME, wire

ORDER = wire({"workshop_order_id": 1, "status_text": "x" * 2_000})
QUOTA = b"X-RateLimit-Minutely-Limit: 1000000\r\nX-RateLimit-Minutely-Remaining: 1000000\r\n"
WORKERS = 16


class UnreliableServer:
    """Answers, drops, cuts, stalls or fails at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a repeatable mix of faults
        self.url = ""
        self.requests = 0
        self.connections = 0
        self.idle = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.idle.clear()
        try:
            while await self.answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client disconnected
        finally:
            self.connections -= 1
            if not self.connections:
                self.idle.set()
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        self.requests += 1
        body, status, length, stays = ORDER, b"200 OK", len(ORDER), True
        match self.random.randrange(40):
            case 0:
                return False
            case 1:
                body, stays = ORDER[:500], False
            case 2:
                body, length = ORDER[:-7], len(ORDER) - 7
            case 3:
                status, body, length = b"503 Busy", b"{}", 2
            case 4:
                await reader.read(1)  # until the client gives up
                return False
            case _:
                await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, QUOTA, length, body))
        return stays


async def call_at_random(cs: CycleSoftSession, rng: random.Random, results: dict[str, int]) -> None:
    """Make one call and cancel it at any moment, or not."""
    changes = WorkshopOrderUpdate(status_id=4)
    call = cs.workshop_orders.get(24, 1) if rng.random() < 0.7 else cs.workshop_orders.update(24, 1, changes)
    task = asyncio.ensure_future(call)
    if rng.random() < 0.2:
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)
        task.cancel()
    try:
        await task
        outcome = "ok"
    except RequestError as error:
        outcome = type(error).__name__
    except asyncio.CancelledError:
        outcome = "cancelled"
    results[outcome] = results.get(outcome, 0) + 1


@pytest.mark.parametrize("calls", [150, pytest.param(3_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("seed", range(4))
async def test_calls_that_end_in_any_way_leave_nothing_behind(seed: int, calls: int) -> None:
    server = UnreliableServer(seed)
    rng = random.Random(seed)  # noqa: S311 - a repeatable mix of calls
    results: dict[str, int] = {}
    tasks = asyncio.all_tasks()
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0, backlog=256)
    async with listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        retries = RetryPolicy(attempts=3, first_delay=0.0)
        cs = CycleSoftSession(USERNAME, PASSWORD, base_url=url, timeout=0.5, retries=retries)
        async with cs:
            left = iter(range(calls))

            async def work() -> None:
                for _ in left:
                    await call_at_random(cs, rng, results)

            async with anyio.create_task_group() as group:
                for _ in range(WORKERS):
                    group.start_soon(work)
            quota = cs.quota
            assert (quota.in_flight, quota.waiting, quota.refused) == (0, 0, 0)
            # A request that was cancelled on its way may not have reached the server.
            assert server.requests <= quota.sent <= server.requests + results["cancelled"] + calls // 20
            assert quota.minutely.used <= quota.sent
        with anyio.fail_after(60):
            await server.idle.wait()
    with anyio.fail_after(60):
        await asyncio.gather(*asyncio.all_tasks() - tasks, return_exceptions=True)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if issubclass(type(thing), Deadline)]
    assert sum(results.values()) == calls
    assert results["ok"] > calls // 2
