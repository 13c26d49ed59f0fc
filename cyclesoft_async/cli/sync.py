"""`cyclesoft sync`: copies workshop orders into a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

import anyio
import click
import msgspec

from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .errors import say_rows_remain
from .output import print_cost, print_report, print_retried, stop_message
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

_EXIT_QUOTA = 75  # EX_TEMPFAIL of sysexits.h: retry later

_MODES = {
    "--retry-rejected": {"--to", "--json"},
    "--dry-run": {
        *("--from", "--until", "--to", "--resume", "--fresh", "--json"),
        *("--sandbox", "--same-account"),
    },
}
"""Options that select another task, and the options that each of them accepts."""


@click.command()
@combine(FROM, UNTIL, TO)
@click.option(
    "--sandbox", "use_sandbox", is_flag=True, help="Read from the built-in sandbox; needs no account."
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

    Existing orders are updated. After Ctrl-C, a failure or a used-up quota, the same command resumes where
    the run stopped, within a day and also after midnight. With --sandbox the default range is the year of
    the sandbox's orders.

    A database belongs to one account. Exit code 8: the lists lack orders that the server still has, and none
    was marked as deleted. Exit code 9: too many rows were rejected; all other rows are stored.

    Keep the password of a PostgreSQL database in PGPASSWORD or ~/.pgpass rather than in --to.
    """
    from cyclesoft_async.bulksync import SyncStopped, SyncSuspicious  # noqa: PLC0415 - the extra may not be installed

    from . import sync_runner  # noqa: PLC0415 - see above

    _check_modes(given_options(ctx))
    resumes = resume_choice(resume, fresh)
    if retry_rejected:
        existing = make_store(url)
        check_exists(url)
        print_result(anyio.run(sync_runner.retry_rejected, existing), print_retried, as_json=as_json)
        return

    server = Sandbox() if use_sandbox else None
    if server is not None:
        first, last = first or server.first_day, last or server.last_day
    options = sync_runner.SyncOptions(
        first=check_range(first, last), last=last, resume=resumes, accept_missing=accept_missing
    )
    if dry_run:
        store = None if url is None else make_store(url, adopt=same_account)
        work = partial(sync_runner.estimate_sync, server or session_from_user(), store, options)
        print_result(anyio.run(work), print_cost, as_json=as_json)
        return

    store = make_store(url, adopt=same_account)
    say_rows_remain(ctx)
    copy = partial(sync_runner.sync, server or session_from_user(), store, options, wait=wait, quiet=as_json)
    try:
        report = anyio.run(copy)
    except SyncSuspicious as suspicion:
        exit_suspicious(suspicion)
    except SyncStopped as stop:
        if as_json:
            click.echo(msgspec.json.encode(stop.progress))
        click.echo(f"cyclesoft: {stop_message(stop)}; run the same command again then", err=True)
        raise click.exceptions.Exit(_EXIT_QUOTA) from None
    print_result(report, partial(print_report, store=store.shown_url), as_json=as_json)
    check_rejected(report.rejected, report.orders, max_rejected)


def _check_modes(given: Sequence[str]) -> None:
    """Reject options that would be ignored.

    Raises:
        UsageError: Names the options and the rule.
    """
    for mode, meaningful in _MODES.items():
        idle = [option for option in given if option not in {mode, *meaningful}]
        if mode in given and idle:
            raise UsageError(f"{mode} cannot be combined with {', '.join(idle)}")
