"""Webhook deliveries of a sandbox: signed events over HTTP, optionally dropped, duplicated or reordered.

Vendor page: "Webhooks". The vendor does not document its retries. The sandbox makes up to ten attempts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from random import Random
from typing import Final, Self

import aiohttp

from .server import Sandbox
from .signing import Message, signed
from .world.notices import ACCOUNT

_ATTEMPTS: Final = 10
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_LONGEST_WAIT: Final = 60.0
_TAKEN: Final = range(200, 300)


class Deliveries:
    """Sends the events of every change while it is open: of orders, invoices, payments, customers, stores.

    ::

        async with Sandbox() as sandbox, Deliveries(sandbox, "http://127.0.0.1:8080/cyclesoft", "secret"):
            ...

    Events are sent one at a time. A delivery without a 2xx response is redelivered later, so that later
    events overtake it.

    Args:
        sandbox: The sandbox whose changes become events.
        url: URL of the receiver.
        secret: Secret of the signatures.
        account_id: Account id in the events.
        drop: Share of events never sent, from 0 to 1.
        duplicate: Share of events sent twice.
        reorder: Share of events held back until the next one is sent.
        delay: Seconds before each event.
        retry_after: Seconds before the second attempt. They double with each attempt, up to 60.
        seed: Seed of the random draws.

    Attributes:
        made: Number of events.
        delivered: Number of deliveries answered 2xx.
        refused: Number of failed attempts.
        dropped: Number of events never sent.
        given_up: Number of deliveries that failed ten times.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        url: str,
        secret: str | bytes,
        *,
        account_id: int = ACCOUNT,
        drop: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        delay: float = 0.0,
        retry_after: float = 1.0,
        seed: int = 1,
    ) -> None:
        self.made: int = 0
        self.delivered: int = 0
        self.refused: int = 0
        self.dropped: int = 0
        self.given_up: int = 0
        self._sandbox = sandbox
        self._url = url
        self._secret = secret.encode() if isinstance(secret, str) else secret
        self._account_id = account_id
        self._drop = drop
        self._duplicate = duplicate
        self._reorder = reorder
        self._delay = delay
        self._retry_after = retry_after
        self._random = Random(seed)
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._start(self._send_all())
        self._sandbox.subscribe(self._add)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sandbox.unsubscribe(self._add)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    async def settled(self) -> None:
        """Wait until every event is delivered, dropped or given up."""
        await self._queue.join()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _add(self, name: str, payload: Mapping[str, object]) -> None:
        self.made += 1
        if self._random.random() < self._drop:
            self.dropped += 1
            return
        message = signed(
            name, payload, secret=self._secret, account_id=self._account_id, at=self._sandbox.clock()
        )
        for _ in range(1 + (self._random.random() < self._duplicate)):
            self._queue.put_nowait(message)

    async def _send_all(self) -> None:
        held: Message | None = None
        while True:
            message = await self._queue.get()
            if held is None and not self._queue.empty() and self._random.random() < self._reorder:
                held = message
                continue
            await asyncio.sleep(self._delay)
            await self._send(message, 1)
            if held is not None:
                await self._send(held, 1)
                held = None

    async def _send(self, message: Message, attempt: int) -> None:
        if await self._accepted(message):
            self.delivered += 1
            self._queue.task_done()
            return
        self.refused += 1
        if attempt == _ATTEMPTS:
            self.given_up += 1
            self._queue.task_done()
        else:
            self._start(self._send_later(message, attempt + 1))

    async def _send_later(self, message: Message, attempt: int) -> None:
        await asyncio.sleep(min(_LONGEST_WAIT, self._retry_after * 2.0 ** (attempt - 2)))
        await self._send(message, attempt)

    async def _accepted(self, message: Message) -> bool:
        try:
            async with self._http.post(
                self._url, data=message.body, headers=message.headers, allow_redirects=False
            ) as response:
                return response.status in _TAKEN
        except (aiohttp.ClientError, TimeoutError):
            return False
