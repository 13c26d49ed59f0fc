"""Inboxes of both kinds: where they are, what they announce, and what claims it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from cyclesoft_async.errors import InboxUnavailableError
from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox
from cyclesoft_async.webhooks.inbox import (
    ClaimedDelivery,
    Delivery,
    QueuedDelivery,
)
from tests.support.webhook_server import take

AnyInbox: TypeAlias = SqliteInbox | PostgresInbox


class Place:
    """Location of an inbox: a file or a database."""

    def __init__(self, location: Path | str) -> None:
        self.location = location

    def inbox(
        self, *, keep_done_days: float = 30.0, keep_dead_days: float = 90.0, keep_ids_days: float = 730.0
    ) -> AnyInbox:
        make = SqliteInbox if isinstance(self.location, Path) else PostgresInbox
        return make(
            str(self.location),
            keep_done_days=keep_done_days,
            keep_dead_days=keep_dead_days,
            keep_ids_days=keep_ids_days,
        )


class Hands:
    """Claims what an inbox announces, as a dispatcher would."""

    def __init__(self, inbox: AnyInbox) -> None:
        self.inbox = inbox
        self._tasks: set[asyncio.Task[None]] = set()
        self.work: asyncio.Queue[ClaimedDelivery] = asyncio.Queue()

    def announced(self, arrived: Sequence[QueuedDelivery]) -> None:
        for queued in arrived:
            task = asyncio.create_task(self._claim(queued))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _claim(self, queued: QueuedDelivery) -> None:
        with suppress(InboxUnavailableError):  # the test is over
            work = await self.inbox.claim(queued.seq)
            assert work is not None
            assert work.ordering_key == queued.ordering_key
            self.work.put_nowait(work)

    async def take(self, count: int) -> list[ClaimedDelivery]:
        return [await take(self.work) for _ in range(count)]


@asynccontextmanager
async def at_work(inbox: AnyInbox) -> AsyncGenerator[Hands]:
    hands = Hands(inbox)
    await inbox.open(hands.announced)
    try:
        yield hands
    finally:
        await inbox.close()


def letter(number: int, *, body: bytes = b"{}", state: str = "received") -> Delivery:
    return Delivery(
        account_id=1,
        id=f"id-{number}",
        event_name="a.b",
        ordering_key=f"1/a/{number}",
        event_timestamp=1.0,
        body=body,
        state="done" if state == "done" else "dead" if state == "dead" else "received",
    )


@asynccontextmanager
async def opened(inbox: AnyInbox) -> AsyncGenerator[list[QueuedDelivery]]:
    """Open the inbox, and yield the list of what it announces."""
    announced: list[QueuedDelivery] = []
    await inbox.open(announced.extend)
    try:
        yield announced
    finally:
        await inbox.close()
