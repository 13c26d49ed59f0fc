"""An inbox in PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks.envelope import ordering_key, read
from cyclesoft_async.webhooks.inbox.protocol import (
    Announce,
    ClaimedDelivery,
    Delivery,
    HandlerFailure,
    State,
    Stored,
)

from .claims import Taker, end
from .pool import ConnectionLostError, Database

logger = logging.getLogger("cyclesoft_async.webhooks")

_AT_ONCE: Final = 500
_HOUSEKEEPING_SECONDS: Final = 3600.0
_LONGEST_LANE: Final = 300

_PUT: Final = "SELECT put(%s, %s, %s, %s, %s, %b, %s, %s)"
_ATTEMPT: Final = "SELECT * FROM attempt(%s, %s, %s)"
_SETTLE: Final = "SELECT settle(%s, %s, %s, %s, %s, %s, %s, %s)"
_CHECK: Final = """
    INSERT INTO health VALUES (true, now()) ON CONFLICT (only_row) DO UPDATE SET checked_at = now()
    RETURNING true
"""
_OLDEST_UNTAKEN: Final = """
    SELECT extract(epoch FROM min(d.received_at))::double precision
    FROM procrastinate_jobs j JOIN deliveries d ON d.seq = (j.args ->> 'seq')::bigint
    WHERE j.status = 'todo' AND j.queue_name = 'cyclesoft_webhooks'
    AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs e
        WHERE e.lock = j.lock AND e.status IN ('todo', 'doing') AND e.id < j.id
    )
"""
_PURGE: Final = "SELECT purge(%s, %s, %s)"
_REPLAYABLE: Final = """
    SELECT seq, lane, body FROM deliveries
    WHERE seq > %s AND (%s::text IS NULL OR delivery_id = %s)
    AND (%s::timestamptz IS NULL OR received_at >= %s)
    AND (state = 'dead' OR (state = 'done' AND NOT %s)) ORDER BY seq LIMIT %s
"""
_REPLAY: Final = """
    SELECT count(*) FILTER (WHERE replay(seq, lane))
    FROM unnest(%s::bigint[], %s::text[]) AS chosen (seq, lane)
"""


class PostgresInbox:
    """Keeps deliveries in a PostgreSQL database that any number of receivers share (extra: postgres).

    A delivery is committed, with its job in Procrastinate's queue, when `put` returns. Each receiver handles
    what it takes from the queue: of an entity one delivery at a time, in order, over all receivers. What a
    receiver leaves behind that dies goes to the others. While PostgreSQL is away deliveries are answered 503,
    and handlers wait.

    The tables are created on first use, in the schema `cyclesoft`, when the role may; `cyclesoft migrate`
    creates and upgrades them, too.

    Args:
        url: `postgresql://user@host/name`; what it leaves out comes from libpq's environment variables and
            password file. Not through a pooler that shares connections between transactions.
        keep_done_days: Days after which handled deliveries are deleted; `math.inf` keeps them. Until then the
            same id is recognised when it comes again.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.
        pool_size: Connections of this process, at most, besides one that listens.
        lease_seconds: When a process gave no sign of life for so long, others take what it had. A handler
            that blocks the event loop for longer looks dead.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database, or a number makes no sense.
    """

    _shown = "unreadable"  # see Dsn

    def __init__(
        self,
        url: str,
        *,
        keep_done_days: float = 30.0,
        keep_dead_days: float = 90.0,
        pool_size: int = 10,
        lease_seconds: float = 30.0,
    ) -> None:
        if not (keep_done_days >= 0 and keep_dead_days >= 0):
            raise UsageError("a retention is a number of days, zero or more")
        if pool_size < 1 or lease_seconds <= 0:
            raise UsageError("a pool has one connection or more, and a lease is longer than nothing")
        try:
            self._dsn = Dsn(url)
        finally:
            del url  # see Dsn
        self._shown = self._dsn.shown
        self._keep_days = (keep_done_days, keep_dead_days)
        self._pool_size = pool_size
        self._lease = lease_seconds
        self._database: Database | None = None
        self._taker: Taker | None = None
        self._housekeeping: asyncio.Task[None] | None = None

    @property
    def claims_on_arrival(self) -> bool:
        """False: another process may have the entity."""
        return False

    def __repr__(self) -> str:
        return f"PostgresInbox({self._shown!r})"

    async def open(self, announce: Announce) -> None:
        """Start; see `Inbox.open`.

        Raises:
            UsageError: The inbox is open already.
            InboxError: The tables are those of another version, or the role may not create them.
        """
        if self._database is not None:
            raise UsageError(f"{self!r} is open already")
        self._database = Database(self._dsn, self._pool_size)
        try:
            await self._database.open()
        except InboxUnavailableError as error:
            logger.warning("%s; deliveries are answered 503 until that is over", error)
        except BaseException:
            self._database = None
            raise
        self._taker = Taker(self._database, announce, self._lease)
        self._housekeeping = asyncio.create_task(self._keep_house())

    async def close(self) -> None:
        """Finish what is being written, let others have what is not handled, and disconnect."""
        database, taker, housekeeping = self._database, self._taker, self._housekeeping
        self._database = self._taker = self._housekeeping = None
        if housekeeping is not None:
            await end([housekeeping])
        if taker is not None:
            await taker.stop()
        if database is not None:
            await database.close()

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery; on return it is committed, and its job too."""
        row = (
            delivery.account_id,
            _text(delivery.id),
            delivery.event_name and _text(delivery.event_name),
            _lock(delivery.ordering_key),
            delivery.event_timestamp,
            delivery.body,
            delivery.state,
            delivery.problem and _text(delivery.problem),
        )
        database = self._open_database
        try:
            [(stored,)] = await database.rows(_PUT, *row)
        except ConnectionLostError:  # if it was stored after all, now it is a duplicate, and stored
            [(stored,)] = await database.rows(_PUT, *row)
        return Stored(stored)

    async def claim(self, seq: int) -> ClaimedDelivery | None:
        """Mark a delivery as running and count the attempt; None when another process has it by now."""
        taker = self._open_taker
        held = taker.held.get(seq)
        rows = await self._open_database.rows(_ATTEMPT, *held, seq) if held else []
        taker.claimed(seq)
        for account_id, lane_, body, attempts, replayed, handled, received_at, newest in rows:
            return ClaimedDelivery(
                seq=seq,
                account_id=account_id,
                ordering_key=lane_,
                body=body,
                attempt=attempts,
                replayed=replayed,
                handled=tuple(handled),
                received_at=received_at.timestamp(),
                newest=newest,
            )
        taker.ended(seq)
        return None

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Remember which handlers succeeded so far."""
        await self._settle(seq, "running", handled=handled)

    async def complete(
        self,
        seq: int,
        ordering_key: str,  # noqa: ARG002 - the row knows it
        event_timestamp: float,
        *,
        at_once: bool = True,  # noqa: ARG002 - grouping follows
    ) -> None:
        """Mark a delivery as done."""
        await self._settle(seq, "done", newest=event_timestamp)

    async def postpone(
        self,
        seq: int,
        due_at: float,
        handled: Sequence[str],
        error: str,
        failures: Sequence[HandlerFailure] = (),  # noqa: ARG002 - its table follows
    ) -> None:
        """Mark a delivery as retrying; this process keeps it, and with it its place in the lane."""
        await self._settle(seq, "retrying", handled=handled, error=error, due_at=due_at)

    async def dead_letter(
        self,
        seq: int,
        error: str,
        failures: Sequence[HandlerFailure] = (),  # noqa: ARG002 - its table follows
    ) -> None:
        """Mark a delivery as dead."""
        await self._settle(seq, "dead", error=error)

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Give a claimed delivery back, to any process."""
        await self._settle(seq, "received", handled=handled)

    async def check(self) -> None:
        """Write something, to see whether that is possible."""
        await self._open_database.rows(_CHECK)

    async def oldest_unannounced(self) -> float | None:
        """Return when the oldest delivery was received that may run now and no process has taken."""
        [(received_at,)] = await self._open_database.rows(_OLDEST_UNTAKEN)
        return None if received_at is None else float(received_at)

    async def replay(
        self, delivery_id: str | None = None, *, since: datetime | None = None, only_dead: bool = False
    ) -> int:
        """Hand deliveries out once more, done and dead ones: to all of their handlers, as if they were new.

        Works while receivers run, and also when this inbox is not open.

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
        id_ = delivery_id and _text(delivery_id)
        selection = (id_, id_, since, since, only_dead, _AT_ONCE)
        total = after = 0
        async with self._connected() as database:
            while found := await database.rows(_REPLAYABLE, after, *selection):
                seqs = [seq for seq, _, _ in found]
                lanes = [_lane_now(body, before) for _, before, body in found]
                [(replayed,)] = await database.rows(_REPLAY, seqs, lanes)
                total += replayed
                after = seqs[-1]
        return total

    async def purge(self) -> int:
        """Delete at once what is older than its retention, which otherwise happens every hour.

        Works while receivers run, and also when this inbox is not open.

        Returns:
            How many deliveries that were.
        """
        total = 0
        async with self._connected() as database:
            purged = _AT_ONCE
            while purged == _AT_ONCE:
                [(purged,)] = await database.rows(_PURGE, *self._keep_days, _AT_ONCE)
                total += purged
        return total

    async def _settle(
        self,
        seq: int,
        state: State,
        *,
        handled: Sequence[str] = (),
        error: str | None = None,
        due_at: float | None = None,
        newest: float | None = None,
    ) -> None:
        taker = self._open_taker
        held = taker.held.get(seq)
        problem = error and _text(error)
        kept = False
        if held is not None:
            [(kept,)] = await self._open_database.rows(
                _SETTLE, *held, seq, state, list(handled), problem, due_at, newest
            )
        if not kept:
            logger.warning("delivery %d was settled before, or another process has it: not %s", seq, state)
        if not kept or state in {"done", "dead", "received"}:
            taker.ended(seq)

    async def _keep_house(self) -> None:
        while True:
            with suppress(InboxError):  # whoever writes hears of it; the next hour tries again
                await self.purge()
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Database]:
        if self._database is not None:
            yield self._database
            return
        database = Database(self._dsn, 1)
        try:
            yield database
        finally:
            await database.close()

    @property
    def _open_database(self) -> Database:
        if self._database is None:
            raise InboxUnavailableError("the inbox is not open")
        return self._database

    @property
    def _open_taker(self) -> Taker:
        if self._taker is None:
            raise InboxUnavailableError("the inbox is not open")
        return self._taker


def _text(value: str) -> str:
    """A text as PostgreSQL takes it: without halves of characters, and without the character 0."""
    return value.encode(errors="replace").decode().replace("\0", "\\0")


def _lock(lane_: str) -> str:
    """A lane as a lock, which an index has to hold."""
    if len(lane_) <= _LONGEST_LANE:
        return _text(lane_)
    digest = hashlib.sha256(lane_.encode(errors="replace")).hexdigest()
    return f"{_text(lane_[:_LONGEST_LANE])}… {digest}"


def _lane_now(body: bytes, before: str) -> str:
    try:
        return _lock(ordering_key(read(body)))
    except ValueError:
        return before
