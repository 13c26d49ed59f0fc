"""Methods that every inbox of this library has in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, structs

from cyclesoft_async.errors import UsageError, printable_line

from .protocol import HandlerFailure, State
from .reader import Reader
from .selection import Selection
from .stats import InboxStats


class AttemptEnd(Struct, frozen=True, kw_only=True):
    """How an attempt ended, or how far it has come."""

    seq: int
    state: State
    """"running": only `handled` changes. "received": a stop interrupted it, and it does not count."""
    handled: Sequence[str] = ()
    error: str | None = None
    due_at: float = 0.0
    """In seconds since 1970."""
    failures: Sequence[HandlerFailure] = ()


class BaseInbox(ABC):
    """Durable storage for deliveries, which an operator may look after.

    Args:
        keep_done_days: Days after which handled deliveries are deleted, or `math.inf`.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.
        keep_ids_days: Days for which a deleted delivery is known again.

    Raises:
        UsageError: A number of days is negative.
    """

    def __init__(self, keep_done_days: float, keep_dead_days: float, keep_ids_days: float) -> None:
        if not (keep_done_days >= 0 and keep_dead_days >= 0 and keep_ids_days >= 0):
            raise UsageError(
                f"a retention must be >= 0 days, got keep_done_days={keep_done_days!r},"
                f" keep_dead_days={keep_dead_days!r}, keep_ids_days={keep_ids_days!r}"
            )

    @abstractmethod
    def reader(self) -> Reader:
        """Return a reader of the inbox, which the caller closes. The inbox need not be open."""

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Record which handlers have succeeded so far."""
        await self._settle(AttemptEnd(seq=seq, state="running", handled=handled))

    async def postpone(
        self,
        seq: int,
        due_at: float,
        handled: Sequence[str],
        error: str,
        failures: Sequence[HandlerFailure] = (),
    ) -> None:
        """Mark a delivery as retrying; see `Inbox.postpone`."""
        await self._settle(
            AttemptEnd(
                seq=seq, state="retrying", handled=handled, error=error, due_at=due_at, failures=failures
            )
        )

    async def dead_letter(self, seq: int, error: str, failures: Sequence[HandlerFailure] = ()) -> None:
        """Mark a delivery as dead. Record failed handlers."""
        await self._settle(AttemptEnd(seq=seq, state="dead", error=error, failures=failures))

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Release a claimed delivery. The attempt does not count."""
        await self._settle(AttemptEnd(seq=seq, state="received", handled=handled))

    async def replay(
        self,
        delivery_id: str | None = None,
        *,
        since: datetime | None = None,
        only_dead: bool = False,
        where: Selection | None = None,
        dry_run: bool = False,
    ) -> int:
        """Hand done and dead deliveries to all of their handlers once more, as if they were new.

        Works also when this inbox is not open. An inbox in PostgreSQL may be open elsewhere, too; a file must
        not be.

        Args:
            delivery_id: Only the deliveries with this id. The default is all.
            since: Only those that were received at this time or later. Must be aware.
            only_dead: Only dead ones.
            where: Conditions that hold in addition.
            dry_run: Whether only to count them.

        Returns:
            The number of deliveries.

        Raises:
            UsageError: `since` is naive.
            InboxError: The inbox cannot be read or written.
        """
        selection = where or Selection()
        if delivery_id is not None:
            selection = structs.replace(selection, delivery_id=delivery_id)
        if since is not None:
            selection = structs.replace(selection, since=since)
        if only_dead:
            selection = structs.replace(selection, states=("dead",))
        if dry_run:
            return await asyncio.to_thread(self._replayable, selection)
        return await self._replay(selection)

    async def purge(self, where: Selection | None = None, *, dry_run: bool = False) -> int:
        """Delete at once what is older than its retention, which otherwise happens every hour.

        Works also when this inbox is not open, as `replay` does.

        Args:
            where: Conditions that hold in addition.
            dry_run: Whether only to count them.

        Returns:
            The number of deliveries.

        Raises:
            InboxError: The inbox cannot be read or written.
        """
        if dry_run:
            return await asyncio.to_thread(self._purgeable, where or Selection())
        return await self._purge(where)

    async def dismiss(self, seqs: Sequence[int], *, by: str) -> int:
        """Mark dead and quarantined deliveries as done, without running a handler.

        Works also when this inbox is not open, as `replay` does.

        Args:
            seqs: `Entry.seq` of the deliveries. Those in other states stay as they are.
            by: Who decided it. Added to the delivery's error.

        Returns:
            The number of deliveries.

        Raises:
            InboxError: The inbox cannot be read or written.
        """
        return await self._dismiss(seqs, f" (dismissed by {printable_line(by)})")

    async def stats(self) -> InboxStats:
        """Return figures about the deliveries, and about the receivers that have the inbox open.

        Raises:
            InboxError: The inbox cannot be read.
        """

        def read() -> InboxStats:
            with self.reader() as reader:
                return reader.stats()

        return await asyncio.to_thread(read)

    @abstractmethod
    async def _settle(self, end: AttemptEnd) -> None:
        """Record the end of an attempt, unless it succeeded."""

    @abstractmethod
    def _replayable(self, selection: Selection) -> int:
        """Count what `_replay` would queue."""

    @abstractmethod
    async def _replay(self, selection: Selection) -> int:
        """Queue finished deliveries once more."""

    @abstractmethod
    async def _dismiss(self, seqs: Sequence[int], note: str) -> int:
        """Mark dead and quarantined deliveries as done, and append the note to their error."""

    @abstractmethod
    def _purgeable(self, selection: Selection) -> int:
        """Count what `_purge` would delete."""

    @abstractmethod
    async def _purge(self, where: Selection | None) -> int:
        """Delete what is older than its retention."""
