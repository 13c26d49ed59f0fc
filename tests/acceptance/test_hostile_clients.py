"""Hostile clients of eight kinds at once, beside a genuine sender, against the command."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from cyclesoft_async.webhooks.inbox import entries
from tests.support.webhook_server import SECRET, order

SERVE = "from cyclesoft_async.cli.webhooks import webhooks; webhooks()"
HEAD = b"%s HTTP/1.1\r\nHost: x\r\nX-CycleSoftware-Signature: " + b"0" * 64 + b"\r\n"


class Target:
    """The command in a process of its own."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.process = process

    def memory(self) -> int:
        """Resident megabytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        raise AssertionError("the command has ended")

    async def send(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Send pieces on a connection of its own, and read until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def command(folder: Path) -> AsyncGenerator[Target]:
    arguments = ("serve", "--port", "0", "--inbox", str(folder / "inbox.db"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "CYCLESOFT_WEBHOOK_SECRETS": SECRET, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        started = (await process.stdout.readline()).decode()
        yield Target(int(started.split(":")[2].split("/")[0]), process)
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def bomb(megabytes: int) -> bytes:
    deflate = zlib.compressobj(9, wbits=31)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)) + deflate.flush()


BOMB = bomb(100)
GZIP = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
FORGED = b'{"id":"x","account_id":1,"x":"' + b"y" * 200_000 + b'"}'


async def is_silent(target: Target) -> None:
    await target.send()


async def sends_slow_headers(target: Target) -> None:
    await target.send(*(b"POST / HTTP/1.1\r\n", *([b"X: y\r\n"] * 1000)), pause=0.1)


async def sends_a_slow_body(target: Target) -> None:
    start = HEAD % b"POST /" + b"Content-Length: 500\r\n\r\n"
    await target.send(start, *([b"x"] * 400), pause=0.1)


async def sends_a_bomb(target: Target) -> None:
    await target.send(HEAD % b"POST /" + GZIP)


async def sends_a_bomb_to_health(target: Target) -> None:
    await target.send(HEAD % b"GET /health/ready" + GZIP)


async def sends_a_bomb_nowhere(target: Target) -> None:
    await target.send(HEAD % b"PUT /nowhere" + GZIP)


async def forges(target: Target) -> None:
    await target.send(
        HEAD % b"POST /" + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(FORGED) + FORGED
    )


async def sends_noise(target: Target) -> None:
    await target.send(random.randbytes(5000))  # noqa: S311


HOSTILE: list[Callable[[Target], Awaitable[None]]] = [
    is_silent,
    sends_slow_headers,
    sends_a_slow_body,
    sends_a_bomb,
    sends_a_bomb_to_health,
    sends_a_bomb_nowhere,
    forges,
    sends_noise,
]


async def attack(target: Target, hostile: Callable[[Target], Awaitable[None]]) -> None:
    while True:
        with suppress(OSError):
            await hostile(target)
        await asyncio.sleep(0.05)  # bounds the load, waits for no result


async def deliver(target: Target, until: float) -> list[float]:
    """The seconds that genuine deliveries took."""
    took: list[float] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{target.port}") as http:
        while time.monotonic() < until:
            sent = order(len(took))
            before = time.monotonic()
            async with http.post("/", data=sent.body, headers=sent.headers) as response:
                assert response.status == 200
            took.append(time.monotonic() - before)
            await asyncio.sleep(0.02)  # the rate of a shop, waits for no result
    return sorted(took)


@pytest.mark.parametrize(
    ("clients", "seconds", "longest"),
    [(16, 3.0, 10.0), pytest.param(100, 60.0, 0.5, marks=pytest.mark.soak)],
    ids=["a few", "all of them"],
)
async def test_genuine_deliveries_pass_and_the_memory_comes_back(
    tmp_path: Path, clients: int, seconds: float, longest: float
) -> None:
    async with command(tmp_path) as target:
        await deliver(target, time.monotonic() + 1)
        before = target.memory()
        attackers = [
            asyncio.create_task(attack(target, HOSTILE[number % len(HOSTILE)])) for number in range(clients)
        ]
        took = await deliver(target, time.monotonic() + seconds)
        for attacker in attackers:
            attacker.cancel()
        await asyncio.wait(attackers)
        after = target.memory()
        await deliver(target, time.monotonic() + 1)
    p99 = took[int(len(took) * 0.99)]
    figures = f"p50 {took[len(took) // 2]:.3f} s, p99 {p99:.3f} s; {before} -> {after} MB"
    print(f"{len(took)} deliveries, {figures}")  # noqa: T201 - figures for the soak
    assert p99 < longest
    assert after < before + 150  # the allocator keeps what it had
    stored = entries(tmp_path / "inbox.db", limit=-1)
    assert len(stored) > len(took)
    assert {entry.state for entry in stored} == {"done"}
