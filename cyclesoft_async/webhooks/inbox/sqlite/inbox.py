"""An inbox in a SQLite file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeVar

from cyclesoft_async.errors import InboxUnavailableError, UsageError
from cyclesoft_async.webhooks.inbox.protocol import (
    Announce,
    ClaimedDelivery,
    Delivery,
    QueuedDelivery,
    Stored,
)

from .connection import PURGED_AT_ONCE, Database
from .group_commit import Operation, Writer
from .queries import (
    Finished,
    Outcome,
    Placed,
    Selection,
    check,
    claim,
    finish,
    purge,
    put,
    replay,
    settle,
    waiting,
)

logger = logging.getLogger("cyclesoft_async.webhooks")

A = TypeVar("A")
R = TypeVar("R")


class SqliteInbox:
    """Keeps deliveries in a SQLite file that this process alone may write.

    A delivery is on disk when `put` returns, also when the machine loses its power (WAL, synchronous=FULL).
    The file holds people's names and addresses: only its owner may read it, and what is old is deleted. Put
    it on a local disk: over a network neither locks nor WAL can be relied on.

    Args:
        path: The file; it is made when it is missing, its directory is not. Beside it lie `PATH.lock` and,
            while it is open, SQLite's `PATH-wal` and `PATH-shm`.
        keep_done_days: Days after which handled deliveries are deleted; `math.inf` keeps them. Until then the
            same id is recognised when it comes again.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.

    Raises:
        UsageError: A number of days is negative.
    """

    def __init__(
        self, path: str | PathLike[str], *, keep_done_days: float = 30.0, keep_dead_days: float = 90.0
    ) -> None:
        if not (keep_done_days >= 0 and keep_dead_days >= 0):
            raise UsageError("a retention is a number of days, zero or more")
        self._path = Path(path)
        self._keep_done_days = keep_done_days
        self._keep_dead_days = keep_dead_days
        self._writer: Writer | None = None
        self._announce: Announce = _nobody

    def __repr__(self) -> str:
        return f"SqliteInbox({str(self._path)!r})"

    async def open(self, announce: Announce) -> None:
        """Start; see `Inbox.open`.

        Raises:
            UsageError: The directory does not exist, or the inbox is open already.
            InboxLockedError: Another process has it open.
            InboxError: It is no inbox, or one of a newer version.
        """
        if self._writer is not None:
            raise UsageError(f"{self!r} is open already")
        if not self._path.parent.is_dir():
            raise UsageError(f"the inbox's directory {self._path.parent} does not exist")
        self._announce = announce
        loop = asyncio.get_running_loop()

        def opened(connection: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(announce, waiting(connection))

        self._writer = Writer(partial(self._database, opened))
        try:
            await self.check()
        except InboxUnavailableError as error:
            logger.warning("%s; deliveries are answered 503 until that is over", error)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Write what is waiting to be written, and close the file."""
        if self._writer is not None:
            await self._writer.close()
            self._writer = None

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery; on return it is on disk."""
        placed = await self._open_writer.submit(put, delivery, self._tell)
        return placed.stored

    async def claim(self, seq: int) -> ClaimedDelivery:
        """Mark a delivery as running and count the attempt."""
        return await self._open_writer.submit(claim, seq)

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Remember which handlers succeeded so far."""
        await self._open_writer.submit(settle, Outcome(seq, "running", handled))

    async def complete(
        self,
        seq: int,
        ordering_key: str,
        event_timestamp: float,
        *,
        at_once: bool = True,  # noqa: ARG002 - grouping follows
    ) -> None:
        """Mark a delivery as done."""
        await self._open_writer.submit(finish, Finished(seq, ordering_key, event_timestamp))

    async def postpone(self, seq: int, due_at: float, handled: Sequence[str], error: str) -> None:
        """Mark a delivery as retrying."""
        await self._open_writer.submit(settle, Outcome(seq, "retrying", handled, error, due_at))

    async def dead_letter(self, seq: int, error: str) -> None:
        """Mark a delivery as dead."""
        await self._open_writer.submit(settle, Outcome(seq, "dead", (), error))

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Give a claimed delivery back."""
        await self._open_writer.submit(settle, Outcome(seq, "received", handled, cut_off=True))

    async def check(self) -> None:
        """Write something, to see whether that is possible."""
        await self._open_writer.submit(check, None)

    async def oldest_unannounced(self) -> None:
        """Return None: every delivery is announced as soon as it is stored."""

    async def replay(
        self, delivery_id: str | None = None, *, since: datetime | None = None, only_dead: bool = False
    ) -> int:
        """Hand deliveries out once more, done and dead ones: to all of their handlers, as if they were new.

        Works also when this inbox is not open, and nobody else has it open; nothing is deleted then.

        Args:
            delivery_id: Only those with this id; all by default.
            since: Only those that arrived at this time or later; must be aware.
            only_dead: Only dead ones.

        Returns:
            How many they are.

        Raises:
            UsageError: `since` is naive.
        """
        if since is not None and since.utcoffset() is None:
            raise UsageError("since is an aware datetime")
        queued = await self._do(replay, Selection(delivery_id, since, only_dead), self._announce_all)
        return len(queued)

    async def purge(self) -> int:
        """Delete at once what is older than its retention, which otherwise happens every hour.

        Works also when this inbox is not open, and nobody else has it open.

        Returns:
            How many deliveries that were.
        """
        total = 0
        while (purged := await self._do(purge, None)) == PURGED_AT_ONCE:
            total += purged
        return total + purged

    async def _do(
        self, operation: Operation[A, R], argument: A, committed: Callable[[R], None] | None = None
    ) -> R:
        """By the writer, or, when the inbox is not open, with the file opened for this alone."""
        if self._writer is not None:
            return await self._writer.submit(operation, argument, committed)
        return await asyncio.to_thread(self._do_alone, operation, argument)

    def _do_alone(self, operation: Operation[A, R], argument: A) -> R:
        try:
            with closing(self._database(_nobody)) as database:
                [answer] = operation(database, [argument])
        except sqlite3.Error as error:
            raise InboxUnavailableError(f"the inbox can't be written: {error}") from None
        return answer

    def _database(self, opened: Callable[[sqlite3.Connection], None]) -> Database:
        return Database(
            self._path.resolve(),
            keep_done_days=self._keep_done_days,
            keep_dead_days=self._keep_dead_days,
            opened=opened,
        )

    @property
    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise InboxUnavailableError("the inbox is not open")
        return self._writer

    def _announce_all(self, queued: Sequence[QueuedDelivery]) -> None:
        self._announce(queued)

    def _tell(self, placed: Placed) -> None:
        if placed.queued is not None:
            self._announce([placed.queued])


def _nobody(_: object) -> None:
    pass
