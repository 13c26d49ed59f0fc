"""Several processes, on one machine or many, read one range of days (extra: postgres).

Every window is a job of Procrastinate, in the database that the orders go to. Whoever takes one reads it from
where it was left; so what a process leaves behind that dies goes to the others, and no stored page is fetched
again. Give their sessions one `PostgresLedger`, and they share the account's quota, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import date

import anyio

from cyclesoft_async._extras import missing_extra

try:
    from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Job, Status
except ModuleNotFoundError as error:
    raise missing_extra(error, "postgres") from None

from cyclesoft_async._postgres.connection import configure
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes
from cyclesoft_async._postgres.job_queue import ensure_tables
from cyclesoft_async.errors import CycleSoftError, QuotaExhausted, StoreError
from cyclesoft_async.session import CycleSoftSession

from .fetch.plan import Part, split_days, start_days
from .fetch.readers import PASSING, NewRequests, check, in_bulk, pages_of
from .fetch.refetch import refetch_unseen
from .history import to_go_on_with
from .store.runs import StoredRun
from .store.store import Store, StoreWriter

logger = logging.getLogger("cyclesoft_async.bulksync")

_QUEUE = "cyclesoft_sync"
_WINDOW = "cyclesoft_sync.window"
_FINISH = "cyclesoft_sync.finish"

_LOOK_SECONDS = 1.0
_SIGNS_IN_A_LEASE = 5
_ATTEMPTS = 20
_LONGEST_PAUSE_SECONDS = 300


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
    on_progress: Callable[[StoredRun], None] | None = None,
) -> StoredRun:
    """Let workers copy the workshop orders of a range of days into a database, and wait until they have.

    Needs no session. When it is cancelled the workers go on; the same call waits for the same run again. When
    a run is begun over workers leave what is left of the one before, but for the windows that they are at.

    Args:
        store: A PostgreSQL database; the workers have the same one.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        windows: How many parts the range is cut into, at most; each is read by one worker at a time.
        resume: As for `sync_workshop_orders`.
        on_progress: Called in the event loop every second with the run as it is.

    Returns:
        The run, finished; or the one that was begun over meanwhile, when that is finished. When a run of more
        days has finished meanwhile, and so taken its place: the run as it was last, unfinished.

    Raises:
        UsageError: The range is empty, the store is not in PostgreSQL, or there is no run to resume.
        StoreError: The database can't be reached or written; workers go on when it can.
        CycleSoftError: Windows failed for good; the workers' logs say why. The same call tries them again.
    """
    check(date_from, date_until, windows)
    url = store.postgres_url
    async with store.open() as writer, _opened(url) as app:
        run = to_go_on_with(await writer.last_run(date_from, date_until), resume=resume)
        if run is None:
            run = await writer.begin_run(date_from, date_until, split_days(date_from, date_until, windows))
        await _enqueue(app, run)
        while run.finished_at is None:
            await _raise_for_failed(app, run)
            await anyio.sleep(_LOOK_SECONDS)
            newest = await writer.last_run(date_from, date_until)
            if newest is None:
                break
            run = newest
            if on_progress is not None:
                on_progress(run)
    return run


async def work(cs: CycleSoftSession, store: Store, *, concurrency: int = 4, lease: float = 30.0) -> None:
    """Take windows and read them, until cancelled: then a window is given back after the page that it is at.

    While the database is away it waits. When the day's quota is used up a window is put off until the reset.

    Args:
        cs: The session, with a `PostgresLedger` when several workers share the account.
        store: The PostgreSQL database that the orders go to.
        concurrency: How many windows are read at the same time.
        lease: When a worker gave no sign of life for so many seconds, others take what it had.

    Raises:
        UsageError: The store is not in PostgreSQL.
        StoreError: The database cannot be opened at the start, or the job tables are of another version or
            cannot be created.
    """
    url = store.postgres_url
    async with store.open() as writer:
        worker = _Worker(cs, writer)
        while True:
            with suppress(ConnectorException, _UnavailableError):
                async with _opened(url, worker) as app:
                    await _take_jobs(app, worker, concurrency, lease)
            logger.warning("PostgreSQL is away; the worker waits")
            await anyio.sleep(_LOOK_SECONDS)


class _Worker:
    """What the jobs do."""

    def __init__(self, cs: CycleSoftSession, writer: StoreWriter) -> None:
        self._cs = cs
        self._writer = writer
        self._new_requests = NewRequests(cs)
        self._known_as: int | None = None
        self._running: set[int] = set()
        self._absent: dict[int, int] = {}

    def add_to(self, app: App) -> None:
        """Let the app's jobs come here."""

        async def read_window(context: JobContext, run_id: int, number: int) -> None:
            with self._noted(context.job):
                await self._read(run_id, number)
                run = await self._writer.current_run(run_id)
                if run is not None and all(window.done for window in run.windows):
                    await _defer_finish(app, run_id)

        async def finish(context: JobContext, run_id: int) -> None:
            with self._noted(context.job):
                await self._finish(run_id)

        app.task(name=_WINDOW, retry=_Patience(), pass_context=True)(read_window)
        app.task(name=_FINISH, retry=_Patience(), pass_context=True)(finish)

    @contextmanager
    def _noted(self, job: Job) -> Generator[None]:
        number = job.id or 0
        self._known_as = job.worker_id
        self._running.add(number)
        try:
            yield
        finally:
            self._running.discard(number)

    async def orphans(self, app: App) -> list[Job]:
        """Jobs that this worker has in the database, and for a whole lease had not in hand.

        They ended while the database was away: nobody else takes them, as the worker is alive. Sooner they
        may be some whose end is about to be noted.
        """
        if self._known_as is None:
            return []
        held = await app.job_manager.list_jobs_async(
            queue=_QUEUE, status=Status.DOING.value, worker_id=self._known_as
        )
        absent = [job for job in held if job.id is not None and job.id not in self._running]
        self._absent = {number: self._absent.get(number, 0) + 1 for job in absent if (number := job.id)}
        return [job for job in absent if self._absent[job.id or 0] > _SIGNS_IN_A_LEASE]

    async def _read(self, run_id: int, number: int) -> None:
        run = await self._writer.current_run(run_id)
        if run is None or run.windows[number].done:
            return
        part = Part.of(run.windows[number])
        async with aclosing(pages_of(in_bulk(self._cs), part)) as pages:
            async for page in pages:
                orders = part.read(start_days(page), page.cursor)
                kept = part.fetched(run_id, page, orders)
                await self._writer.write([kept], requests=self._new_requests.take())
                if part.done:
                    return

    async def _finish(self, run_id: int) -> None:
        run = await self._writer.current_run(run_id)
        if run is not None and run.finished_at is None:
            await refetch_unseen(self._cs, self._writer, run_id, concurrency=4)
            await self._writer.finish_run(run_id, requests=self._new_requests.take())


class _Patience(BaseRetryStrategy):
    """When a job is tried again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """At the reset, when the quota is used up; soon, and then less soon, after what may pass."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})  # the worker was told to stop: others may go on
        if isinstance(exception, QuotaExhausted):
            return RetryDecision(retry_at=exception.resets_at)
        if isinstance(exception, PASSING) and job.attempts < _ATTEMPTS:
            return RetryDecision(retry_in={"seconds": min(2**job.attempts, _LONGEST_PAUSE_SECONDS)})
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


async def _take_jobs(app: App, worker: _Worker, concurrency: int, lease: float) -> None:
    """Do what there is to do, until the database goes away."""
    taking = app.run_worker_async(
        queues=[_QUEUE],
        concurrency=concurrency,
        shutdown_graceful_timeout=0.0,
        delete_jobs="successful",
        install_signal_handlers=False,
        fetch_job_polling_interval=_LOOK_SECONDS,
        update_heartbeat_interval=lease / _SIGNS_IN_A_LEASE,
        stalled_worker_timeout=lease,
    )
    # Tasks of asyncio: once cancelled they give back what they have; anyio would cancel that, too.
    tasks = [asyncio.create_task(taking), asyncio.create_task(_rescue(app, worker, lease))]
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


async def _enqueue(app: App, run: StoredRun) -> None:
    """A job for each window that is left; of two of a window the second waits, and finds nothing to do."""
    for job in await _failed(app, run.run_id):
        await app.job_manager.retry_job(job)
    left = [window.number for window in run.windows if not window.done]
    for number in left:
        # The lock keeps two workers from one window.
        task = app.configure_task(_WINDOW, queue=_QUEUE, lock=f"{_QUEUE}:{run.run_id}:{number}")
        await task.defer_async(run_id=run.run_id, number=number)
    if not left:
        await _defer_finish(app, run.run_id)


async def _defer_finish(app: App, run_id: int) -> None:
    task = app.configure_task(_FINISH, queue=_QUEUE, lock=f"{_QUEUE}:{run_id}")
    await task.defer_async(run_id=run_id)


async def _failed(app: App, run_id: int) -> list[Job]:
    failed = await app.job_manager.list_jobs_async(queue=_QUEUE, status=Status.FAILED.value)
    return [job for job in failed if job.task_kwargs["run_id"] == run_id]


async def _raise_for_failed(app: App, run: StoredRun) -> None:
    failed = await _failed(app, run.run_id)
    if failed:
        raise CycleSoftError(f"{len(failed)} windows of the sync failed; the workers' logs say why")


async def _rescue(app: App, worker: _Worker, lease: float) -> None:
    """Let jobs wait again that nobody works at; Procrastinate leaves that to its users."""
    while True:
        await asyncio.sleep(lease / _SIGNS_IN_A_LEASE)
        stalled = await app.job_manager.get_stalled_jobs(queue=_QUEUE, seconds_since_heartbeat=lease)
        for job in [*stalled, *await worker.orphans(app)]:
            logger.warning("nobody works at job %s any more; it waits again", job.id)
            await app.job_manager.retry_job(job)
