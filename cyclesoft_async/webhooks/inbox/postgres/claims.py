"""Claims lanes with work for this process, as owner or by jobs of Procrastinate's queue; sends heartbeats.

Jobs, locks, workers and notifications are Procrastinate's, by its `JobManager`; the loops are ours. A
delivery may arrive while its lane's job is about to end: Procrastinate's worker would look for the next job
only seconds later. And when a connection breaks, it gives up what runs, and with it the lanes, for a lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Final, NamedTuple

from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager
from psycopg import AsyncConnection, ProgrammingError
from psycopg.rows import TupleRow
from psycopg_pool import PoolTimeout

from cyclesoft_async.errors import InboxError

from .operations import Waiting
from .pool import Database

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_QUEUE: Final = "cyclesoft_inbox"
# Processes of version 0002 put a job for each delivery into the second; it stands for its lane as any other.
_QUEUES: Final = [_QUEUE, "cyclesoft_webhooks"]
_TASK: Final = "cyclesoft_async.webhooks.handle_lane"
_AHEAD: Final = 32
_FETCHERS: Final = 2
_JOBS_AT_ONCE: Final = 200
_LOOK_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 1.0
_HEARTBEATS_IN_A_LEASE: Final = 5
# Procrastinate's own workers, when some share the tables, give up a worker that was silent for 30 seconds.
_HEARTBEAT_SECONDS: Final = 5.0
# A job that waits with a lower priority does not hold up another of its lane.
_ASIDE: Final = -1
_AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNAVAILABLE: Final = (InboxError, ConnectorException, PoolTimeout)

_WANTED: Final = "SELECT lane FROM take_wanted_lanes(%s)"
_BEGIN: Final = "SELECT holder, seq, due_at, is_aside FROM begin_job(%s, %s, %s)"
_DISOWN: Final = "SELECT disown_lanes(%s::bigint, %s::text[], %s::float8)"
_IS_WORKER: Final = "SELECT EXISTS (SELECT FROM procrastinate_workers WHERE id = %s)"
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('cyclesoft_async.webhooks.requeue'))"


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for their end."""
    pending = set(tasks)
    while pending:
        # Repeatedly: psycopg loses a cancellation when the connection breaks at that moment.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_PAUSE_SECONDS)


async def queue_jobs(connection: AsyncConnection[TupleRow], manager: JobManager) -> bool:
    """Queue a job for each wanted lane, in one transaction. Return whether there was one."""
    async with connection.transaction():
        wanted = await (await connection.execute(_WANTED, (_JOBS_AT_ONCE,))).fetchall()
        jobs = [
            Job(id=None, queue=_QUEUE, lock=lane, queueing_lock=None, task_name=_TASK) for (lane,) in wanted
        ]
        if jobs:
            await manager.batch_defer_jobs_async(jobs, connection=connection)
    return bool(jobs)


class Claim(NamedTuple):
    """A lane that this process holds."""

    job: Job | None
    """None: it stored a delivery and owns the lane."""
    lane: str
    holder: int
    """Shows that a write comes from this process and job."""


class Claimer:
    """Claims lanes for as long as it runs: a few more than the dispatcher began to handle.

    Args:
        queue: The database, for jobs and claims.
        manager: Of the jobs.
        announce: Called with the `seq` and lane of what to handle.
        storing: Held while deliveries are stored, until `owned` was called for them.
        lease: Seconds without a heartbeat after which other processes take over what this one holds.

    Attributes:
        claims: What was announced and not settled, by its `seq`.
    """

    def __init__(
        self,
        queue: Database,
        manager: JobManager,
        announce: Callable[[int, str], None],
        storing: asyncio.Lock,
        lease: float,
    ) -> None:
        self._queue = queue
        self._manager = manager
        self._announce = announce
        self._storing = storing
        self._lease = lease
        self._worker = 0
        self._registered = asyncio.Event()
        self._cut_off = False
        # Whether no job has waited since this process had no room for one.
        self._caught_up = False
        self._sure_until = 0.0
        self._refusals: dict[str, str] = {}
        self._in_hand: set[int] = set()
        self._unclaimed: set[int] = set()
        self._fetching = asyncio.Lock()
        # Set while few are unclaimed.
        self._room = asyncio.Event()
        self._room.set()
        # Set when there may be a job to fetch that the last look did not find.
        self._look = asyncio.Event()
        # Set when lanes may be wanted.
        self._wanted = asyncio.Event()
        self._ended: asyncio.Queue[tuple[Job, datetime | None, int]] = asyncio.Queue()
        loops = [self._stay_alive, self._listen, self._queue_jobs, self._end_jobs]
        loops += [self._fetch_jobs] * _FETCHERS
        self._loops = [asyncio.create_task(loop()) for loop in loops]
        self.claims: dict[int, Claim] = {}

    @property
    def problem(self) -> str | None:
        """Why this process may not use the queue."""
        return next(iter(self._refusals.values()), None)

    async def stop(self) -> None:
        """Fetch nothing more, and let other processes have what is not finished."""
        await end(self._loops)
        if self._worker:
            with suppress(*_UNAVAILABLE):  # then the others notice after the lease
                while not self._ended.empty():
                    await self._end_job(*self._ended.get_nowait())
                for job in await self._held_jobs():
                    await self._manager.retry_job(job, _AT_ONCE)
                await self._queue.rows(_DISOWN, (self._worker, [], None))
                await self._manager.unregister_worker(self._worker)

    def worker_for(self, arriving: int) -> int | None:
        """Return who may own the lane of a delivery that is about to be stored, behind others that arrive.

        None when lanes that wait for longer come first, in this process or in the queue.
        """
        has_room = len(self._unclaimed) + arriving < _AHEAD
        return self._worker if self._worker and has_room and self._caught_up and not self._cut_off else None

    def owned(self, seq: int, lane: str, holder: int) -> None:
        """Announce a delivery that was stored in a lane that this process owns by now."""
        self._continue(Claim(None, lane, holder), Waiting(seq))

    def look_for_lost(self) -> None:
        """Look for lanes that this process may own without its knowledge."""
        self._sure_until = 0.0
        self._look.set()

    def lanes_wanted(self) -> None:
        """Queue jobs for lanes that were marked just now."""
        self._wanted.set()

    def claimed(self, seq: int) -> None:
        """Make room for another lane: the dispatcher has begun with this delivery."""
        self._unclaimed.discard(seq)
        if len(self._unclaimed) < _AHEAD:
            self._room.set()

    def lost(self, seq: int) -> None:
        """Forget a lane that another process holds by now."""
        claim = self._forget(seq)
        if claim is not None and claim.job is not None:
            self._in_hand.discard(claim.job.id or 0)

    def advance(self, seq: int, waiting: Waiting) -> None:
        """Announce what is next in the lane of a delivery, or end the lane's job until that is due."""
        claim = self._forget(seq)
        if claim is not None:
            self._continue(claim, waiting)

    def give_back(self, seq: int) -> None:
        """End the job of a lane whose delivery was released, so that any process may handle it.

        An owner stops next, and then leaves its lanes to the others.
        """
        claim = self._forget(seq)
        if claim is not None and claim.job is not None:
            self._ended.put_nowait((claim.job, _AT_ONCE, 0))

    def _forget(self, seq: int) -> Claim | None:
        self.claimed(seq)
        return self.claims.pop(seq, None)

    def _continue(self, claim: Claim, waiting: Waiting) -> None:
        if waiting.seq is None or waiting.due_at is not None:
            if claim.job is not None:
                self._ended.put_nowait((claim.job, waiting.due_at, _ASIDE if waiting.is_aside else 0))
            elif waiting.seq is not None:
                self._wanted.set()
            return
        self.claims[waiting.seq] = claim
        self._unclaimed.add(waiting.seq)
        if len(self._unclaimed) >= _AHEAD:
            self._room.clear()
            self._caught_up = False
        self._announce(waiting.seq, claim.lane)

    async def _queue_jobs(self) -> None:
        """Queue jobs for wanted lanes: of this process at once, of one that died since within seconds."""
        await self._registered.wait()
        while True:
            self._wanted.clear()
            try:
                more = True
                while more:
                    async with self._queue.connection() as connection:
                        more = await queue_jobs(connection, self._manager)
                    if more:
                        self._look.set()
            except _UNAVAILABLE as error:
                self._failed("queue", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._refusals.pop("queue", None)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wanted.wait()

    async def _fetch_jobs(self) -> None:
        await self._registered.wait()
        while True:
            await self._room.wait()
            self._look.clear()
            try:
                fetched = await self._fetch_job()
            except UniqueViolation:  # another process has fetched a job with the same lock at this moment
                continue
            except _UNAVAILABLE as error:
                self._failed("fetch", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._refusals.pop("fetch", None)
            if fetched:
                continue
            self._caught_up = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()

    async def _fetch_job(self) -> bool:
        """Fetch a job and begin it, while another fetcher fetches the next. Return whether there was one."""
        async with self._fetching:
            found = await self._lost_jobs() if monotonic() >= self._sure_until else []
            job = await self._manager.fetch_job(_QUEUES, self._worker)
            if job is not None:
                found.append(job)
            self._in_hand.update(job.id or 0 for job in found)
        for job in found:
            await self._begin(job, job.lock or "")
        return bool(found)

    async def _begin(self, job: Job, lane: str) -> None:
        try:
            begun = await self._queue.rows(_BEGIN, (self._worker, job.id, lane))
        except BaseException:
            self._in_hand.discard(job.id or 0)
            self._sure_until = 0.0
            raise
        if not begun:
            self._in_hand.discard(job.id or 0)
        for holder, *waiting in begun:
            self._continue(Claim(job, lane, holder), Waiting(*waiting))

    def _failed(self, step: str, error: Exception) -> None:
        """Look for lost jobs next. Say once that this role may not use the queue."""
        self._sure_until = 0.0
        cause = error.__cause__
        if isinstance(cause, ProgrammingError) and step not in self._refusals:
            self._refusals[step] = f"PostgreSQL: {cause.diag.message_primary}"
            logger.error("%s; handlers wait until that is over", self._refusals[step])

    async def _lost_jobs(self) -> list[Job]:
        """Return jobs that the server has given to this worker without its knowledge.

        The connection broke before the answer came, or before a job's end was recorded. Repeated after a
        while, as such a commit may have waited for a standby.
        """
        lost = [job for job in await self._held_jobs() if job.id not in self._in_hand]
        async with self._storing:
            known = [claim.lane for claim in self.claims.values()]
            [(disowned,)] = await self._queue.rows(_DISOWN, (self._worker, known, None))
        if disowned:
            self._wanted.set()
        self._sure_until = monotonic() + self._lease
        return lost

    async def _held_jobs(self) -> list[Job]:
        return [
            job
            for queue in _QUEUES
            for job in await self._manager.list_jobs_async(
                queue=queue, status=Status.DOING.value, worker_id=self._worker
            )
        ]

    async def _end_jobs(self) -> None:
        while True:
            job, again_at, priority = await self._ended.get()
            try:
                await self._end_job(job, again_at, priority)
            except ConnectorException:
                self._sure_until = 0.0  # found as a lost one, unless another process has it
            self._in_hand.discard(job.id or 0)
            self._look.set()

    async def _end_job(self, job: Job, again_at: datetime | None, priority: int) -> None:
        if again_at is None:
            await self._manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
            return
        await self._manager.retry_job(job, again_at, priority)
        wait = (again_at - datetime.now(UTC)).total_seconds()
        if 0.0 < wait < _LOOK_SECONDS:
            asyncio.get_running_loop().call_later(wait, self._look.set)

    async def _stay_alive(self) -> None:
        patient_until = monotonic() + self._lease
        while True:
            alive = await self._is_alive()
            if not alive:
                # After an outage the heartbeats of all are old. They get the time to send one again.
                patient_until = monotonic() + self._lease
            elif monotonic() > patient_until:
                with suppress(*_UNAVAILABLE):
                    await self._requeue_stalled()
            often = min(self._lease / _HEARTBEATS_IN_A_LEASE, _HEARTBEAT_SECONDS)
            await asyncio.sleep(often if alive else _PAUSE_SECONDS)

    async def _is_alive(self) -> bool:
        try:
            await self._queue.open()
            if not self._worker or await self._queue.rows(_IS_WORKER, (self._worker,)) != [(True,)]:
                self._worker = await self._manager.register_worker()
                self._sure_until = 0.0
            else:
                await self._manager.update_heartbeat(self._worker)
        except _UNAVAILABLE as error:
            if not self._cut_off:
                reason = error if isinstance(error, InboxError) else type(error).__name__
                logger.warning("%s; deliveries are answered 503 and handlers wait until that is over", reason)
            self._cut_off = True
            return False
        if self._cut_off:
            logger.warning("PostgreSQL is back")
        self._cut_off = False
        self._registered.set()
        return True

    async def _requeue_stalled(self) -> None:
        """Let jobs wait again whose worker has stopped sending heartbeats."""
        async with self._queue.connection() as connection, connection.transaction():
            # One process at a time: another one's list must not name a job that was fetched since.
            if await (await connection.execute(_LOCK)).fetchone() != (True,):
                return
            stalled = [
                job
                for queue in _QUEUES
                for job in await self._manager.get_stalled_jobs(
                    queue=queue, seconds_since_heartbeat=self._lease
                )
            ]
            for job in stalled:
                await self._manager.retry_job(job, _AT_ONCE)
            cursor = await connection.execute(_DISOWN, (None, [], self._lease))
            [(disowned,)] = await cursor.fetchall()
        if stalled or disowned:
            lanes = len(stalled) + disowned
            logger.warning("requeued the jobs of %d lanes whose process sends no heartbeats", lanes)
            self._wanted.set()
            self._look.set()

    async def _listen(self) -> None:
        await self._registered.wait()
        while True:
            with suppress(ConnectorException):
                await self._manager.listen_for_jobs(on_notification=self._notified, queues=_QUEUES)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _notified(self, *, channel: str, notification: Notification) -> None:  # noqa: ARG002 - as it calls
        self._look.set()
