"""An inbox in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, LiteralString, TypeVar

from msgspec import structs
from procrastinate import App, PsycopgConnector

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks.envelope import ordering_key, read
from cyclesoft_async.webhooks.events import Event
from cyclesoft_async.webhooks.inbox.protocol import (
    Announce,
    ClaimedDelivery,
    Delivery,
    HandlerFailure,
    QueuedDelivery,
    State,
    Stored,
)
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.stats import InboxStats

from .browse import MATCHES, OLDEST_DUE, PURGEABLE, REPLAYABLE, number, parameters, stats
from .claims import Claimer, end
from .operations import CLAIM, SETTLE, STORE, Attempt, Outcome, Waiting, lane, storable
from .pool import Database
from .writer import GroupWriter

logger = logging.getLogger("cyclesoft_async.webhooks")

T = TypeVar("T")

_AT_ONCE: Final = 500
_HOUSEKEEPING_SECONDS: Final = 3600.0
_LONGEST_DAYS: Final = 100_000.0
# To fetch jobs, to end them, to begin and claim, and for heartbeats.
_QUEUE_CONNECTIONS: Final = 4
_EVENTS_KEPT: Final = 1_000
# A lane whose retry is due so soon is not worth the way through the queue.
_KEPT_SECONDS: Final = 2.0

_CHECK: Final = """
    INSERT INTO health VALUES (true, now()) ON CONFLICT (only_row) DO UPDATE SET checked_at = now()
    RETURNING true
"""
_PURGE: Final = "SELECT purge_deliveries(%s, %s, %s)"
_PURGE_SELECTED: Final[LiteralString] = f"""
    DELETE FROM deliveries WHERE seq IN (
        SELECT seq FROM deliveries WHERE seq > %(after)s AND {PURGEABLE} AND {MATCHES}
        ORDER BY seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) RETURNING seq
"""  # noqa: S608 - of constants
_REPLAYABLE: Final[LiteralString] = f"""
    SELECT seq, lane, body, getdatabaseencoding() FROM deliveries
    WHERE seq > %(after)s AND {REPLAYABLE} AND {MATCHES} ORDER BY seq LIMIT %(limit)s
"""  # noqa: S608 - of constants
_REPLAY: Final = "SELECT replay_deliveries(%s, %s)"


class PostgresInbox:
    """Stores deliveries in a PostgreSQL database that any number of receivers share (extra: postgres).

    When `put` returns, a delivery is committed, and so is a job for its entity in Procrastinate's queue. The
    receivers claim jobs: one at a time of an entity, over all receivers, so that its events are handled in
    order. When a receiver dies, the others take over what it held. While PostgreSQL is unreachable deliveries
    are answered 503, and handlers wait.

    The tables are created on first use, in the schema `cyclesoft`, if the role may. `cyclesoft migrate`
    creates and upgrades them, too.

    Args:
        url: `postgresql://user@host/name`. libpq's environment variables and password file supply what it
            leaves out. A pooler must not share connections between transactions.
        keep_done_days: Days after which handled deliveries are deleted; `math.inf` keeps them. Until then the
            same id is recognised when it is redelivered.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.
        pool_size: Largest number of connections of this process, besides those of the queue.
        lease_seconds: Seconds without a heartbeat after which the other processes take over. A process whose
            event loop is blocked for longer looks dead.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database, or a number is out of range.
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
            raise UsageError(
                "a retention must be >= 0 days,"
                f" got keep_done_days={keep_done_days!r}, keep_dead_days={keep_dead_days!r}"
            )
        if pool_size < 1 or lease_seconds <= 0:
            raise UsageError(
                "pool_size must be >= 1 and lease_seconds > 0,"
                f" got pool_size={pool_size!r}, lease_seconds={lease_seconds!r}"
            )
        try:
            self._dsn = Dsn(url)
        finally:
            del url  # see Dsn
        self._shown = self._dsn.shown
        self._keep = (_retention(keep_done_days), _retention(keep_dead_days))
        self._pool_size = pool_size
        self._lease = lease_seconds
        self._database: Database | None = None
        self._queue: Database | None = None
        self._writer: GroupWriter | None = None
        self._beginner: GroupWriter | None = None
        self._claimer: Claimer | None = None
        self._events: dict[int, Event] = {}
        self._stored = Counter[Stored]()
        self._housekeeping: asyncio.Task[None] | None = None

    @property
    def claims_on_arrival(self) -> bool:
        """False: another process may have the entity."""
        return False

    def __repr__(self) -> str:
        return f"PostgresInbox({self._shown!r})"

    async def open(self, announce: Announce) -> None:
        """Open; see `Inbox.open`.

        Raises:
            UsageError: The inbox is open already.
            InboxError: The tables are of another version or another role, or the role may not create them.
        """
        if self._database is not None:
            raise UsageError(f"{self!r} is open already")
        self._stored.clear()
        database = self._database = Database(self._dsn, self._pool_size)
        try:
            await database.open()
        except InboxUnavailableError as error:
            logger.warning("%s; deliveries are answered 503 until that is over", error)
        except BaseException:
            self._database = None
            raise

        def announce_one(seq: int, lane_: str) -> None:
            announce([QueuedDelivery(seq, lane_, 0.0, self._events.pop(seq, None))])

        queue = self._queue = Database(self._dsn, _QUEUE_CONNECTIONS, is_queue=True)
        connector = PsycopgConnector()
        await connector.open_async(queue.pool)
        self._writer, self._beginner = GroupWriter(database), GroupWriter(queue)
        manager = App(connector=connector).job_manager
        self._claimer = Claimer(queue, manager, self._beginner, announce_one, self._lease)
        self._housekeeping = asyncio.create_task(self._keep_house())

    async def close(self) -> None:
        """Finish what is being written, let others have what is not handled, and disconnect."""
        if self._database is None:
            return
        database, queue, writer, claimer = self._database, self._queue, self._open_writer, self._open_claimer
        housekeeping = self._housekeeping
        self._database = self._queue = self._writer = None
        self._beginner = self._claimer = self._housekeeping = None
        if housekeeping is not None:
            await end([housekeeping])
        await writer.close()
        await claimer.stop()
        if queue is not None:
            await queue.close()
        await database.close()

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery; on return it is committed, and so is its lane's job."""
        result = await self._open_writer.run(STORE, delivery)
        self._stored[result.stored] += 1
        if result.stored is Stored.NEW and delivery.event is not None:
            self._events[result.seq] = delivery.event
            if len(self._events) > _EVENTS_KEPT:
                del self._events[next(iter(self._events))]
        return result.stored

    async def claim(self, seq: int) -> ClaimedDelivery | None:
        """Mark a delivery as running and count the attempt; None when this process does not hold it."""
        claimer, beginner = self._open_claimer, _opened(self._beginner)
        claim = claimer.claims.get(seq)
        if claim is None:
            return None
        claimed = await beginner.run(CLAIM, Attempt(seq, claim.holder))
        claimer.claimed(seq)
        if claimed is None:
            claimer.lost(seq)
        return claimed

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Record which handlers have succeeded so far."""
        await self._settle(seq, "running", handled=handled)

    async def complete(
        self,
        seq: int,
        ordering_key: str,  # noqa: ARG002 - the row knows it
        event_timestamp: float,
        *,
        at_once: bool = True,  # noqa: ARG002 - writes that arrive together share a commit anyway
    ) -> None:
        """Mark a delivery as done."""
        await self._settle(seq, "done", newest=event_timestamp)

    async def postpone(
        self,
        seq: int,
        due_at: float,
        handled: Sequence[str],
        error: str,
        failures: Sequence[HandlerFailure] = (),
    ) -> None:
        """Mark a delivery as retrying, for any process; for this one, if it is due at once."""
        due_in = max(0.0, due_at - time.time())
        await self._settle(seq, "retrying", handled=handled, error=error, due_in=due_in, failures=failures)

    async def dead_letter(self, seq: int, error: str, failures: Sequence[HandlerFailure] = ()) -> None:
        """Mark a delivery as dead."""
        await self._settle(seq, "dead", error=error, failures=failures)

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Release a claimed delivery to any process."""
        await self._settle(seq, "received", handled=handled)

    async def oldest_unannounced(self) -> float | None:
        """Return since when the delivery waits that no process has taken for longest; see `Inbox`."""
        [(since,)] = await self._open_database.rows(OLDEST_DUE)
        return None if since is None else float(since.timestamp())

    async def check(self) -> None:
        """Write something, to see whether that is possible."""
        await self._open_database.rows(_CHECK)

    async def replay(
        self,
        delivery_id: str | None = None,
        *,
        since: datetime | None = None,
        only_dead: bool = False,
        where: Selection | None = None,
        dry_run: bool = False,
    ) -> int:
        """Queue finished deliveries once more, for all of their handlers, as if they were new.

        Works while receivers run, and also when this inbox is not open.

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
        """
        selection = where or Selection()
        if delivery_id is not None:
            selection = structs.replace(selection, delivery_id=storable(delivery_id, None))
        if since is not None:
            selection = structs.replace(selection, since=since)
        if only_dead:
            selection = structs.replace(selection, states=("dead",))
        bound = parameters(selection)
        if dry_run:
            return await asyncio.to_thread(number, self._dsn, REPLAYABLE, bound)
        total = after = 0
        async with self._connected() as database:
            while found := await database.rows(_REPLAYABLE, {**bound, "after": after, "limit": _AT_ONCE}):
                seqs = [seq for seq, _, _, _ in found]
                lanes = [_lane_now(body, before, encoding) for _, before, body, encoding in found]
                [(replayed,)] = await database.rows(_REPLAY, (seqs, lanes))
                total += replayed
                after = seqs[-1]
        return total

    async def purge(self, where: Selection | None = None, *, dry_run: bool = False) -> int:
        """Delete at once what is older than its retention, which otherwise happens every hour.

        Works while receivers run, and also when this inbox is not open.

        Args:
            where: Conditions that hold in addition.
            dry_run: Whether only to count them.

        Returns:
            The number of deliveries.
        """
        keep_done, keep_dead = self._keep
        bound = {**parameters(where or Selection()), "keep_done": keep_done, "keep_dead": keep_dead}
        if dry_run:
            return await asyncio.to_thread(number, self._dsn, PURGEABLE, bound)
        total = after = 0
        async with self._connected() as database:
            purged = _AT_ONCE
            while where is None and purged >= _AT_ONCE:
                [(purged,)] = await database.rows(_PURGE, (keep_done, keep_dead, _AT_ONCE))
                total += purged
            while where is not None and (
                found := await database.rows(_PURGE_SELECTED, {**bound, "after": after, "limit": _AT_ONCE})
            ):
                total += len(found)
                after = max(seq for (seq,) in found)
        return total

    async def stats(self) -> InboxStats:
        """Return figures about the deliveries. Those since the start are of this process."""
        return structs.replace(
            await asyncio.to_thread(stats, self._dsn),
            stored=self._stored[Stored.NEW],
            duplicates=self._stored[Stored.DUPLICATE],
            quarantined=self._stored[Stored.QUARANTINED],
        )

    async def _settle(
        self,
        seq: int,
        state: State,
        *,
        handled: Sequence[str] = (),
        error: str | None = None,
        due_in: float | None = None,
        newest: float | None = None,
        failures: Sequence[HandlerFailure] = (),
    ) -> None:
        claimer, writer = self._open_claimer, self._open_writer
        claim = claimer.claims.get(seq)
        waiting: Sequence[Waiting] | None = None
        is_kept = state == "running" or (due_in is not None and due_in <= _KEPT_SECONDS)
        if claim is not None:
            outcome = Outcome(
                seq=seq,
                lane=claim.lane,
                holder=claim.holder,
                state=state,
                handled=handled,
                error=error,
                due_in=due_in,
                newest=newest,
                failures=failures,
                want_next=not is_kept and (state == "retrying" or claim.needs_next),
            )
            waiting = await writer.run(SETTLE, outcome)
        if waiting is None:
            logger.warning("delivery %d was settled before, or another process has it: not %s", seq, state)
            claimer.lost(seq)
        elif state == "received":
            claimer.give_back(seq)
        elif state == "retrying" and not is_kept:
            claimer.put_off(seq, waiting)
        elif not is_kept:
            claimer.advance(seq, waiting)

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.purge()
            except InboxError as error:
                logger.warning("old deliveries were not purged: %s; the next hour tries again", error)
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
        return _opened(self._database)

    @property
    def _open_writer(self) -> GroupWriter:
        return _opened(self._writer)

    @property
    def _open_claimer(self) -> Claimer:
        return _opened(self._claimer)


def _opened(part: T | None) -> T:
    if part is None:
        raise InboxUnavailableError("the inbox is not open")
    return part


def _retention(days: float) -> timedelta | None:
    """Return how long to keep deliveries; None for ever, as PostgreSQL's calendar ends."""
    return timedelta(days=days) if days < _LONGEST_DAYS else None


def _lane_now(body: bytes, before: str, encoding: str) -> str:
    try:
        return lane(ordering_key(read(body)), encoding)
    except ValueError:
        return before
