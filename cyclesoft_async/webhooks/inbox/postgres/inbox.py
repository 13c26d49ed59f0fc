"""An inbox in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final, LiteralString, NamedTuple

import msgspec
from procrastinate import App, PsycopgConnector

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks.envelope import ordering_key, read
from cyclesoft_async.webhooks.events import Event
from cyclesoft_async.webhooks.inbox.base_inbox import AttemptEnd, BaseInbox
from cyclesoft_async.webhooks.inbox.protocol import (
    Announce,
    ClaimedDelivery,
    Completed,
    Delivery,
    QueuedDelivery,
    Stored,
)
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.stats import ReceiverFigures

from .claims import Claimer, end
from .operations import (
    CLAIM,
    SETTLE,
    STORE,
    Arrival,
    Attempt,
    HeldAttempt,
    StoredDelivery,
    Waiting,
    lane,
    storable,
)
from .pool import Database
from .reader import DISMISSIBLE, OLDEST_DUE, REPLAYABLE, PostgresReader, bound, matches
from .writer import GroupWriter

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_AT_ONCE: Final = 500
_HOUSEKEEPING_SECONDS: Final = 3600.0
_LONGEST_DAYS: Final = 100_000.0
# To store, to settle, to report, and to replay or purge.
_CONNECTIONS: Final = 4
# To fetch jobs, to begin and end them, to queue them, to claim, and for heartbeats.
_QUEUE_CONNECTIONS: Final = 6
_EVENTS_KEPT: Final = 1_000

_REPORT: Final = """
    INSERT INTO receivers (id, reported_at, figures) VALUES (%s, now(), %s)
    ON CONFLICT (id) DO UPDATE SET reported_at = now(), figures = excluded.figures RETURNING true
"""
_PURGEABLE: Final = """
    (state = 'done' AND finished_at < now() - %(keep_done)s::interval
    OR state IN ('dead', 'quarantined') AND finished_at < now() - %(keep_dead)s::interval)
"""


class _Parts(NamedTuple):
    """What exists while the inbox is open."""

    database: Database
    queue: Database
    storer: GroupWriter[Arrival, StoredDelivery]
    settler: GroupWriter[HeldAttempt, Waiting]
    beginner: GroupWriter[Attempt, ClaimedDelivery]
    claimer: Claimer
    housekeeping: asyncio.Task[None]


class PostgresInbox(BaseInbox):
    """Stores deliveries in a PostgreSQL database that any number of receivers share (extra: postgres).

    When `put` returns, a delivery is committed, and its entity belongs to this receiver, has a job in
    Procrastinate's queue, or is marked to get one. The receivers claim jobs. One of them at a time handles an
    entity, so that its events are handled in order. When a receiver dies, the others take over what it held.
    While PostgreSQL is unreachable deliveries are answered 503, and handlers wait.

    The tables are created on first use, in the schema `cyclesoft`, if the role may. `cyclesoft migrate`
    creates and upgrades them, too.

    Args:
        url: `postgresql://user@host/name`. libpq's environment variables and password file supply what it
            leaves out. A pooler must not share connections between transactions.
        keep_done_days: Days after which handled deliveries are deleted; `math.inf` keeps them.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted, or `math.inf`.
        keep_ids_days: Days for which a deleted delivery is known again, and an older event of its entity is
            `stale`. So a captured request cannot be replayed meanwhile.
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
        keep_ids_days: float = 730.0,
        lease_seconds: float = 30.0,
    ) -> None:
        try:
            self._dsn = Dsn(url)
        finally:
            del url  # see Dsn
        self._shown = self._dsn.shown
        super().__init__(keep_done_days, keep_dead_days, keep_ids_days)
        if lease_seconds <= 0:
            raise UsageError(f"lease_seconds must be > 0, got {lease_seconds!r}")
        self._keep = {
            "keep_done": _retention(keep_done_days),
            "keep_dead": _retention(keep_dead_days),
            "keep_ids": _retention(keep_ids_days),
        }
        self._lease = lease_seconds
        self._open: _Parts | None = None
        self._events: dict[int, Event] = {}

    @property
    def claims_on_arrival(self) -> bool:
        """False: another process may have the entity."""
        return False

    def reader(self) -> PostgresReader:
        """Return a reader of the inbox; see `BaseInbox.reader`."""
        return PostgresReader(self._dsn)

    def __repr__(self) -> str:
        return f"PostgresInbox({self._shown!r})"

    async def open(self, announce: Announce) -> None:
        """Open; see `Inbox.open`.

        Raises:
            UsageError: The inbox is open already.
            InboxError: The tables are of another version or another role, or the role may not create them.
        """
        if self._open is not None:
            raise UsageError(f"{self!r} is open already")
        database, queue = (
            Database(self._dsn, _CONNECTIONS),
            Database(self._dsn, _QUEUE_CONNECTIONS, is_queue=True),
        )
        try:
            await database.open()
        except InboxUnavailableError as error:
            logger.warning("%s; deliveries are answered 503 until that is over", error)

        def announce_one(seq: int, lane_: str) -> None:
            announce([QueuedDelivery(seq, lane_, 0.0, self._events.pop(seq, None))])

        connector = PsycopgConnector()
        await connector.open_async(queue.pool)
        storer = GroupWriter(database, STORE)
        manager = App(connector=connector).job_manager
        self._open = _Parts(
            database=database,
            queue=queue,
            storer=storer,
            settler=GroupWriter(database, SETTLE),
            beginner=GroupWriter(queue, CLAIM),
            claimer=Claimer(queue, manager, announce_one, storer.writing, self._lease),
            housekeeping=asyncio.create_task(self._keep_house()),
        )

    async def close(self) -> None:
        """Finish what is being written, let others have what is not handled, and disconnect."""
        if self._open is None:
            return
        parts, self._open = self._open, None
        await end([parts.housekeeping])
        for writer in (parts.storer, parts.settler, parts.beginner):
            await writer.close()
        await parts.claimer.stop()
        await parts.queue.close()
        await parts.database.close()

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery; on return it is committed."""
        parts = self._parts
        worker = parts.claimer.worker_for(parts.storer.waiting)

        def stored(result: StoredDelivery | None) -> None:
            if result is None or (result.stored is Stored.DUPLICATE and worker):
                parts.claimer.look_for_lost()  # it was stored before, perhaps, and the answer was lost
            elif result.stored is Stored.NEW and delivery.state == "received":
                self._keep_event(result.seq, delivery.event)
                if result.lane is None or result.holder is None:
                    parts.claimer.lanes_wanted()
                else:
                    parts.claimer.owned(result.seq, result.lane, result.holder)

        try:
            result = await parts.storer.run(Arrival(delivery, worker), stored)
        except InboxError:
            parts.claimer.look_for_lost()
            raise
        if result is None:
            raise InboxError("PostgreSQL did not store the delivery")
        return result.stored

    async def claim(self, seq: int) -> ClaimedDelivery | None:
        """Mark a delivery as running and count the attempt; None when this process does not hold it."""
        claimer = self._parts.claimer
        claim = claimer.claims.get(seq)
        if claim is None:
            return None
        claimed = await self._parts.beginner.run(Attempt(seq, claim.holder))
        claimer.claimed(seq)
        if claimed is None:
            claimer.lost(seq)
        return claimed

    async def complete(self, completed: Sequence[Completed]) -> None:
        """Mark deliveries as done."""
        for one in completed:
            await self._settle(AttemptEnd(seq=one.seq, state="done"), newest=one.event_timestamp)

    def problem(self) -> str | None:
        """Return why this process cannot claim deliveries."""
        return self._parts.claimer.problem

    async def oldest_unannounced(self) -> float | None:
        """Return since when the delivery waits that no process has taken for longest; see `Inbox`."""
        [(since,)] = await self._parts.database.rows(OLDEST_DUE)
        return None if since is None else float(since.timestamp())

    async def check(self, figures: ReceiverFigures | None = None) -> None:
        """Write figures of this process, to see whether that is possible."""
        report = None if figures is None else msgspec.json.encode(figures).decode()
        await self._parts.database.rows(_REPORT, ("" if figures is None else figures.id, report))

    def _keep_event(self, seq: int, event: Event | None) -> None:
        if event is not None:
            self._events[seq] = event
            if len(self._events) > _EVENTS_KEPT:
                del self._events[next(iter(self._events))]

    async def _settle(self, end: AttemptEnd, newest: float | None = None) -> None:
        parts = self._parts
        claim = parts.claimer.claims.get(end.seq)
        due_in = max(0.0, end.due_at - time.time()) if end.state == "retrying" else None
        waiting = None
        if claim is not None:
            waiting = await parts.settler.run(HeldAttempt(claim.lane, claim.holder, end, due_in, newest))
        if waiting is None:
            logger.warning(
                "delivery %d was settled before, or another process has it: not %s", end.seq, end.state
            )
            parts.claimer.lost(end.seq)
        elif end.state == "received":
            parts.claimer.give_back(end.seq)
        elif end.state != "running" and due_in != 0.0:  # what is due at once stays with the dispatcher
            parts.claimer.advance(end.seq, waiting)

    def _replayable(self, selection: Selection) -> int:
        with self.reader() as reader:
            return reader.number(REPLAYABLE, self._storable(selection))

    async def _replay(self, selection: Selection) -> int:
        query: LiteralString = f"""
            SELECT seq, lane, body, getdatabaseencoding() FROM deliveries
            WHERE seq > %(after)s AND {REPLAYABLE} AND {matches(selection)} ORDER BY seq LIMIT %(most)s
        """  # noqa: S608 - of constants
        selection = self._storable(selection)
        total = after = 0
        async with self._connected() as database:
            while found := await database.rows(query, {**bound(selection, after=after), "most": _AT_ONCE}):
                seqs = [seq for seq, _, _, _ in found]
                lanes = [_lane_now(body, before, encoding) for _, before, body, encoding in found]
                [(replayed,)] = await database.rows("SELECT requeue_deliveries(%s, %s)", (seqs, lanes))
                total += replayed
                after = seqs[-1]
        if self._open is not None:
            self._open.claimer.lanes_wanted()
        return total

    async def _dismiss(self, seqs: Sequence[int], note: str) -> int:
        query: LiteralString = f"""
            WITH dismissed AS (
                UPDATE deliveries
                SET state = 'done', error = coalesce(error, '') || %(note)s, finished_at = now()
                WHERE seq = ANY (%(seqs)s) AND {DISMISSIBLE} RETURNING seq
            ) SELECT count(*) FROM dismissed
        """  # noqa: S608 - of constants
        async with self._connected() as database:
            [(dismissed,)] = await database.rows(query, {"seqs": list(seqs), "note": note})
            return int(dismissed)

    def _purgeable(self, selection: Selection) -> int:
        with self.reader() as reader:
            return reader.number(_PURGEABLE, self._storable(selection), **self._keep)

    async def _purge(self, where: Selection | None) -> int:
        query: LiteralString = "SELECT purge_deliveries(%(keep_done)s, %(keep_dead)s, %(keep_ids)s, %(most)s)"
        if where is not None:
            query = f"""
                SELECT forget_deliveries(ARRAY(
                    SELECT seq FROM deliveries WHERE {_PURGEABLE} AND {matches(where)}
                    ORDER BY seq LIMIT %(most)s FOR UPDATE SKIP LOCKED
                ))
            """  # noqa: S608 - of constants
        arguments = {**self._keep, **bound(self._storable(where or Selection())), "most": _AT_ONCE}
        total, purged = 0, _AT_ONCE
        async with self._connected() as database:
            while purged >= _AT_ONCE:
                [(purged,)] = await database.rows(query, arguments)
                total += purged
        return total

    async def _keep_house(self) -> None:
        while True:
            try:
                await self._purge(None)
            except InboxError as error:
                logger.warning("old deliveries were not purged: %s; the next hour tries again", error)
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Database]:
        if self._open is not None:
            yield self._open.database
            return
        database = Database(self._dsn, 1)
        try:
            yield database
        finally:
            await database.close()

    @property
    def _parts(self) -> _Parts:
        if self._open is None:
            raise InboxUnavailableError("the inbox is not open")
        return self._open

    @staticmethod
    def _storable(selection: Selection) -> Selection:
        if selection.delivery_id is None:
            return selection
        return msgspec.structs.replace(selection, delivery_id=storable(selection.delivery_id, None))


def _retention(days: float) -> timedelta | None:
    """Return how long to keep deliveries; None for ever, as PostgreSQL's calendar ends."""
    return timedelta(days=days) if days < _LONGEST_DAYS else None


def _lane_now(body: bytes, before: str, encoding: str) -> str:
    """Return the lane of a stored delivery: this version may know an entity that was unknown on arrival."""
    try:
        return lane(ordering_key(read(body)), partial(storable, encoding=encoding))
    except ValueError:
        return before
