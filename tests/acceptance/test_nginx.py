"""The example's nginx.conf, in a real nginx before real receivers: none of what it lets through is lost."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import SignedDelivery, delivery
from tests.support.nginx import NameServer, free_port, proxied
from tests.support.paths import ROOT
from tests.support.polling import listening
from tests.support.webhook_server import SECRET, order

ADDRESSES = ("127.0.0.2", "127.0.0.3")
PATH = "/cyclesoft"


class Receiver:
    """The example's receiver in a process, on an address and with an inbox of its own."""

    def __init__(self, address: str, port: int, inbox: Path) -> None:
        self._address = address
        self._port = port
        self.inbox = inbox
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "examples" / "deploy" / "receiver.py"),
            env={
                **os.environ,
                "INBOX": str(self.inbox),
                "CYCLESOFT_WEBHOOK_SECRETS": SECRET,
                "HOST": self._address,
                "PORT": str(self._port),
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await listening(self._address, self._port)

    async def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        await self.process.wait()


class Pair:
    """Two receivers behind nginx."""

    def __init__(self, url: str, names: NameServer, receivers: list[Receiver], port: int) -> None:
        self.url = url + PATH
        self.names = names
        self.receivers = receivers
        self.port = port

    async def post(self, http: aiohttp.ClientSession, sent: SignedDelivery) -> int:
        async with http.post(self.url, data=sent.body, headers=sent.headers) as response:
            return response.status

    async def stored(self) -> dict[str, bytes]:
        found = [await asyncio.to_thread(entries, one.inbox, limit=-1) for one in self.receivers]
        return {entry.id: entry.body for part in found for entry in part}


@asynccontextmanager
async def pair(folder: Path) -> AsyncGenerator[Pair]:
    port = free_port()
    receivers = [Receiver(address, port, folder / f"{address}.db") for address in ADDRESSES]
    names = NameServer(ADDRESSES)
    nginx = folder / "nginx"
    nginx.mkdir()
    async with AsyncExitStack() as stack:
        for receiver in receivers:
            await receiver.start()
            stack.push_async_callback(receiver.end, signal.SIGKILL)
        url = await stack.enter_async_context(proxied(names, port, nginx))
        yield Pair(url, names, receivers, port)


async def post_as_http_1_0(url: str, sent: SignedDelivery) -> bytes:
    """Post without a Host header, which HTTP/1.0 does not demand."""
    where = URL(url)
    reader, writer = await asyncio.open_connection(where.host, where.port)
    lines = [f"POST {where.path} HTTP/1.0", f"Content-Length: {len(sent.body)}"]
    lines += [f"{name}: {value}" for name, value in sent.headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + sent.body)
    try:
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_it_lets_deliveries_through_and_nothing_else(tmp_path: Path) -> None:
    big = delivery("workshop_order.updated", {"workshop_order_id": 1, "x": "é/" * 50_000}, secret=SECRET)
    too_big = delivery("workshop_order.updated", {"workshop_order_id": 1, "x": "y" * 300_000}, secret=SECRET)
    async with pair(tmp_path) as both, aiohttp.ClientSession() as http:
        assert await both.post(http, big) == 200
        assert await both.post(http, too_big) == 413
        [body] = (await both.stored()).values()
        assert body == big.body
        small = delivery("workshop_order.updated", {"workshop_order_id": 1}, secret=SECRET)
        assert (await post_as_http_1_0(both.url, small)).startswith(b"HTTP/1.1 200")
        compressed = {**big.headers, "Content-Encoding": "gzip"}
        async with http.post(both.url, data=gzip.compress(big.body), headers=compressed) as response:
            assert response.status == 415
        async with http.get(both.url) as response:
            assert response.status == 405
        for path in ("/health", "/health/ready", "ware", "/"):
            async with http.get(both.url + path) as response:
                assert response.status == 404


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_restarting_one_after_the_other_refuses_nothing(tmp_path: Path, how: signal.Signals) -> None:
    statuses: list[int] = []
    acknowledged: list[str] = []
    stopping = False

    async def send(http: aiohttp.ClientSession, number: int) -> None:
        while not stopping:
            sent = order(number)
            status = await both.post(http, sent)
            statuses.append(status)
            if status == 200:
                acknowledged.append(sent.headers["X-CycleSoftware-Delivery"])
            await asyncio.sleep(0.01)  # the rate of a sender, waits for no result

    async with pair(tmp_path) as both, aiohttp.ClientSession() as http:
        senders = [asyncio.create_task(send(http, number)) for number in range(4)]
        for receiver in both.receivers:
            await receiver.end(how)
            await receiver.start()
        stopping = True
        await asyncio.gather(*senders)
        assert set(statuses) == {200}
        assert set(acknowledged) <= set(await both.stored())


async def test_a_receiver_that_hangs_delays_deliveries_by_five_seconds(tmp_path: Path) -> None:
    async with pair(tmp_path) as both, aiohttp.ClientSession() as http:
        process = both.receivers[0].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        began = monotonic()
        statuses = await asyncio.gather(*(both.post(http, order(number)) for number in range(12)))
        assert statuses == [200] * 12
        assert monotonic() - began < 25  # one by one, on a machine with room, 5


async def test_receivers_with_new_addresses_are_found(tmp_path: Path) -> None:
    async with pair(tmp_path) as both, aiohttp.ClientSession() as http:
        assert await both.post(http, order(1)) == 200
        for receiver in both.receivers:
            await receiver.end(signal.SIGKILL)
        moved = Receiver("127.0.0.4", both.port, tmp_path / "moved.db")
        await moved.start()
        both.names.addresses = ["127.0.0.4"]
        async with asyncio.timeout(60):
            while await both.post(http, order(2)) != 200:
                pass
        await moved.end(signal.SIGKILL)
        for receiver in both.receivers:
            await receiver.start()


async def test_the_sender_is_told_when_to_redeliver(tmp_path: Path) -> None:
    async def unavailable(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "77"})

    async with pair(tmp_path) as both, aiohttp.ClientSession() as http:
        for receiver in both.receivers:
            await receiver.end(signal.SIGTERM)
        answers = [await retry_after(http, both.url)]
        app = web.Application()
        app.router.add_post(PATH, unavailable)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        for address in ADDRESSES:
            await web.TCPSite(runner, address, both.port).start()
        answers.append(await retry_after(http, both.url))
        await runner.cleanup()
        for receiver in both.receivers:
            await receiver.start()
    assert answers == [(503, "10"), (503, "77")]


async def retry_after(http: aiohttp.ClientSession, url: str) -> tuple[int, str | None]:
    sent = order(1)
    async with http.post(url, data=sent.body, headers=sent.headers) as response:
        return response.status, response.headers.get("Retry-After")
