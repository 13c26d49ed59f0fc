"""Inbox in a SQLite file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike
from pathlib import Path

from cyclesoft_async.errors import InboxUnavailableError, UsageError
from cyclesoft_async.webhooks.inbox.base_inbox import AttemptEnd, BaseInbox
from cyclesoft_async.webhooks.inbox.protocol import (
    Announce,
    ClaimedDelivery,
    Completed,
    Delivery,
    Stored,
)
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.stats import ReceiverFigures

from .connection import InboxFile
from .group_commit import GroupCommitter
from .maintenance import (
    Dismissal,
    Housekeeper,
    PurgeSlice,
    Replayed,
    ReplaySlice,
    Retention,
    compact,
    dismiss,
    purge,
    replay,
    shrink,
)
from .queries import (
    StoredDelivery,
    check,
    claim,
    complete,
    end_attempts,
    store,
    waiting,
)
from .reader import PURGEABLE, REPLAYABLE, SqliteReader, parameters

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")


class SqliteInbox(BaseInbox):
    """Keeps deliveries in a SQLite file that belongs to one process.

    A delivery is on disk when `put` returns, also when the machine loses its power (WAL, synchronous=FULL).
    The file holds people's names and addresses: only its owner may read it, and old deliveries are deleted.
    Put it on a local disk: neither locks nor WAL are reliable over a network.

    Args:
        path: The file. It is created when it is missing, its directory is not. Beside it lie `PATH.lock`,
            `PATH.reserve` (1 MiB, given up when a purge needs room on a full disk) and, while it is open,
            SQLite's `PATH-wal` and `PATH-shm`.
        keep_done_days: Days after which handled deliveries are deleted; `math.inf` keeps them.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.
        keep_ids_days: Days for which a deleted delivery is known again, by a digest of some 70 bytes, and an
            older event of its entity is `stale`. So a captured request cannot be replayed meanwhile.

    Raises:
        UsageError: A number of days is negative.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        keep_done_days: float = 30.0,
        keep_dead_days: float = 90.0,
        keep_ids_days: float = 730.0,
    ) -> None:
        super().__init__(keep_done_days, keep_dead_days, keep_ids_days)
        self._path = Path(path)
        self._retention = Retention(keep_done_days, keep_dead_days, keep_ids_days)
        self._committer: GroupCommitter | None = None
        self._announce: Announce = _discard

    @property
    def claims_on_arrival(self) -> bool:
        """Whether `put` heeds `Delivery.claim`: it does."""
        return True

    def reader(self) -> SqliteReader:
        """Return a reader of the inbox; see `BaseInbox.reader`."""
        return SqliteReader(self._path)

    def __repr__(self) -> str:
        return f"SqliteInbox({str(self._path)!r})"

    async def open(self, announce: Announce) -> None:
        """Open; see `Inbox.open`.

        Raises:
            UsageError: The directory does not exist, or the inbox is open already.
            InboxLockedError: Another process has it open.
            InboxError: It is not an inbox, or one of a newer version.
        """
        if self._committer is not None:
            raise UsageError(f"{self!r} is open already")
        if not self._path.parent.is_dir():
            raise UsageError(f"the inbox's directory {self._path.parent} does not exist")
        self._announce = announce
        loop = asyncio.get_running_loop()

        def announce_waiting(connection: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(announce, waiting(connection))

        open_file = partial(InboxFile, self._path.resolve(), on_open=announce_waiting)
        self._committer = GroupCommitter(open_file, Housekeeper(self._retention))
        try:
            await self.check()
        except InboxUnavailableError as error:
            logger.warning("%s; deliveries are answered 503 until it can", error)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish pending writes, and close the file."""
        if self._committer is not None:
            await self._committer.close()
            self._committer = None

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery durably."""
        return (await self._open_committer.submit(store, delivery, self._announce_stored)).stored

    async def claim(self, seq: int) -> ClaimedDelivery:
        """Mark a delivery as running and count the attempt."""
        return await self._open_committer.submit(claim, seq)

    async def complete(self, completed: Sequence[Completed]) -> None:
        """Mark deliveries as done; see `Inbox.complete`."""
        await self._open_committer.submit(complete, completed)

    async def _settle(self, end: AttemptEnd) -> None:
        await self._open_committer.submit(end_attempts, end)

    async def check(self, figures: ReceiverFigures | None = None) -> None:
        """Write figures of this process, to see whether that is possible."""
        await self._open_committer.submit(check, figures)

    def problem(self) -> None:
        """Return None: handlers need nothing but the file, which `check` writes."""

    async def oldest_unannounced(self) -> None:
        """Return None: every delivery is announced as soon as it is stored."""

    def _replayable(self, selection: Selection) -> int:
        with self.reader() as reader:
            return reader.number(REPLAYABLE, parameters(selection))

    async def _replay(self, selection: Selection) -> int:
        total = 0
        async with self._maintained() as committer:
            after: int | None = 0
            while after is not None:
                replayed = await committer.submit(
                    replay, ReplaySlice(selection, after), self._announce_replayed, alone=True
                )
                total += len(replayed.queued)
                after = replayed.after
        return total

    async def _dismiss(self, seqs: Sequence[int], note: str) -> int:
        async with self._maintained() as committer:
            return await committer.submit(dismiss, Dismissal(seqs, note))

    def _purgeable(self, selection: Selection) -> int:
        with self.reader() as reader:
            return reader.number(PURGEABLE, {**parameters(selection), **self._retention.bounds()})

    async def _purge(self, where: Selection | None) -> int:
        selection = where or Selection()
        total = 0
        async with self._maintained() as committer:
            after: int | None = 0
            while after is not None:
                progress = PurgeSlice(self._retention, selection, after)
                purged = await committer.submit(purge, progress, alone=True)
                total += purged.deleted
                after = purged.after
            while await committer.submit(shrink, None, alone=True):
                pass
        return total

    async def compact(self) -> None:
        """Rewrite the file without its free pages. Purges shrink it from now on, also one of version 2.

        Needs free disk space of twice the file's size. The inbox must not be open, here or elsewhere.

        Raises:
            UsageError: The inbox is open.
            InboxLockedError: Another process has it open.
            InboxError: The disk has too little space, or it is not an inbox.
        """
        if self._committer is not None:
            raise UsageError(f"{self!r} cannot be compacted while it is open; stop the receiver first")
        async with self._maintained() as committer:
            await committer.submit(compact, None, alone=True)

    @asynccontextmanager
    async def _maintained(self) -> AsyncGenerator[GroupCommitter]:
        """Yield the committer, or one for this alone when the inbox is not open."""
        if self._committer is not None:
            yield self._committer
            return
        committer = GroupCommitter(partial(InboxFile, self._path.resolve(), on_open=_discard), _nothing_to_do)
        try:
            yield committer
        finally:
            await committer.close()

    @property
    def _open_committer(self) -> GroupCommitter:
        if self._committer is None:
            raise InboxUnavailableError("the inbox is not open")
        return self._committer

    def _announce_stored(self, stored: StoredDelivery) -> None:
        if stored.queued is not None:
            self._announce([stored.queued])

    def _announce_replayed(self, replayed: Replayed) -> None:
        if self._committer is not None:
            self._announce(replayed.queued)


def _discard(_: object) -> None:
    pass


def _nothing_to_do(_: InboxFile) -> bool:
    return False
