"""`cyclesoft sync`: workshop orders into a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import click
import msgspec
from click.core import ParameterSource

from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .follow import Following
from .options import SECRET_FILE, read_secrets, with_its_extra
from .output import show_estimate, show_report, show_retried, show_run, stop_words

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store

R = TypeVar("R")

_QUOTA_USED_UP = 75  # what mail programs mean by "try again later"; Windows has no name for it

_OF_A_RUN = {"--from", "--until", "--to", "--resume", "--fresh", "--json"}
_GO_WITH = {
    "--retry-rejected": {"--to", "--json"},
    "--dry-run": {*_OF_A_RUN, "--sandbox"},
    "--workers": _OF_A_RUN,
}
"""For those options that change what the command does: all that have a meaning beside them."""
_NEED = {
    "--days": "--follow",
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
    help="Last day, included; by default that of the run that it goes on with, or today.",
)
@click.option("--to", "url", metavar="URL", help="The database: sqlite:///orders.db, postgresql://host/name.")
@click.option("--sandbox", "use_sandbox", is_flag=True, help="From the built-in server; needs no account.")
@click.option("--resume", is_flag=True, help="Go on with the last run, however old; fail if it was finished.")
@click.option(
    "--fresh", is_flag=True, help="Start over, also if the last run was stopped less than a day ago."
)
@click.option(
    "--wait", is_flag=True, help="When the day's quota is used up, wait for the next day and go on."
)
@click.option(
    "--workers", is_flag=True, help="Let `cyclesoft worker` processes do it; --to is their database."
)
@click.option("--follow", "follow_on", is_flag=True, help="Then keep the last days fresh, until stopped.")
@click.option(
    "--days", type=click.IntRange(1), default=14, show_default=True, help="With --follow: how many days."
)
@click.option(
    "--share",
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    help="With --follow: percent of the daily quota to spend.",
)
@click.option(
    "--inbox",
    callback=with_its_extra,
    metavar="PATH|URL",
    help="With --follow: take webhooks from this inbox; secrets as for `cyclesoft webhooks`.",
)
@SECRET_FILE
@click.option(
    "--port", type=click.IntRange(0, 65535), help="With --inbox: receive webhooks at this port of 127.0.0.1."
)
@click.option("--dry-run", is_flag=True, help="Only tell what it would cost; --to is not needed.")
@click.option("--retry-rejected", is_flag=True, help="Only read rows again that could not be read before.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
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
    follow_on: bool,
    days: int,
    share: int,
    inbox: str | None,
    secret_file: Path | None,
    port: int | None,
    dry_run: bool,
    retry_rejected: bool,
    as_json: bool,
) -> None:
    """Copy the workshop orders of a range of days into a database.

    Orders that are there already are updated. What stopped, by Ctrl-C, a failure or the quota, goes on where
    it was when the same command is given again within a day, also after midnight. With --sandbox the range
    is, unless you give one, the year that the built-in server has orders for.

    The password of a PostgreSQL database is better kept in PGPASSWORD or ~/.pgpass than in --to.
    """
    from cyclesoft_async.bulksync import SyncStopped  # noqa: PLC0415 - the extra may not be installed

    from . import sync_runner  # noqa: PLC0415 - see above

    _check_together([each.opts[0] for each in ctx.command.params if _is_given(ctx, each)])

    def tell(result: R, show: Callable[[R], None]) -> None:
        if as_json:
            click.echo(msgspec.json.encode(result))
        else:
            show(result)

    if retry_rejected:
        tell(anyio.run(sync_runner.retry_rejected, _store(url)), show_retried)
        return

    server = Sandbox() if use_sandbox else None
    if server is not None:
        first, last = first or server.first_day, last or server.last_day
    if first is None:
        raise UsageError("--from is missing: the first day to sync, e.g. --from 2025-01-01")
    wanted = sync_runner.Wanted(first=first, last=last, resume=_resume(resume, fresh))

    if dry_run:
        store = None if url is None else _store(url)
        tell(anyio.run(sync_runner.tell_cost, server or session_from_user(), store, wanted), show_estimate)
        return

    store = _store(url)
    if workers:
        tell(anyio.run(sync_runner.sync_by_workers, store, wanted, as_json), show_run)
        return

    follow = None
    if follow_on:
        secrets = [] if inbox is None else read_secrets(secret_file)
        follow = Following(days=days, share=share / 100, inbox=inbox, secrets=secrets, port=port)
    work = partial(
        sync_runner.sync,
        server or session_from_user(),
        store,
        wanted,
        wait=wait,
        quiet=as_json,
        follow=follow,
        tell=lambda report: tell(report, partial(show_report, store=store.shown_url)),
    )
    try:
        anyio.run(work)
    except SyncStopped as stop:
        if as_json:
            click.echo(msgspec.json.encode(stop.progress))
        click.echo(f"cyclesoft: {stop_words(stop)}; the same command goes on then", err=True)
        raise click.exceptions.Exit(_QUOTA_USED_UP) from None


def _is_given(ctx: click.Context, option: click.Parameter) -> bool:
    return ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE


def _check_together(given: Sequence[str]) -> None:
    """Refuse options that would be ignored beside the others."""
    if "--resume" in given and "--fresh" in given:
        raise UsageError("--resume and --fresh contradict each other")
    for mode, meaningful in _GO_WITH.items():
        idle = [option for option in given if option not in {mode, *meaningful}]
        if mode in given and idle:
            raise UsageError(f"{mode} does not go with {', '.join(idle)}")
    for option, other in _NEED.items():
        if option in given and other not in given:
            raise UsageError(f"{option} says nothing without {other}")


def _resume(resume: bool, fresh: bool) -> bool | None:
    if resume:
        return True
    return False if fresh else None


def _store(url: str | None) -> Store:
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed

    if url is None:
        raise UsageError("--to is missing: the database, e.g. --to sqlite:///orders.db")
    return Store(url)
