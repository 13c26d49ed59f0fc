"""What `cyclesoft sync` does, once it is clear what is wanted; it needs the extra store."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, TypedDict

import anyio
import click
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import (
    Store,
    SyncEstimate,
    SyncReport,
    SyncStopped,
    estimate,
    sync_workshop_orders,
)
from cyclesoft_async.bulksync.history import to_go_on_with
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox

from .follow import Following, following, tell_round
from .output import WorkersLines, progress_display, stop_words

if TYPE_CHECKING:
    from cyclesoft_async.bulksync.store.runs import StoredRun

_A_WHILE = 60.0


class Wanted(Struct, frozen=True, kw_only=True):
    """Which days, and whether to go on with a run of them."""

    first: date
    last: date | None
    """None: that of the run that it goes on with, or today."""
    resume: bool | None
    """As for `sync_workshop_orders`."""


class _Run(TypedDict):
    date_from: date
    date_until: date
    resume: bool | None


async def sync(
    source: Sandbox | CycleSoftSession,
    store: Store,
    wanted: Wanted,
    *,
    wait: bool,
    quiet: bool,
    follow: Following | None,
    tell: Callable[[SyncReport], None],
) -> None:
    """Copy the orders; then, if wanted, keep them fresh until stopped.

    Raises:
        SyncStopped: The day's quota is used up, and `wait` is false.
    """
    run = await _run(store, wanted)
    async with _opened(source) as cs:
        if follow is None:
            tell(await _bulk(cs, store, run, wait=wait, quiet=quiet))
            return
        # Deliveries are taken from the beginning: what they name may lie in days that have been read.
        async with following(cs, store, follow) as follower:
            tell(await _bulk(cs, store, run, wait=wait, quiet=quiet))
            await follower.run(on_round=tell_round)


async def sync_by_workers(store: Store, wanted: Wanted, quiet: bool) -> StoredRun:
    """Let workers copy the orders, and wait until they have."""
    from cyclesoft_async.bulksync.workers import sync_with_workers  # noqa: PLC0415 - it needs another extra

    run = await _run(store, wanted)
    return await sync_with_workers(store, **run, on_progress=WorkersLines(quiet=quiet))


async def tell_cost(source: Sandbox | CycleSoftSession, store: Store | None, wanted: Wanted) -> SyncEstimate:
    """What `sync` would cost."""
    run = await _run(store, wanted)
    async with _opened(source) as cs:
        return await estimate(cs, store, **run)


async def retry_rejected(store: Store) -> RetriedRows:
    """Read rows again that could not be read before."""
    async with store.open() as writer:
        return await writer.retry_rejected()


async def _run(store: Store | None, wanted: Wanted) -> _Run:
    last = wanted.last or await _last_day(store, wanted)
    return {"date_from": wanted.first, "date_until": last, "resume": wanted.resume}


async def _last_day(store: Store | None, wanted: Wanted) -> date:
    """Today; but a run that goes on ends where it was to end when it was begun, before midnight perhaps."""
    today = datetime.now(AMSTERDAM).date()
    if store is None:
        return today
    async with store.open_if_there() as there:
        stopped = await there.stopped_run(wanted.first) if there else None
    run = to_go_on_with(stopped, resume=wanted.resume)
    if run is None or run.date_until == today:
        return today
    click.echo(f"cyclesoft: up to {run.date_until}, as the run that was stopped", err=True)
    return run.date_until


@asynccontextmanager
async def _opened(source: Sandbox | CycleSoftSession) -> AsyncGenerator[CycleSoftSession]:
    if isinstance(source, CycleSoftSession):
        async with source:
            yield source
    else:
        async with source, CycleSoftSession("user", "pass", base_url=source.url) as cs:
            yield cs


async def _bulk(cs: CycleSoftSession, store: Store, run: _Run, *, wait: bool, quiet: bool) -> SyncReport:
    with progress_display(quiet=quiet) as show:
        while True:
            try:
                return await sync_workshop_orders(cs, store, **run, on_progress=show)
            except SyncStopped as stop:
                if not wait:
                    raise
                click.echo(f"cyclesoft: {stop_words(stop)}; waiting for that", err=True)
                resets_at = stop.resets_at
                if stop.progress.pages:
                    run["resume"] = True  # there is a run to go on with now, also if it was to be a fresh one
            await _sleep_until(resets_at)


async def _sleep_until(moment: datetime) -> None:
    # In short sleeps, because a computer that was asleep itself does not count that time.
    while True:
        left = moment.timestamp() - time.time()
        if left <= 0:
            return
        await anyio.sleep(min(left, _A_WHILE))
