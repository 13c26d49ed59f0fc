"""The sync: what the readers bring is stored, and whatever stops it, the next call goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from time import monotonic

from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.errors import QuotaExhausted
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import Page
from cyclesoft_async.session import CycleSoftSession

from .fetch.plan import Part, Plan
from .fetch.readers import Arrival, NewRequests, check, first_page, read_parts
from .fetch.refetch import refetch_unseen
from .history import known_orders, to_go_on_with
from .report import SyncProgress, SyncReport, SyncStopped
from .store.runs import StoredRun
from .store.store import Store, StoreWriter


async def sync_workshop_orders(
    cs: CycleSoftSession,
    store: Store,
    *,
    date_from: date,
    date_until: date,
    concurrency: int = 8,
    resume: bool | None = None,
    on_progress: Callable[[SyncProgress], None] | None = None,
) -> SyncReport:
    """Copy the workshop orders of a range of days into a database.

    Runs in the session's "bulk" lane: interactive calls on the same session go first, and keep a part of the
    day's quota. Every page is stored together with the place where its reader goes on, so that whatever stops
    the sync, the same call goes on with it; no more than one page for each reader is fetched twice.

    Orders that the store has in these days, and that the list does not have any more, are asked for one by
    one: they were moved to other days, or deleted (`is_active` becomes false when the server knows nothing of
    them). Those of anonymous customers can't be asked for, and stay as they are. What the vendor's list can't
    show: an order that is created in, or moved to, days which were read already, while others are still being
    read, and that the store did not have in these days. The next run, or a webhook, brings it. Orders without
    a scheduled start are in no range of days.

    Args:
        cs: The session; its quota is shared with whatever else it does.
        store: Where the orders go.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive.
        date_until: Last day, inclusive.
        concurrency: How many parts of the range are read at the same time.
        resume: Whether to go on with the last run of the same range, if it has not finished. None: if it
            stored something within a day; True: however old it is, and only then; False: start over.
        on_progress: Called in the event loop after every stored page.

    Raises:
        UsageError: The range of days is empty, concurrency is less than one, or there is no run to resume.
        SyncStopped: The day's quota is used up; it tells when to call again. Also a `QuotaExhausted`.
        RequestError: A call went wrong for good; pages stored until then stay.
        StoreError: The database can't be opened or written; pages stored until then stay.
    """
    check(date_from, date_until, concurrency)
    tally = _Tally(cs, on_progress or (lambda _: None))
    async with store.open() as writer:
        try:
            last = await writer.last_run(date_from, date_until)
            known = await known_orders(writer, last)
            run = to_go_on_with(last, resume=resume)
            page = None
            if run is None:
                windows, page = await first_page(cs, Window(date_from, date_until), concurrency)
                run = await writer.begin_run(date_from, date_until, windows)
            await _Sync(cs, writer, run, known, tally).go_on(page, concurrency)
        except QuotaExhausted as stop:
            raise SyncStopped(stop.resets_at, stop.scope, tally.progress()) from None
    return tally.report()


class _Sync:
    """A run that goes on, from its beginning or from where it was stopped."""

    def __init__(
        self,
        cs: CycleSoftSession,
        writer: StoreWriter,
        run: StoredRun,
        known: Mapping[date, int],
        tally: _Tally,
    ) -> None:
        self._cs = cs
        self._writer = writer
        self._run_id = run.run_id
        self._plan = Plan((Part.of(window) for window in run.windows if not window.done), known)
        self._tally = tally
        tally.begin(run, self._plan)

    async def go_on(self, first: Page[WorkshopOrder] | None, concurrency: int) -> None:
        """Read what is left, and finish."""
        await read_parts(
            self._cs, self._plan, first=first, concurrency=concurrency, keep=self._keep, cut=self._cut
        )
        await refetch_unseen(
            self._cs, self._writer, self._run_id, concurrency=concurrency, stored=self._tally.refetched
        )
        await self._writer.finish_run(self._run_id, requests=self._tally.new_requests.take())

    async def _keep(self, arrivals: Sequence[Arrival]) -> None:
        pages = [arrival.part.fetched(self._run_id, arrival.page, arrival.orders) for arrival in arrivals]
        rejected = await self._writer.write(pages, requests=self._tally.new_requests.take())
        self._tally.stored(arrivals, rejected)

    async def _cut(self, part: Part, day: date) -> int:
        return (await self._writer.split(self._run_id, part.number, day)).number


class _Tally:
    """Counts what happens, and tells it on."""

    def __init__(self, cs: CycleSoftSession, tell: Callable[[SyncProgress], None]) -> None:
        self.new_requests = NewRequests(cs)
        self._cs = cs
        self._tell = tell
        self._started = monotonic()
        self._before = cs.quota
        self._earlier_requests = self._orders = self._rejected = self._pages = self._refetched = 0
        self._windows_before = 0
        self._resumed = False
        self._plan = Plan([])

    def begin(self, run: StoredRun, plan: Plan) -> None:
        """The figures of earlier attempts are the run's, too."""
        self._orders, self._rejected, self._pages = run.orders, run.rejected, run.pages
        self._earlier_requests = run.requests
        self._resumed = run.requests > 0
        self._windows_before = len(run.windows) - len(plan.parts)
        self._plan = plan

    def stored(self, arrivals: Sequence[Arrival], rejected: int) -> None:
        """Pages were stored, and some of their rows put aside."""
        self._rejected += rejected
        for untold, arrival in zip(reversed(range(len(arrivals))), arrivals, strict=True):
            self._orders += arrival.orders
            self._pages += 1
            self._tell(self.progress(untold))

    def refetched(self, orders: int, rejected: int) -> None:
        """So many orders were asked for, and so many of them put aside."""
        self._refetched += orders
        self._rejected += rejected
        self._tell(self.progress())

    def progress(self, untold: int = 0) -> SyncProgress:
        """How far it is, but for so many stored pages that were not told of yet."""
        quota = self._cs.quota
        sent = quota.sent - self._before.sent
        parts = self._plan.parts
        return SyncProgress(
            orders=self._orders,
            rejected=self._rejected,
            pages=self._pages,
            requests=self._earlier_requests + sent,
            resumed=self._resumed,
            requests_now=sent,
            refetched=self._refetched,
            rate_limited=quota.refused - self._before.refused,
            seconds=monotonic() - self._started,
            quota=quota,
            windows_done=self._windows_before + sum(part.done for part in parts),
            windows=self._windows_before + len(parts),
            pages_left=self._plan.pages_left + untold,
        )

    def report(self) -> SyncReport:
        """What it did."""
        now = self.progress()
        return SyncReport(**{name: getattr(now, name) for name in SyncReport.__struct_fields__})
