"""Sync: the orders of a range of days into a store, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Final

from msgspec.structs import replace

from cyclesoft_async._arguments import check_type
from cyclesoft_async.errors import QuotaExhausted, StoreError, UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.session import CycleSoftSession

from .account_hash import account_hash
from .date_ranges import Window
from .fetch.plan import Plan
from .fetch.readers import RequestCounter, read_first_page, read_windows, validate_range
from .fetch.refetch import refetch_missing
from .fetch.windowed_list import WORKSHOP_ORDERS
from .pages import FetchedPage
from .report import SyncProgress, SyncReport, SyncStopped, SyncSuspicious
from .store import runs
from .store.account import check_account, claim_account
from .store.migrations import build_indexes
from .store.open_store import StoreWriter
from .store.runs import StoredRun
from .store.store import Store

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_RESUMABLE: Final = timedelta(days=1)


async def sync_workshop_orders(
    cs: CycleSoftSession,
    store: Store,
    *,
    date_from: date,
    date_until: date,
    concurrency: int = 8,
    resume: bool | None = None,
    accept_missing: bool = False,
    on_progress: Callable[[SyncProgress], None] | None = None,
) -> SyncReport:
    """Copy the workshop orders of a range of days into a database.

    Runs in the session's "bulk" lane: interactive calls on the same session go first, and keep a part of the
    day's quota. The days are read in windows of a few pages. A stopped sync resumes with the days that were
    not read to their end: at most one window of each reader is fetched twice. Unchanged orders are not
    written.

    Orders that the store has in these days, and that the lists do not have any more, are requested one by
    one: they were moved to other days, or deleted (`is_active` becomes false when the server does not have
    them). Those of anonymous customers cannot be requested, and stay as they are. What lists cannot show: an
    order that is created in, or moved to, days which were read already, while others are still being read.
    The next run, or a webhook, brings it. Orders without a scheduled start are in no range of days.

    Args:
        cs: The session; its quota is shared with all of its other calls.
        store: The database.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many windows are read at the same time.
        resume: Whether to resume the last run of the same range, if it has not finished. None: if it stored
            something within a day; True: however old it is, and only then; False: start over.
        accept_missing: Believe the lists even if known orders are missing from them that the server has.
        on_progress: Called in the event loop after every stored page.

    Raises:
        UsageError: The range of days is empty, concurrency is less than one, there is no run to resume, or
            the store belongs to another account.
        SyncStopped: The day's quota is used up; it says when to call again. Also a `QuotaExhausted`.
        SyncSuspicious: The lists are not complete; nothing was marked as deleted.
        RequestError: A call went wrong for good; pages stored until then stay.
        StoreError: The database cannot be opened or written; pages stored until then stay.
    """
    check_type("store", store, Store)
    validate_range(date_from, date_until, concurrency)
    whole = Window(date_from, date_until)
    async with store.open() as writer:
        await writer.run(check_account, account_hash(cs), adopt=store.adopt)
        run, resumed = await open_run(writer, whole, resume=resume, accept_missing=accept_missing)
        known, page_size = await writer.run(runs.known_days, whole), await writer.run(runs.page_size)
        plan = Plan(run.unread, known, page_size=page_size, readers=concurrency)
        sync = _Sync(cs, writer, run, plan, on_progress, resumed=resumed, adopt=store.adopt)
        await sync.read(concurrency)
        await sync.refetch(concurrency)
        return await sync.finish()


def resumable_run(last: StoredRun | None, *, resume: bool | None) -> StoredRun | None:
    """Return the run to resume, if there is one; `resume` is as in `sync_workshop_orders`.

    Raises:
        UsageError: There is none, and there must be.
    """
    unfinished = last if last is not None and last.finished_at is None and last.suspicion is None else None
    if resume and unfinished is None:
        raise UsageError("resume needs an unfinished run of these days, and there is none")
    if resume is None and unfinished is not None:
        return unfinished if datetime.now(UTC) - unfinished.active_at < _RESUMABLE else None
    return unfinished if resume else None


async def open_run(
    writer: StoreWriter, whole: Window, *, resume: bool | None, accept_missing: bool
) -> tuple[StoredRun, bool]:
    """Return the run to resume or a new one, and whether it is resumed; as in `sync_workshop_orders`.

    Raises:
        UsageError: There is no run to resume, and there must be.
    """
    run = resumable_run(await writer.run(runs.last_run, whole.first, whole.last), resume=resume)
    if run is None:
        begun = await writer.run(runs.begin_run, whole.first, whole.last, accepts_missing=accept_missing)
        return begun, False
    if accept_missing:
        await writer.run(runs.accept_missing, run.run_id)
        run = replace(run, accepts_missing=True)
    return run, True


class _Sync:
    """A run, from its beginning or from where it was stopped."""

    def __init__(
        self,
        cs: CycleSoftSession,
        writer: StoreWriter,
        run: StoredRun,
        plan: Plan,
        on_progress: Callable[[SyncProgress], None] | None,
        *,
        resumed: bool,
        adopt: bool,
    ) -> None:
        self._cs = cs
        self._writer = writer
        self._adopt = adopt
        self._run = run
        self._plan = plan
        self._is_claimed = False
        self._new_requests = RequestCounter(cs)
        self._progress = _ProgressTracker(cs, run, plan, on_progress or (lambda _: None), resumed=resumed)

    async def read(self, concurrency: int) -> None:
        """Read the days that are left."""
        whole = Window(self._run.date_from, self._run.date_until)
        try:
            if self._plan.needs_first_page and self._run.unread == [whole]:
                only = await read_first_page(self._cs, self._plan, WORKSHOP_ORDERS, whole)
                if only is not None:
                    await self._store([only])
                    return
            await read_windows(
                self._cs, self._plan, WORKSHOP_ORDERS, concurrency=concurrency, on_pages=self._store
            )
        except QuotaExhausted as stop:
            raise self._stopped(stop) from None

    async def refetch(self, concurrency: int) -> None:
        """Request the orders that the lists do not have any more."""
        try:
            await refetch_missing(
                self._cs,
                self._writer,
                self._run,
                concurrency=concurrency,
                on_stored=self._progress.refetched,
            )
        except QuotaExhausted as stop:
            raise self._stopped(stop) from None
        except SyncSuspicious as suspicion:
            await give_up_run(self._writer, self._run, suspicion, requests=self._new_requests.take())
            raise

    async def finish(self) -> SyncReport:
        """Note that all has been read."""
        finished = await finish_run(self._writer, self._run.run_id, requests=self._new_requests.take())
        report = self._progress.report()
        # Rows of a window that was listed again were counted twice on the way.
        return report if finished is None else replace(report, rejected=finished.rejected)

    async def _store(self, fetched: Sequence[FetchedPage[WorkshopOrder]]) -> None:
        if not self._is_claimed:
            await self._writer.run(claim_account, account_hash(self._cs), adopt=self._adopt)
            self._is_claimed = True
        rejected = await self._writer.run(
            runs.store_pages, self._run.run_id, fetched, requests=self._new_requests.take()
        )
        self._progress.stored(fetched, rejected)

    def _stopped(self, stop: QuotaExhausted) -> SyncStopped:
        return SyncStopped(stop.resets_at, stop.scope, self._progress.progress())


async def give_up_run(
    writer: StoreWriter, run: StoredRun, suspicion: SyncSuspicious, *, requests: int
) -> None:
    """Note that the lists that a run has read are not to be believed, and log why."""
    await writer.run(runs.give_up_run, run.run_id, suspicion=str(suspicion), requests=requests)
    logger.error("run %d: %s", run.run_id, suspicion, extra={"run_id": run.run_id})


async def finish_run(writer: StoreWriter, run_id: int, *, requests: int) -> StoredRun | None:
    """Note that everything of a run has been read, and log its figures; None if the run was replaced."""
    try:
        await writer.run(build_indexes)
    except StoreError as error:
        # They only make queries faster, and only the owner of the tables can build them.
        logger.warning("cannot build indexes, run `cyclesoft migrate`: %s", error)
    run = await writer.run(runs.finish_run, run_id, requests=requests)
    if run is not None:
        figures = {
            "run_id": run.run_id,
            "orders": run.orders,
            "requests": run.requests,
            "refetched": run.refetched,
            "rejected": run.rejected,
        }
        logger.info(
            "synced %s to %s in run %d: %d orders, %d requests, %d refetched, %d rejected",
            run.date_from,
            run.date_until,
            *figures.values(),
            extra=figures,
        )
    return run


class _ProgressTracker:
    """Counts pages and orders, and reports them."""

    def __init__(
        self,
        cs: CycleSoftSession,
        run: StoredRun,
        plan: Plan,
        report: Callable[[SyncProgress], None],
        *,
        resumed: bool,
    ) -> None:
        self._cs = cs
        self._run = run
        self._plan = plan
        self._report = report
        self._resumed = resumed
        self._started = monotonic()
        self._before = cs.quota
        # Of windows that are being read; a window that is listed again counts once.
        self._partial: dict[Window, FetchedPage[WorkshopOrder]] = {}
        self._orders, self._rejected, self._pages = run.orders, run.rejected, run.pages
        self._refetched = run.refetched

    def stored(self, fetched: Sequence[FetchedPage[WorkshopOrder]], rejected: int) -> None:
        """Note pages that were stored."""
        self._rejected += rejected
        for unreported, page in zip(reversed(range(len(fetched))), fetched, strict=True):
            if page.is_last:
                self._partial.pop(page.window, None)
                self._orders += page.rows
                self._pages += page.pages
            else:
                self._partial[page.window] = page
            self._report(self.progress(unreported))

    def refetched(self, orders: int, rejected: int) -> None:
        """Note orders that were requested one by one."""
        self._refetched += orders
        self._rejected += rejected
        self._report(self.progress())

    def progress(self, unreported: int = 0) -> SyncProgress:
        """Return the figures but for some stored pages that were not reported yet."""
        quota = self._cs.quota
        sent = quota.sent - self._before.sent
        reading = [
            self._partial[each.window] for each in self._plan.in_flight if each.window in self._partial
        ]
        done = len(self._run.windows)
        return SyncProgress(
            date_from=self._run.date_from,
            date_until=self._run.date_until,
            orders=self._orders + sum(page.rows for page in reading),
            rejected=self._rejected,
            pages=self._pages + sum(page.pages for page in reading),
            requests=self._run.requests + sent,
            resumed=self._resumed,
            requests_now=sent,
            refetched=self._refetched,
            rate_limited=quota.refused - self._before.refused,
            seconds=monotonic() - self._started,
            quota=quota,
            windows_done=done + self._plan.windows_read,
            windows=done + self._plan.windows,
            pages_left=self._plan.pages_left + unreported,
        )

    def report(self) -> SyncReport:
        """Return the figures at the end."""
        now = self.progress()
        return SyncReport(**{name: getattr(now, name) for name in SyncReport.__struct_fields__})
