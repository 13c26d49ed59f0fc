"""Claims lanes with work for this process, by jobs of Procrastinate's queue, and sends heartbeats.

Procrastinate's own worker looks for work when a job is inserted, and otherwise every few seconds. A delivery
that arrives while its lane's job is about to end would wait for that. So the loop is ours, and looks when a
job of this process has ended, too. Jobs, locks, workers and notifications are Procrastinate's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Final, cast

from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager
from psycopg import OperationalError, ProgrammingError
from psycopg_pool import PoolTimeout

from cyclesoft_async.errors import InboxError

from .operations import BEGIN, FetchedJob, Waiting
from .pool import Database
from .writer import GroupWriter

logger = logging.getLogger("cyclesoft_async.webhooks")

_QUEUE: Final = "cyclesoft_inbox"
# Processes of version 0002 put a job for each delivery into this queue; it stands for its lane as any other.
_OLD_QUEUE: Final = "cyclesoft_webhooks"
_AHEAD: Final = 32
_LOOK_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 1.0
_HEARTBEATS_IN_A_LEASE: Final = 5
# Procrastinate's own workers, when some share the tables, give up a worker that was silent for 30 seconds.
_HEARTBEAT_SECONDS: Final = 5.0
# A job that waits with a lower priority does not hold up another of its lane.
_ASIDE: Final = -1
_AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)

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


class Claim:
    """A lane that this process holds, by its job.

    Attributes:
        waiting: Deliveries to announce, in their order; the first has been.
    """

    def __init__(self, job: Job, lane: str, holder: int, waiting: Sequence[Waiting]) -> None:
        self.job = job
        self.lane = lane
        self.holder = holder
        self.waiting = deque(waiting)

    @property
    def needs_next(self) -> bool:
        """Whether nothing in hand follows the first delivery at once."""
        return len(self.waiting) == 1 or self.waiting[1].due_at is not None


class Claimer:
    """Claims lanes for as long as it runs: a few more than the dispatcher began to handle.

    Args:
        queue: The database, for jobs and claims.
        manager: Of the jobs.
        writer: Begins jobs.
        announce: Called with the `seq` and lane of what to handle.
        lease: Seconds without a heartbeat after which other processes take over what this one holds.

    Attributes:
        claims: What was announced and not settled, by its `seq`.
    """

    def __init__(
        self,
        queue: Database,
        manager: JobManager,
        writer: GroupWriter,
        announce: Callable[[int, str], None],
        lease: float,
    ) -> None:
        self._queue = queue
        self._manager = manager
        self._writer = writer
        self._announce = announce
        self._lease = lease
        self._worker: int | None = None
        self._registered = asyncio.Event()
        self._cut_off = False
        self._is_refused = False
        self._sure_until = 0.0
        self._in_hand: set[int] = set()
        self._unclaimed: set[int] = set()
        self._beginning: set[asyncio.Task[None]] = set()
        # Set while few are unclaimed.
        self._room = asyncio.Event()
        self._room.set()
        # Set when there may be a job to fetch that the last look did not find.
        self._look = asyncio.Event()
        self._ended: asyncio.Queue[tuple[Job, datetime | None, int]] = asyncio.Queue()
        self._loops = [
            asyncio.create_task(loop)
            for loop in (self._stay_alive(), self._fetch_jobs(), self._end_jobs(), self._listen())
        ]
        self.claims: dict[int, Claim] = {}

    async def stop(self) -> None:
        """Fetch nothing more, and let other processes have what is not finished."""
        await end(self._loops)
        if self._beginning:
            await asyncio.wait(self._beginning)
        for claim in self.claims.values():
            self._end(claim, _AT_ONCE)
        while not self._ended.empty():
            if not await self._end_job(*self._ended.get_nowait()):
                return  # PostgreSQL is away: the others notice after the lease
        if self._worker is not None:
            with suppress(ConnectorException, PoolTimeout):  # then others notice after the lease
                await self._manager.unregister_worker(self._worker)

    def claimed(self, seq: int) -> None:
        """Make room for another lane: the dispatcher has begun with this delivery."""
        self._unclaimed.discard(seq)
        self._make_room()

    def lost(self, seq: int) -> None:
        """Forget a lane that another process holds by now."""
        claim = self._forget(seq)
        if claim is not None:
            self._in_hand.discard(claim.job.id or 0)

    def advance(self, seq: int, waiting: Sequence[Waiting]) -> None:
        """Announce what is next in the lane of a delivery that is settled, or end the lane's job.

        Args:
            seq: The delivery.
            waiting: What waits in its lane, if this process had no more in hand.
        """
        claim = self._forget(seq)
        if claim is not None:
            if claim.needs_next:
                claim.waiting = deque(waiting)
            else:
                claim.waiting.popleft()
            self._continue(claim)

    def put_off(self, seq: int, waiting: Sequence[Waiting]) -> None:
        """End the job of a lane until its first delivery is due.

        Args:
            seq: The delivery that is to be retried.
            waiting: What waits in its lane, this delivery included.
        """
        claim = self._forget(seq)
        if claim is not None:
            self._continue(Claim(claim.job, claim.lane, claim.holder, waiting))

    def give_back(self, seq: int) -> None:
        """End the job of a lane whose delivery was released, so that any process may handle it."""
        claim = self._forget(seq)
        if claim is not None:
            self._end(claim, _AT_ONCE)

    def _forget(self, seq: int) -> Claim | None:
        self.claimed(seq)
        return self.claims.pop(seq, None)

    def _continue(self, claim: Claim) -> None:
        if not claim.waiting:
            self._end(claim, None)
        elif claim.waiting[0].due_at is not None:
            self._end(claim, claim.waiting[0].due_at, is_aside=claim.waiting[0].is_aside)
        else:
            seq = claim.waiting[0].seq
            self.claims[seq] = claim
            self._unclaimed.add(seq)
            self._announce(seq, claim.lane)

    def _end(self, claim: Claim, again_at: datetime | None, *, is_aside: bool = False) -> None:
        self._ended.put_nowait((claim.job, again_at, _ASIDE if is_aside else 0))

    def _make_room(self) -> None:
        if len(self._unclaimed) + len(self._beginning) < _AHEAD:
            self._room.set()
        else:
            self._room.clear()

    async def _fetch_jobs(self) -> None:
        await self._registered.wait()
        while True:
            await self._room.wait()
            self._look.clear()
            try:
                if monotonic() >= self._sure_until:
                    await self._find_lost_jobs()
                job = await self._manager.fetch_job([_QUEUE, _OLD_QUEUE], self._worker or 0)
            except UniqueViolation:  # another process has fetched a job with the same lock at this moment
                continue
            except (ConnectorException, PoolTimeout) as error:
                self._report_refusal(error.__cause__)
                self._sure_until = 0.0
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._is_refused = False
            if job is not None:
                self._begin_soon(job)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()

    def _report_refusal(self, cause: BaseException | None) -> None:
        """Say once that this role may not fetch jobs: deliveries are stored, but no process handles them."""
        if isinstance(cause, ProgrammingError) and not self._is_refused:
            self._is_refused = True
            logger.error("PostgreSQL: %s; handlers wait until that is over", cause.diag.message_primary)

    async def _find_lost_jobs(self) -> None:
        """Begin jobs that the server has given to this worker without its knowledge.

        The connection broke before the answer came, or before a job's end was recorded. Repeated after a
        while, as such a commit may have waited for a standby.
        """
        for queue in (_QUEUE, _OLD_QUEUE):
            jobs = await self._manager.list_jobs_async(
                queue=queue, status=Status.DOING.value, worker_id=self._worker
            )
            for job in jobs:
                if job.id not in self._in_hand:
                    self._begin_soon(job)
        self._sure_until = monotonic() + self._lease

    def _begin_soon(self, job: Job) -> None:
        task = asyncio.create_task(self._begin(job, job.id or 0, job.lock or ""))
        self._in_hand.add(job.id or 0)
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        self._make_room()

    async def _begin(self, job: Job, number: int, lane: str) -> None:
        try:
            begun = await self._writer.run(BEGIN, FetchedJob(self._worker or 0, number, lane))
        except InboxError:
            self._in_hand.discard(number)
            self._sure_until = 0.0
            return
        finally:
            self._beginning.discard(cast(asyncio.Task[None], asyncio.current_task()))
            self._make_room()
        if begun.holder is None:
            self._in_hand.discard(number)
        else:
            self._continue(Claim(job, lane, begun.holder, begun.waiting))

    async def _end_jobs(self) -> None:
        while True:
            await self._end_job(*await self._ended.get())
            self._look.set()

    async def _end_job(self, job: Job, again_at: datetime | None, priority: int) -> bool:
        try:
            if again_at is None:
                await self._manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
            else:
                await self._manager.retry_job(job, again_at, priority)
                wait = (again_at - datetime.now(UTC)).total_seconds()
                if 0.0 < wait < _LOOK_SECONDS:
                    asyncio.get_running_loop().call_later(wait, self._look.set)
        except ConnectorException as error:
            self._sure_until = 0.0  # found as a lost one, unless another process has it
            return not isinstance(error.__cause__, OperationalError)
        finally:
            self._in_hand.discard(job.id or 0)
        return True

    async def _stay_alive(self) -> None:
        patient_until = monotonic() + self._lease
        while True:
            alive = await self._is_alive()
            if not alive:
                # After an outage the heartbeats of all are old. They get the time to send one again.
                patient_until = monotonic() + self._lease
            elif monotonic() > patient_until:
                with suppress(InboxError, ConnectorException, PoolTimeout):
                    await self._requeue_stalled()
            often = min(self._lease / _HEARTBEATS_IN_A_LEASE, _HEARTBEAT_SECONDS)
            await asyncio.sleep(often if alive else _PAUSE_SECONDS)

    async def _is_alive(self) -> bool:
        try:
            await self._queue.open()
            if self._worker is None or await self._queue.rows(_IS_WORKER, (self._worker,)) != [(True,)]:
                self._worker = await self._manager.register_worker()
                self._sure_until = 0.0
            else:
                await self._manager.update_heartbeat(self._worker)
        except (InboxError, PoolTimeout, ConnectorException) as error:
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
                for queue in (_QUEUE, _OLD_QUEUE)
                for job in await self._manager.get_stalled_jobs(
                    queue=queue, seconds_since_heartbeat=self._lease
                )
            ]
            for job in stalled:
                await self._manager.retry_job(job, _AT_ONCE)
        if stalled:
            logger.warning("requeued the jobs of %d lanes whose process sends no heartbeats", len(stalled))
            self._look.set()

    async def _listen(self) -> None:
        await self._registered.wait()
        while True:
            with suppress(ConnectorException):
                await self._manager.listen_for_jobs(
                    on_notification=self._notified, queues=[_QUEUE, _OLD_QUEUE]
                )
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _notified(self, *, channel: str, notification: Notification) -> None:  # noqa: ARG002 - as it calls
        self._look.set()
