"""`cyclesoft sync`: copies workshop orders, and what they refer to, into a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import anyio
import click
import msgspec
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import QuotaExhausted, UsageError
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .output import print_cost, print_report, print_retried, print_tables, stop_message
from .run_options import (
    ACCEPT_MISSING,
    FRESH,
    FROM,
    JSON,
    MAX_REJECTED,
    RESUME,
    SAME_ACCOUNT,
    TO,
    UNTIL,
    check_exists,
    check_range,
    check_rejected,
    combine,
    exit_suspicious,
    given_options,
    make_store,
    moved,
    print_result,
    resume_choice,
)

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store

    from .sync_runner import SyncOptions

_ORDERS = "workshop_orders"
# All tables of such a sandbox take less than its minute's quota. The seed makes it another account, so that
# no database mixes the two.
_FEWER_ORDERS, _OTHER_SEED = 5_000, 2
_EXIT_QUOTA = 75  # EX_TEMPFAIL of sysexits.h: retry later

_MODES = {
    "--retry-rejected": {"--to", "--json"},
    "--dry-run": {
        *("--from", "--until", "--to", "--resume", "--fresh", "--json"),
        *("--sandbox", "--same-account", "--tables"),
    },
}
"""Options that select another task, and the options that each of them accepts."""


@click.command()
@combine(FROM, UNTIL, TO)
@click.option(
    "--sandbox", "use_sandbox", is_flag=True, help="Read from the built-in sandbox; needs no account."
)
@click.option(
    "--tables",
    "tables",
    metavar="all|NAMES",
    default="workshop_orders",
    show_default=True,
    help="Tables to fill: all, or names such as workshop_orders,customers,employees.",
)
@combine(RESUME, FRESH)
@click.option(
    "--wait", is_flag=True, help="When the daily quota is used up, wait for the next day and resume."
)
@combine(ACCEPT_MISSING, SAME_ACCOUNT, MAX_REJECTED)
@click.option("--dry-run", is_flag=True, help="Only estimate the cost; --to is optional.")
@click.option("--retry-rejected", is_flag=True, help="Only decode the rejected rows again.")
@JSON
@moved("--follow", "cyclesoft follow")
@moved("--workers", "cyclesoft enqueue")
@click.pass_context
def sync(
    ctx: click.Context,
    *,
    first: date | None,
    last: date | None,
    url: str | None,
    use_sandbox: bool,
    tables: str,
    resume: bool,
    fresh: bool,
    wait: bool,
    accept_missing: bool,
    same_account: bool,
    max_rejected: int | None,
    dry_run: bool,
    retry_rejected: bool,
    as_json: bool,
) -> None:
    """Copy the workshop orders of a range of days into a database.

    With --tables all also customers, repair objects, service items, employees, enums, repair codes, the
    mechanics' days, invoices, payments and stock: what changed since the last run where the server can tell,
    else the whole list. --fresh reads all lists whole. Tables that the user's scopes do not allow are named
    and left out.

    Existing orders are updated. After Ctrl-C, a failure or a used-up quota, the same command resumes where
    the run stopped, within a day and also after midnight. With --sandbox the default range is the year of
    the sandbox's orders.

    A database belongs to one account. Exit code 8: the lists lack orders that the server still has, and none
    was marked as deleted. Exit code 9: too many rows were rejected; all other rows are stored.

    Keep the password of a PostgreSQL database in PGPASSWORD or ~/.pgpass rather than in --to.
    """
    from . import sync_runner  # noqa: PLC0415 - the extra may not be installed

    _check_modes(given_options(ctx))
    resumes = resume_choice(resume, fresh)
    if retry_rejected:
        existing = make_store(url)
        check_exists(url)
        print_result(anyio.run(sync_runner.retry_rejected, existing), print_retried, as_json=as_json)
        return

    names = _tables(tables)
    server = _sandbox(names) if use_sandbox else None
    if server is not None:
        first, last = first or server.first_day, last or server.last_day
    options = None
    if _ORDERS in names:
        options = sync_runner.SyncOptions(
            first=check_range(first, last), last=last, resume=resumes, accept_missing=accept_missing
        )
    elif not use_sandbox and (first or last or resume):
        raise UsageError("--from, --until and --resume are for workshop_orders, which --tables lacks")
    if dry_run:
        if options is None:
            raise UsageError("--dry-run estimates workshop_orders, which --tables lacks")
        store = None if url is None else make_store(url, adopt=same_account)
        work = partial(sync_runner.estimate_sync, server or session_from_user(), store, options)
        print_result(anyio.run(work), print_cost, as_json=as_json)
        return

    run = _Run(
        source=server or session_from_user(),
        store=make_store(url, adopt=same_account),
        wait=wait,
        as_json=as_json,
        max_rejected=max_rejected,
    )
    if options is not None and names == [_ORDERS]:
        _sync_orders(run, options)
    else:
        _sync_tables(run, options, names, whole=fresh, accept_missing=accept_missing)


class _Run(Struct, frozen=True, kw_only=True):
    """From where into where, and how it ends."""

    source: Sandbox | CycleSoftSession
    store: Store
    wait: bool
    as_json: bool
    max_rejected: int | None


def _sandbox(names: Sequence[str]) -> Sandbox:
    return Sandbox() if names == [_ORDERS] else Sandbox(orders=_FEWER_ORDERS, seed=_OTHER_SEED)


def _sync_orders(run: _Run, options: SyncOptions) -> None:
    from cyclesoft_async.bulksync import SyncStopped, SyncSuspicious  # noqa: PLC0415 - see above

    from . import sync_runner  # noqa: PLC0415 - see above

    copy = partial(sync_runner.sync, run.source, run.store, options, wait=run.wait, quiet=run.as_json)
    try:
        report = anyio.run(copy)
    except SyncSuspicious as suspicion:
        exit_suspicious(suspicion)
    except SyncStopped as stop:
        if run.as_json:
            click.echo(msgspec.json.encode(stop.progress))
        _exit_quota(stop)
    print_result(report, partial(print_report, store=run.store.shown_url), as_json=run.as_json)
    check_rejected(report.rejected, report.orders, run.max_rejected)


def _sync_tables(
    run: _Run, options: SyncOptions | None, names: Sequence[str], *, whole: bool, accept_missing: bool
) -> None:
    from cyclesoft_async.bulksync import SyncSuspicious  # noqa: PLC0415 - see above

    from . import tables_runner  # noqa: PLC0415 - see above

    copy = partial(
        tables_runner.sync_tables,
        *(run.source, run.store, options, names),
        whole=whole,
        accept_missing=accept_missing,
        wait=run.wait,
        quiet=run.as_json,
    )
    try:
        result = anyio.run(copy)
    except SyncSuspicious as suspicion:
        exit_suspicious(suspicion)
    except QuotaExhausted as stop:
        _exit_quota(stop)
    if run.as_json:
        click.echo(msgspec.json.encode(result.report))
    else:
        print_tables(result, run.store.shown_url)
    tables = result.report.tables.values()
    orders = result.report.orders
    rejected = sum(table.rejected for table in tables) + (orders.rejected if orders else 0)
    rows = sum(table.rows for table in tables) + (orders.orders if orders else 0)
    check_rejected(rejected, rows, run.max_rejected)


def _exit_quota(stop: QuotaExhausted) -> NoReturn:
    click.echo(f"cyclesoft: {stop_message(stop)}; run the same command again then", err=True)
    raise click.exceptions.Exit(_EXIT_QUOTA) from None


def _tables(given: str) -> list[str]:
    from cyclesoft_async.bulksync import ALL_TABLES  # noqa: PLC0415 - see above

    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if names == ["all"]:
        return list(ALL_TABLES)
    unknown = [name for name in names if name not in ALL_TABLES]
    if unknown or not names:
        raise UsageError(f"--tables must be all, or names of {', '.join(ALL_TABLES)}, got {given}")
    return names


def _check_modes(given: Sequence[str]) -> None:
    """Reject options that would be ignored.

    Raises:
        UsageError: Names the options and the rule.
    """
    for mode, meaningful in _MODES.items():
        idle = [option for option in given if option not in {mode, *meaningful}]
        if mode in given and idle:
            raise UsageError(f"{mode} cannot be combined with {', '.join(idle)}")
