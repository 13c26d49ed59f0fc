"""`cyclesoft sync`: copies workshop orders into a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import anyio
import click
import msgspec
from click.core import ParameterSource

from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .errors import naming
from .follow import FollowOptions
from .options import SECRET_FILE, check_folder, check_inbox, read_secrets
from .output import print_cost, print_report, print_retried, print_run, stop_message

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store

R = TypeVar("R")

_SQLITE = "sqlite:///"
_EXIT_QUOTA = 75  # EX_TEMPFAIL of sysexits.h: retry later
_EXIT_SUSPICIOUS = 8
_EXIT_REJECTED = 9
_MOST_REJECTED = 100
_MOST_REJECTED_SHARE = 0.01
_FEWEST_FOR_SHARE = 500

_RUN_OPTIONS = {"--from", "--until", "--to", "--resume", "--fresh", "--json"}
_CHECKS = {"--accept-missing", "--max-rejected"}
_MODES = {
    "--retry-rejected": {"--to", "--json"},
    "--dry-run": {*_RUN_OPTIONS, "--sandbox", "--same-account"},
    "--workers": {*_RUN_OPTIONS, *_CHECKS},
}
"""Options that select another task, and the options that each of them accepts."""
_REQUIRED_WITH = {
    "--days": "--follow",
    "--days-ahead": "--follow",
    "--share": "--follow",
    "--inbox": "--follow",
    "--secret-file": "--inbox",
    "--port": "--inbox",
}


def _to_date(_: click.Context, __: click.Parameter, moment: datetime | None) -> date | None:
    return moment and moment.date()


_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option(
    "--from",
    "first",
    type=_DAY,
    callback=_to_date,
    metavar="DAY",
    help="First day of the scheduled start, e.g. 2025-01-01.",
)
@click.option(
    "--until",
    "last",
    type=_DAY,
    callback=_to_date,
    metavar="DAY",
    help="Last day, inclusive; by default that of the resumed run, else a year from today.",
)
@click.option("--to", "url", metavar="URL", help="The database: sqlite:///orders.db, postgresql://host/name.")
@click.option(
    "--sandbox", "use_sandbox", is_flag=True, help="Read from the built-in sandbox; needs no account."
)
@click.option("--resume", is_flag=True, help="Resume the last run of any age; fail if it finished.")
@click.option("--fresh", is_flag=True, help="Start over, even if a run was stopped less than a day ago.")
@click.option(
    "--wait", is_flag=True, help="When the daily quota is used up, wait for the next day and resume."
)
@click.option(
    "--workers",
    is_flag=True,
    help="Hand the windows to `cyclesoft worker` processes; --to is their database.",
)
@click.option(
    "--accept-missing", is_flag=True, help="Believe lists that lack orders which the server still has."
)
@click.option(
    "--same-account", is_flag=True, help="Take the database over after a changed user name or host."
)
@click.option(
    "--max-rejected",
    type=click.IntRange(0),
    metavar="ROWS",
    help="Rejected rows above which the exit code is 9; by default 100, or 1% of at least 500 orders.",
)
@click.option(
    "--follow", "follow_on", is_flag=True, help="Then keep the days around today fresh until stopped."
)
@click.option(
    "--days",
    type=click.IntRange(1),
    default=14,
    show_default=True,
    help="With --follow: days back, today included.",
)
@click.option(
    "--days-ahead",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    help="With --follow: days after today.",
)
@click.option(
    "--share",
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    help="With --follow: percentage of the daily quota to spend.",
)
@click.option(
    "--inbox",
    callback=check_inbox,
    metavar="PATH|URL",
    help="With --follow: handle webhooks from this inbox; secrets as for `cyclesoft webhooks`.",
)
@SECRET_FILE
@click.option(
    "--port", type=click.IntRange(0, 65535), help="With --inbox: receive webhooks at this port on 127.0.0.1."
)
@click.option("--dry-run", is_flag=True, help="Only estimate the cost; --to is optional.")
@click.option("--retry-rejected", is_flag=True, help="Only decode the rejected rows again.")
@click.option("--json", "as_json", is_flag=True, help="Print only the report, as JSON.")
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
    workers: bool,
    accept_missing: bool,
    same_account: bool,
    max_rejected: int | None,
    follow_on: bool,
    days: int,
    days_ahead: int,
    share: int,
    inbox: str | None,
    secret_file: Path | None,
    port: int | None,
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

    _check_combination([each.opts[0] for each in ctx.command.params if _is_given(ctx, each)])

    def print_result(result: R, show: Callable[[R], None]) -> None:
        if as_json:
            click.echo(msgspec.json.encode(result))
        else:
            show(result)

    if retry_rejected:
        existing = _store(url)
        _check_exists(url)
        print_result(anyio.run(sync_runner.retry_rejected, existing), print_retried)
        return

    server = Sandbox() if use_sandbox else None
    if server is not None:
        first, last = first or server.first_day, last or server.last_day
    if first is None:
        raise UsageError("--from is missing: set the first day to sync, e.g. --from 2025-01-01")
    if last is not None and last < first:
        raise UsageError(f"--until must not be before --from, got {last} and {first}")
    options = sync_runner.SyncOptions(
        first=first, last=last, resume=_resume(resume, fresh), accept_missing=accept_missing
    )

    if dry_run:
        store = None if url is None else _store(url, adopt=same_account)
        print_result(
            anyio.run(sync_runner.estimate_sync, server or session_from_user(), store, options), print_cost
        )
        return

    store = _store(url, adopt=same_account)
    if workers:
        try:
            run = anyio.run(sync_runner.sync_by_workers, store, options, as_json)
        except SyncSuspicious as suspicion:
            _exit_suspicious(suspicion)
        print_result(run, print_run)
        _check_rejected(run.rejected, run.orders, max_rejected)
        return

    follow = None
    if follow_on:
        secrets = [] if inbox is None else read_secrets(secret_file)
        follow = FollowOptions(
            days=days, days_ahead=days_ahead, share=share / 100, inbox=inbox, secrets=secrets, port=port
        )
    work = partial(
        sync_runner.sync,
        server or session_from_user(),
        store,
        options,
        wait=wait,
        quiet=as_json,
        follow=follow,
        print_result=lambda report: print_result(report, partial(print_report, store=store.shown_url)),
    )
    try:
        report = anyio.run(work)
    except SyncSuspicious as suspicion:
        _exit_suspicious(suspicion)
    except SyncStopped as stop:
        if as_json:
            click.echo(msgspec.json.encode(stop.progress))
        click.echo(f"cyclesoft: {stop_message(stop)}; run the same command again then", err=True)
        raise click.exceptions.Exit(_EXIT_QUOTA) from None
    _check_rejected(report.rejected, report.orders, max_rejected)


def _exit_suspicious(suspicion: Exception) -> NoReturn:
    click.echo(f"cyclesoft: {suspicion}", err=True)
    raise click.exceptions.Exit(_EXIT_SUSPICIOUS) from None


def _check_rejected(rejected: int, orders: int, most: int | None) -> None:
    """End with an exit code of its own if too many rows were rejected."""
    read = orders + rejected
    is_too_many = rejected > _MOST_REJECTED or (
        read >= _FEWEST_FOR_SHARE and rejected > read * _MOST_REJECTED_SHARE
    )
    if is_too_many if most is None else rejected > most:
        click.echo(
            f"cyclesoft: {rejected:,} of {read:,} rows were rejected and are in the table rejected_rows;"
            " all others are stored",
            err=True,
        )
        raise click.exceptions.Exit(_EXIT_REJECTED)


def _is_given(ctx: click.Context, option: click.Parameter) -> bool:
    return ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE


def _check_combination(given: Sequence[str]) -> None:
    """Reject options that would be ignored.

    Raises:
        UsageError: Names the options and the rule.
    """
    if "--resume" in given and "--fresh" in given:
        raise UsageError("--resume and --fresh exclude each other; use one of them")
    for mode, meaningful in _MODES.items():
        idle = [option for option in given if option not in {mode, *meaningful}]
        if mode in given and idle:
            raise UsageError(f"{mode} cannot be combined with {', '.join(idle)}")
    for option, other in _REQUIRED_WITH.items():
        if option in given and other not in given:
            raise UsageError(f"{option} requires {other}")


def _resume(resume: bool, fresh: bool) -> bool | None:
    if resume:
        return True
    return False if fresh else None


def _store(url: str | None, *, adopt: bool = False) -> Store:
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed

    if url is None:
        raise UsageError("--to is missing: set the database, e.g. --to sqlite:///orders.db")
    with naming("--to"):
        store = Store(url, adopt=adopt)
    if (file := _sqlite_file(url)) is not None:
        check_folder("--to", file)
    return store


def _check_exists(url: str | None) -> None:
    file = _sqlite_file(url or "")
    if file is not None and not file.exists():
        raise UsageError(f"--to must be an existing database, got {url}")


def _sqlite_file(url: str) -> Path | None:
    file = url.removeprefix(_SQLITE).partition("?")[0]
    return Path(file) if url.startswith(_SQLITE) and file else None
