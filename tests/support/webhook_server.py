"""A receiver on a loopback socket, and deliveries for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import aiohttp
from aiohttp import web

from cyclesoft_async.webhooks import WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Entry, entries
from cyclesoft_async.webhooks.testing import SignedDelivery, delivery
from tests.support.paths import DATA

SECRET = "geheim-en-lang-genoeg"
PAYLOADS = DATA / "payloads"
T = TypeVar("T")


class Server:
    """A running receiver."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._http = http

    async def post(
        self, sent: bytes | SignedDelivery, headers: Mapping[str, str] | None = None, path: str = "/"
    ) -> int:
        """Post the delivery, and return the status. `headers` override those of the delivery."""
        signed = sent if isinstance(sent, SignedDelivery) else SignedDelivery(sent, {})
        body, headers = signed.body, {**signed.headers, **(headers or {})}
        async with self._http.post(self.url + path, data=BytesIO(body), headers=headers) as response:
            return response.status

    async def get(self, path: str) -> int:
        async with self._http.get(self.url + path) as response:
            return response.status

    async def raw(self, request: bytes) -> bytes:
        """Send raw bytes, and return all bytes until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def running(app: WebhookReceiver | web.Application) -> AsyncGenerator[Server]:
    runner = web.AppRunner(
        app.app() if isinstance(app, WebhookReceiver) else app,
        access_log=None,
        shutdown_timeout=5.0,
        lingering_time=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http:
            yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", http)
    finally:
        await runner.cleanup()


def order(
    number: int = 1,
    *,
    secret: str = SECRET,
    id: str | None = None,  # noqa: A002 - the vendor's name for it
    account_id: int = 1,
    status: int = 7,
    occurred_at: float | None = None,
) -> SignedDelivery:
    """Return a delivery that workshop order `number` was updated."""
    return delivery(
        events.WorkshopOrderUpdated,
        {"workshop_order_id": number, "status_id": status},
        secret=secret,
        id=id,
        account_id=account_id,
        occurred_at=None if occurred_at is None else datetime.fromtimestamp(occurred_at, UTC),
    )


def sample(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


async def take(queue: asyncio.Queue[T]) -> T:
    """Return the next item of the queue, or fail the test."""
    async with asyncio.timeout(60):
        return await queue.get()


async def eventually(path: Path | str, wanted: Callable[[Entry], bool]) -> Entry:
    """Wait for an entry of the inbox that satisfies the condition, and return it."""
    async with asyncio.timeout(60):
        while True:
            for entry in await asyncio.to_thread(entries, path):
                if wanted(entry):
                    return entry


@contextmanager
def unwritable(folder: Path) -> Generator[None]:
    """Remove write access to a folder and its files, also from root, by switching to another user."""
    files = [folder, *folder.iterdir()]
    modes = [path.stat().st_mode for path in files]
    was_root = os.geteuid() == 0
    for path in files:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for path, mode in zip(files, modes, strict=True):
            path.chmod(mode)
