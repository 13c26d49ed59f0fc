"""Takes jobs from Procrastinate's queue for this process, and gives signs of life.

Procrastinate's own worker looks for work when a job arrives, and otherwise every few seconds: so long would a
delivery wait that only waits for the one before it. So the loop is ours, and looks when a delivery of this
process has ended too; jobs, locks, workers and notifications are Procrastinate's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Notification
from procrastinate.manager import JobManager
from psycopg.rows import TupleRow

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox.protocol import Announce, QueuedDelivery

from .pool import Database

logger = logging.getLogger("cyclesoft_async.webhooks")

_QUEUE: Final = "cyclesoft_webhooks"
_AHEAD: Final = 8
_LOOK_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 1.0
_SIGNS_IN_A_LEASE: Final = 5
# Procrastinate's own workers, when some share the tables, give up whoever was silent for 30 seconds.
_SIGN_SECONDS: Final = 5.0

_TAKE: Final = "SELECT job, seq, lane FROM take(%s, %s)"
_TAKEN_BEFORE: Final = """
    SELECT id, (args ->> 'seq')::bigint, lock FROM procrastinate_jobs
    WHERE worker_id = %s AND status = 'doing' AND queue_name = %s AND id <> ALL(%s)
"""


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for their end."""
    pending = set(tasks)
    while pending:
        # Again and again: psycopg forgets about it when the connection breaks in that moment.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_PAUSE_SECONDS)


class Held(NamedTuple):
    """A job that this process took."""

    worker: int
    job: int


class Taker:
    """Takes deliveries for as long as it runs: a few more than were claimed, the rest is left to others.

    Args:
        database: Where they are.
        announce: Called with what was taken.
        lease: After so many seconds without a sign of life, others take what this process has.

    Attributes:
        held: What this process has, by its `seq`.
    """

    def __init__(self, database: Database, announce: Announce, lease: float) -> None:
        self._database = database
        self._announce = announce
        self._lease = lease
        self._worker: int | None = None
        self._registered = asyncio.Event()
        self._cut_off = False
        self._sure_until = 0.0
        self._unclaimed: set[int] = set()
        # Set while fewer than `_AHEAD` are unclaimed.
        self._room = asyncio.Event()
        self._room.set()
        # Set when there may be something to take that was not there at the last look.
        self._look = asyncio.Event()
        self._loops = [
            asyncio.create_task(loop) for loop in (self._stay_alive(), self._take_on(), self._listen())
        ]
        self.held: dict[int, Held] = {}

    async def stop(self) -> None:
        """Take nothing more, and let others have what is not finished."""
        await end(self._loops)
        if self._worker is not None:
            with suppress(InboxError):  # then others notice by themselves, after the lease
                await self._database.rows("SELECT give_back(%s)", self._worker)

    def claimed(self, seq: int) -> None:
        """There is room for another delivery."""
        self._unclaimed.discard(seq)
        if len(self._unclaimed) < _AHEAD:
            self._room.set()

    def ended(self, seq: int) -> None:
        """This process does not have the delivery any more; the next of its lane may run."""
        self.held.pop(seq, None)
        self._look.set()

    async def _take_on(self) -> None:
        await self._registered.wait()
        while True:
            await self._room.wait()
            self._look.clear()
            try:
                is_all = await self._take_some()
            except InboxError:
                self._sure_until = 0.0
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if is_all:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._look.wait()

    async def _take_some(self) -> bool:
        """Take as many as there is room for; whether these were all."""
        if monotonic() >= self._sure_until:
            # What the server gave to us while the connection broke we never heard of, and nobody else takes
            # it as long as we live. Asked more than once, as its commit may have waited for a standby.
            known = [held.job for held in self.held.values()]
            self._hand_over(await self._database.rows(_TAKEN_BEFORE, self._worker, _QUEUE, known))
            self._sure_until = monotonic() + self._lease
        room = max(0, _AHEAD - len(self._unclaimed))
        taken = await self._database.rows(_TAKE, self._worker, room)
        self._hand_over(taken)
        return len(taken) < room

    def _hand_over(self, taken: Sequence[TupleRow]) -> None:
        if self._worker is not None and taken:
            for job, seq, _ in taken:
                self.held[seq] = Held(self._worker, job)
                self._unclaimed.add(seq)
            if len(self._unclaimed) >= _AHEAD:
                self._room.clear()
            self._announce([QueuedDelivery(seq, lane, 0.0) for _, seq, lane in taken])

    async def _stay_alive(self) -> None:
        patient_until = monotonic() + self._lease
        while True:
            alive = await self._is_alive()
            if not alive:
                # After an outage the signs of all are old: they get the time to give one again.
                patient_until = monotonic() + self._lease
            elif monotonic() > patient_until:
                with suppress(InboxError):
                    await self._rescue()
            often = min(self._lease / _SIGNS_IN_A_LEASE, _SIGN_SECONDS)
            await asyncio.sleep(often if alive else _PAUSE_SECONDS)

    async def _is_alive(self) -> bool:
        try:
            [(self._worker,)] = await self._database.rows("SELECT beat(%s)", self._worker)
        except InboxError as error:
            if not self._cut_off:
                logger.warning("%s; deliveries are answered 503 and handlers wait until that is over", error)
            self._cut_off = True
            return False
        if self._cut_off:
            logger.warning("PostgreSQL is back")
        self._cut_off = False
        self._registered.set()
        return True

    async def _rescue(self) -> None:
        [(rescued,)] = await self._database.rows("SELECT rescue(%s)", self._lease)
        if rescued:
            logger.warning("%d deliveries of a process that gives no sign of life wait again", rescued)
            self._look.set()

    async def _listen(self) -> None:
        connector = PsycopgConnector()
        await connector.open_async(self._database.pool)
        while True:
            with suppress(ConnectorException):
                await JobManager(connector).listen_for_jobs(on_notification=self._told, queues=[_QUEUE])
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _told(self, *, channel: str, notification: Notification) -> None:  # noqa: ARG002 - as it calls
        self._look.set()
