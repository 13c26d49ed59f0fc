"""Tasks of `cyclesoft sync --tables`. Needs the extra `store`."""

from __future__ import annotations

from collections.abc import Sequence

import click
from msgspec import Struct

from cyclesoft_async import CycleSoftSession, QuotaSnapshot
from cyclesoft_async.bulksync import Store, SyncReport, TablesReport, sync
from cyclesoft_async.bulksync.resources import WORKSHOP_ORDERS
from cyclesoft_async.bulksync.store.queries import Pickup, ready_for_pickup
from cyclesoft_async.errors import QuotaExhausted
from cyclesoft_async.sandbox import Sandbox

from .errors import say_rows_remain
from .output import rows_display, stop_message
from .sync_runner import SyncOptions, copy_orders, open_session, sleep_until

_SHOWN = 5


class TablesResult(Struct, frozen=True, kw_only=True):
    """A sync of several tables, and some rows that show what it is good for."""

    report: TablesReport
    ready: Sequence[Pickup]
    """Some of the repairs that are ready; none unless the sandbox was read: they are people's data."""
    ready_count: int | None
    """How many there are; None if the tables for it were not all read."""
    quota: QuotaSnapshot
    """The account's quota at the end."""


async def sync_tables(
    source: Sandbox | CycleSoftSession,
    store: Store,
    options: SyncOptions | None,
    names: Sequence[str],
    *,
    whole: bool,
    accept_missing: bool,
    wait: bool,
    quiet: bool,
) -> TablesResult:
    """Copy tables, from an account or from a sandbox that is opened for it.

    Args:
        source: The account's session, or a sandbox.
        store: The database.
        options: The days of the workshop orders, if these are among the tables.
        names: The tables.
        whole: Whether to read all lists whole, from their beginnings.
        accept_missing: As for `sync`.
        wait: Whether to wait for the next day when the quota is used up.
        quiet: Whether to show no progress.

    Raises:
        QuotaExhausted: The daily quota is used up, and `wait` is false.
    """
    async with open_session(source) as cs:
        orders: SyncReport | None = None
        if options is not None and WORKSHOP_ORDERS.name in names:
            orders = await copy_orders(cs, store, options, wait=wait, quiet=quiet)
        others = [name for name in names if name != WORKSHOP_ORDERS.name]
        if not quiet:
            click.echo(f"tables: {', '.join(others)}", err=True)
        while True:
            try:
                report = await _sync_others(
                    cs, store, others, whole=whole, accept_missing=accept_missing, quiet=quiet
                )
            except QuotaExhausted as stop:
                if not wait:
                    raise
                click.echo(f"cyclesoft: {stop_message(stop)}; waiting until then", err=True)
                resets_at = stop.resets_at
                whole = False  # the run that was stopped resumes
            else:
                break
            await sleep_until(resets_at)
        quota = cs.quota
    return await _with_answer(store, report, orders, quota, is_sandbox=isinstance(source, Sandbox))


async def _sync_others(
    cs: CycleSoftSession,
    store: Store,
    names: Sequence[str],
    *,
    whole: bool,
    accept_missing: bool,
    quiet: bool,
) -> TablesReport:
    with rows_display(quiet=quiet) as show:

        def stored(name: str, rows: int) -> None:
            say_rows_remain()
            show(name, rows)

        resume = False if whole else None
        return await sync(cs, store, names, resume=resume, accept_missing=accept_missing, on_rows=stored)


async def _with_answer(
    store: Store,
    report: TablesReport,
    orders: SyncReport | None,
    quota: QuotaSnapshot,
    *,
    is_sandbox: bool,
) -> TablesResult:
    both = TablesReport(
        orders=orders,
        tables=report.tables,
        denied=report.denied,
        requests=report.requests + (orders.requests_now if orders else 0),
        seconds=report.seconds + (orders.seconds if orders else 0.0),
    )
    if not {"customers", "repair_objects", "employees"} <= set(report.tables):
        return TablesResult(report=both, ready=(), ready_count=None, quota=quota)
    async with store.open() as writer:
        count, ready = await writer.run(ready_for_pickup, _SHOWN if is_sandbox else 0)
    return TablesResult(report=both, ready=ready, ready_count=count, quota=quota)
