"""Workers: several processes, on one machine or many, read one range of days (extra: postgres).

Every window is a job of Procrastinate, in the database that the orders go to. A worker claims a job and reads
its days from the beginning of their list to its end. Jobs of a process that dies are requeued. Sessions that
share one `PostgresLedger` share the account's quota, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import date
from typing import Final

import anyio

from cyclesoft_async._arguments import check_type
from cyclesoft_async._extras import missing_extra

try:
    from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
    from procrastinate.jobs import Job, Status
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "postgres") from None

from cyclesoft_async._postgres.connect import configure
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes
from cyclesoft_async._postgres.job_queue import ensure_tables
from cyclesoft_async.errors import CycleSoftError, QuotaExhausted, StoreError
from cyclesoft_async.session import CycleSoftSession

from .account_hash import account_hash
from .date_ranges import Window, equal_windows, halves
from .fetch.plan import WindowReader
from .fetch.readers import (
    TRANSIENT,
    InterruptedListError,
    RequestCounter,
    bulk_session,
    read_window,
    validate_range,
)
from .fetch.refetch import refetch_missing
from .fetch.windowed_list import WORKSHOP_ORDERS
from .report import SyncSuspicious
from .store import runs
from .store.account import check_account, claim_account
from .store.open_store import StoreWriter
from .store.runs import StoredRun
from .store.store import Store
from .sync_orders import finish_run, give_up_run, open_run

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_QUEUE: Final = "cyclesoft_sync"
_WINDOW: Final = "cyclesoft_sync.window"
_FINISH: Final = "cyclesoft_sync.finish"

_POLL_SECONDS: Final = 1.0
_HEARTBEATS_IN_A_LEASE: Final = 5
_ATTEMPTS: Final = 20
_LONGEST_BACKOFF_SECONDS: Final = 300


class _UnavailableError(StoreError):
    """The database cannot be reached now."""


_ERRORS = ErrorTypes(refused=StoreError, unavailable=_UnavailableError)


async def sync_with_workers(
    store: Store,
    *,
    date_from: date,
    date_until: date,
    windows: int = 32,
    resume: bool | None = None,
    accept_missing: bool = False,
    on_progress: Callable[[StoredRun], None] | None = None,
) -> StoredRun:
    """Let workers copy the workshop orders of a range of days into a database, and wait until they have.

    Needs no session. When it is cancelled the workers carry on; the same call waits for the same run again.
    When a run is started over, workers finish the windows of the old one that they read, and drop the others.

    Args:
        store: A PostgreSQL database; the workers have the same one.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        windows: How many jobs there are at first, at most. A worker splits a window of too many pages.
        resume: As for `sync_workshop_orders`.
        accept_missing: As for `sync_workshop_orders`.
        on_progress: Called in the event loop every second with the run as it is.

    Returns:
        The run, finished; or the one that replaced it meanwhile, when that is finished. If a run of more days
        replaced it: the run as it was last, unfinished.

    Raises:
        UsageError: The range is empty, the store is not in PostgreSQL, or there is no run to resume.
        StoreError: The database cannot be reached or written; workers carry on when it can.
        SyncSuspicious: The lists are not complete; nothing was marked as deleted.
        CycleSoftError: Jobs failed for good; the workers' logs say why. The same call tries them again.
    """
    check_type("store", store, Store)
    validate_range(date_from, date_until, windows)
    url = store.postgres_url
    async with store.open() as writer, _opened(url) as app:
        whole = Window(date_from, date_until)
        run, _ = await open_run(writer, whole, resume=resume, accept_missing=accept_missing)
        await _enqueue(app, run, windows)
        while run.finished_at is None:
            await _raise_for_failed(app, run)
            await anyio.sleep(_POLL_SECONDS)
            newest = await writer.run(runs.last_run, date_from, date_until)
            if newest is None:
                break
            run = newest
            if run.suspicion is not None:
                raise SyncSuspicious(run.suspicion)
            if on_progress is not None:
                on_progress(run)
    return run


async def work(cs: CycleSoftSession, store: Store, *, concurrency: int = 4, lease: float = 30.0) -> None:
    """Claim windows and read them until cancelled. Windows that are not read to their end are released then.

    While the database is away it waits. When the day's quota is used up, windows wait until the reset.

    Args:
        cs: The session, with a `PostgresLedger` when several workers share the account.
        store: The PostgreSQL database that the orders go to.
        concurrency: How many windows are read at the same time.
        lease: Seconds without a heartbeat of a worker after which others requeue its jobs.

    Raises:
        UsageError: The store is not in PostgreSQL, or belongs to another account.
        StoreError: The database cannot be opened at the start, or the job tables are of another version or
            cannot be created.
    """
    check_type("store", store, Store)
    url = store.postgres_url
    async with store.open() as writer:
        await writer.run(check_account, account_hash(cs), adopt=store.adopt)
        worker = _Worker(cs, writer, adopt=store.adopt)
        while True:
            with suppress(ConnectorException, _UnavailableError):
                async with _opened(url, worker) as app:
                    await _work_on_jobs(app, worker, concurrency, lease)
            logger.warning("PostgreSQL is away; the worker waits")
            await anyio.sleep(_POLL_SECONDS)


class _Worker:
    """The work of the jobs."""

    def __init__(self, cs: CycleSoftSession, writer: StoreWriter, *, adopt: bool) -> None:
        self._cs = cs
        self._writer = writer
        self._adopt = adopt
        self._new_requests = RequestCounter(cs)
        self._worker_id: int | None = None
        self._is_claimed = False
        self._running: set[int] = set()
        self._absent: dict[int, int] = {}

    def add_to(self, app: App) -> None:
        """Register the jobs' tasks."""

        async def read(context: JobContext, run_id: int, first: str, last: str, attempt: int) -> None:
            window = Window(date.fromisoformat(first), date.fromisoformat(last))
            with self._registered(context.job):
                run = await self._writer.run(runs.current_run, run_id)
                if run is None:
                    return
                for left in window.minus(each.window for each in run.windows):
                    await self._read(app, run_id, left, attempt)
                run = await self._writer.run(runs.current_run, run_id)
                if run is not None and not run.unread:
                    await _defer_finish(app, run_id)

        async def finish(context: JobContext, run_id: int) -> None:
            with self._registered(context.job):
                await self._finish(run_id)

        app.task(name=_WINDOW, retry=_JobRetryStrategy(), pass_context=True)(read)
        app.task(name=_FINISH, retry=_JobRetryStrategy(), pass_context=True)(finish)

    @contextmanager
    def _registered(self, job: Job) -> Generator[None]:
        number = job.id or 0
        self._worker_id = job.worker_id
        self._running.add(number)
        try:
            yield
        finally:
            self._running.discard(number)

    async def orphans(self, app: App) -> list[Job]:
        """Return jobs that are this worker's in the database, and not running for a whole lease.

        They ended while the database was away: others do not requeue them, as the worker is alive. Within a
        lease, the end of a job may still be about to be written.
        """
        if self._worker_id is None:
            return []
        held = await app.job_manager.list_jobs_async(
            queue=_QUEUE, status=Status.DOING.value, worker_id=self._worker_id
        )
        absent = [job for job in held if job.id is not None and job.id not in self._running]
        self._absent = {number: self._absent.get(number, 0) + 1 for job in absent if (number := job.id)}
        return [job for job in absent if self._absent[job.id or 0] > _HEARTBEATS_IN_A_LEASE]

    async def _read(self, app: App, run_id: int, window: Window, attempt: int) -> None:
        """Read a window to its end, or let it be read in two."""
        reader = WindowReader(window)
        try:
            listed = read_window(bulk_session(self._cs), WORKSHOP_ORDERS, window, attempt=attempt)
            async with aclosing(listed) as pages:
                async for each in pages:
                    if not self._is_claimed:
                        await self._writer.run(claim_account, account_hash(self._cs), adopt=self._adopt)
                        self._is_claimed = True
                    requests = self._new_requests.take()
                    await self._writer.run(runs.store_pages, run_id, [each], requests=requests)
                    days = WORKSHOP_ORDERS.days(each.page)
                    reader.add(days, len(days))
                    if not each.is_last and reader.is_far_too_large(days):
                        await _defer_windows(app, run_id, halves(window))
                        return
        except InterruptedListError:
            await _defer_windows(app, run_id, halves(window), attempt + 1)

    async def _finish(self, run_id: int) -> None:
        run = await self._writer.run(runs.current_run, run_id)
        if run is None or run.finished_at is not None or run.suspicion is not None:
            return
        try:
            await refetch_missing(self._cs, self._writer, run, concurrency=4)
        except SyncSuspicious as suspicion:
            await give_up_run(self._writer, run, suspicion, requests=self._new_requests.take())
        else:
            await finish_run(self._writer, run_id, requests=self._new_requests.take())


class _JobRetryStrategy(BaseRetryStrategy):
    """When a job is retried."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Retry at the reset when the quota is used up, and transient errors with exponential backoff."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})  # the worker stops: others may continue
        if isinstance(exception, QuotaExhausted):
            return RetryDecision(retry_at=exception.resets_at)
        if isinstance(exception, TRANSIENT) and job.attempts < _ATTEMPTS:
            return RetryDecision(retry_in={"seconds": min(2**job.attempts, _LONGEST_BACKOFF_SECONDS)})
        return None


@asynccontextmanager
async def _opened(url: str, worker: _Worker | None = None) -> AsyncGenerator[App]:
    dsn = Dsn(url)
    await ensure_tables(dsn, _ERRORS)
    connector = PsycopgConnector(
        conninfo=dsn.conninfo("cyclesoft-worker", search_path="cyclesoft"), configure=configure
    )
    app = App(connector=connector)
    if worker is not None:
        worker.add_to(app)
    await app.open_async()
    try:
        yield app
    finally:
        with anyio.CancelScope(shield=True):
            await app.close_async()


async def _work_on_jobs(app: App, worker: _Worker, concurrency: int, lease: float) -> None:
    """Claim jobs and send heartbeats until the database goes away."""
    taking = app.run_worker_async(
        queues=[_QUEUE],
        concurrency=concurrency,
        shutdown_graceful_timeout=0.0,
        delete_jobs="successful",
        install_signal_handlers=False,
        fetch_job_polling_interval=_POLL_SECONDS,
        update_heartbeat_interval=lease / _HEARTBEATS_IN_A_LEASE,
        stalled_worker_timeout=lease,
    )
    # Tasks of asyncio: cancelled, they release their jobs; anyio would cancel that, too.
    tasks = [asyncio.create_task(taking), asyncio.create_task(_requeue_stalled(app, worker, lease))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("the worker stopped: %s", type(error).__name__)


async def _enqueue(app: App, run: StoredRun, windows: int) -> None:
    """Defer a job for each window that is left and has none."""
    for job in await _jobs(app, run.run_id, Status.FAILED):
        await app.job_manager.retry_job(job)
    waiting = [*await _jobs(app, run.run_id, Status.TODO), *await _jobs(app, run.run_id, Status.DOING)]
    having_jobs = [_window_of(job) for job in waiting if job.task_name == _WINDOW]
    left = [part for unread in run.unread for part in unread.minus(having_jobs)]
    if left:
        await _defer_windows(app, run.run_id, equal_windows(left, windows))
    elif not run.unread:
        await _defer_finish(app, run.run_id)


def _window_of(job: Job) -> Window:
    first, last = (date.fromisoformat(str(job.task_kwargs[name])) for name in ("first", "last"))
    return Window(first, last)


async def _defer_windows(app: App, run_id: int, windows: Iterable[Window], attempt: int = 0) -> None:
    for window in windows:
        days = {"first": window.first.isoformat(), "last": window.last.isoformat()}
        name = f"{_QUEUE}:{run_id}:{days['first']}:{days['last']}:{attempt}"
        # Two callers that enqueue the same run at the same time plan the same windows.
        task = app.configure_task(_WINDOW, queue=_QUEUE, queueing_lock=name)
        with suppress(AlreadyEnqueued):
            await task.defer_async(run_id=run_id, attempt=attempt, **days)


async def _defer_finish(app: App, run_id: int) -> None:
    task = app.configure_task(_FINISH, queue=_QUEUE, lock=f"{_QUEUE}:{run_id}")
    await task.defer_async(run_id=run_id)


async def _jobs(app: App, run_id: int, status: Status) -> list[Job]:
    found = await app.job_manager.list_jobs_async(queue=_QUEUE, status=status.value)
    return [job for job in found if job.task_kwargs["run_id"] == run_id]


async def _raise_for_failed(app: App, run: StoredRun) -> None:
    failed = await _jobs(app, run.run_id, Status.FAILED)
    if failed:
        raise CycleSoftError(f"{len(failed)} jobs of the sync failed; the workers' logs say why")


async def _requeue_stalled(app: App, worker: _Worker, lease: float) -> None:
    """Requeue jobs of workers without a heartbeat; Procrastinate leaves that to its users."""
    while True:
        await asyncio.sleep(lease / _HEARTBEATS_IN_A_LEASE)
        stalled = await app.job_manager.get_stalled_jobs(queue=_QUEUE, seconds_since_heartbeat=lease)
        for job in [*stalled, *await worker.orphans(app)]:
            logger.warning("requeued stalled job %s", job.id)
            await app.job_manager.retry_job(job)
