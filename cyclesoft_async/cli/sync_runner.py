"""Tasks of `cyclesoft sync`. Needs the extra `store`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

import anyio
import click
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import (
    Store,
    SyncEstimate,
    SyncProgress,
    SyncReport,
    SyncStopped,
    estimate,
    sync_workshop_orders,
)
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from cyclesoft_async.bulksync.sync_orders import resumable_run
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox

from .errors import say_rows_remain
from .output import WorkersProgress, progress_display, stop_message

if TYPE_CHECKING:
    from cyclesoft_async.bulksync.store.runs import StoredRun

_LONGEST_SLEEP = 60.0
_AHEAD = timedelta(days=365)


class SyncOptions(Struct, frozen=True, kw_only=True):
    """Days to sync, and how to treat an earlier run."""

    first: date
    last: date | None
    """None: the last day of the resumed run, or a year from today."""
    resume: bool | None
    accept_missing: bool
    """Both as for `sync_workshop_orders`."""


class _Run(TypedDict):
    date_from: date
    date_until: date
    resume: bool | None


async def sync(
    source: Sandbox | CycleSoftSession, store: Store, options: SyncOptions, *, wait: bool, quiet: bool
) -> SyncReport:
    """Copy the orders, from an account or from a sandbox that is opened for it.

    Raises:
        SyncStopped: The daily quota is used up, and `wait` is false.
    """
    async with open_session(source) as cs:
        return await copy_orders(cs, store, options, wait=wait, quiet=quiet)


async def copy_orders(
    cs: CycleSoftSession, store: Store, options: SyncOptions, *, wait: bool, quiet: bool
) -> SyncReport:
    """Copy the orders, and show progress unless `quiet`.

    Raises:
        SyncStopped: The daily quota is used up, and `wait` is false.
    """
    run = await _run(store, options)
    if not quiet:
        click.echo(f"days: {run['date_from']} to {run['date_until']}", err=True)
    return await _run_sync(cs, store, run, options, wait=wait, quiet=quiet)


async def sync_by_workers(store: Store, options: SyncOptions, quiet: bool) -> StoredRun:
    """Enqueue the windows, and wait until workers have read them."""
    from cyclesoft_async.bulksync.workers import sync_with_workers  # noqa: PLC0415 - needs the extra postgres

    run = await _run(store, options)
    return await sync_with_workers(
        store, **run, accept_missing=options.accept_missing, on_progress=WorkersProgress(quiet=quiet)
    )


async def estimate_sync(
    source: Sandbox | CycleSoftSession, store: Store | None, options: SyncOptions
) -> SyncEstimate:
    """Return the estimated cost of `sync`."""
    run = await _run(store, options)
    async with open_session(source) as cs:
        return await estimate(cs, store, **run)


async def retry_rejected(store: Store) -> RetriedRows:
    """Decode the rejected rows again."""
    return await store.retry_rejected()


async def _run(store: Store | None, options: SyncOptions) -> _Run:
    last = options.last or await _last_day(store, options)
    return {"date_from": options.first, "date_until": last, "resume": options.resume}


async def _last_day(store: Store | None, options: SyncOptions) -> date:
    """Return the last day of the run to resume, which may have started before midnight, or a year from today.

    What is planned for the next months is a part of the shop's orders.
    """
    a_year_ahead = datetime.now(AMSTERDAM).date() + _AHEAD
    if store is None:
        return a_year_ahead
    async with store.open_if_there() as there:
        stopped = await there.run(runs.unfinished_run, options.first) if there else None
    run = resumable_run(stopped, resume=options.resume)
    if run is None or run.date_until == a_year_ahead:
        return a_year_ahead
    click.echo(f"cyclesoft: resuming the stopped run, up to {run.date_until}", err=True)
    return run.date_until


@asynccontextmanager
async def open_session(source: Sandbox | CycleSoftSession) -> AsyncGenerator[CycleSoftSession]:
    """Open a session, and with it the sandbox that it reads from."""
    if isinstance(source, CycleSoftSession):
        async with source:
            yield source
    else:
        async with source, CycleSoftSession("user", "pass", base_url=source.url) as cs:
            yield cs


async def _run_sync(
    cs: CycleSoftSession, store: Store, run: _Run, options: SyncOptions, *, wait: bool, quiet: bool
) -> SyncReport:
    with progress_display(quiet=quiet) as show:

        def stored(progress: SyncProgress) -> None:
            say_rows_remain()
            show(progress)

        while True:
            try:
                return await sync_workshop_orders(
                    cs, store, **run, accept_missing=options.accept_missing, on_progress=stored
                )
            except SyncStopped as stop:
                if not wait:
                    raise
                click.echo(f"cyclesoft: {stop_message(stop)}; waiting until then", err=True)
                resets_at = stop.resets_at
                if stop.progress.pages:
                    run["resume"] = True  # of this run, also if it was started with --fresh
            await sleep_until(resets_at)


async def sleep_until(moment: datetime) -> None:
    """Wait for a moment, also across a suspended computer."""
    # In short sleeps, because a sleep does not count the time that the computer is suspended.
    while True:
        left = moment.timestamp() - time.time()
        if left <= 0:
            return
        await anyio.sleep(min(left, _LONGEST_SLEEP))
