"""`cyclesoft sync`: workshop orders into a database."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import anyio
import click
import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .following import Following, follow
from .progress import WorkersLines, progress_display, show_estimate, show_report, show_retried
from .receiving import SECRET_FILE, read_secrets, with_its_extra

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store, SyncEstimate, SyncReport, SyncStopped
    from cyclesoft_async.bulksync.checkpoints import StoredRun
    from cyclesoft_async.bulksync.rejected import RetriedRows

_DAY = click.DateTime(["%Y-%m-%d"])
_A_WHILE = 60.0
_NO_FIRST_DAY = "--from is missing: the first day to sync, e.g. --from 2025-01-01"
_QUOTA_USED_UP = 75  # what mail programs mean by "try again later"; Windows has no name for it


class _Days(TypedDict):
    date_from: date
    date_until: date


@click.command()
@click.option(
    "--from", "first", type=_DAY, metavar="DAY", help="First day of the scheduled start, e.g. 2025-01-01."
)
@click.option("--until", "last", type=_DAY, metavar="DAY", help="Last day, included; today by default.")
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
def sync(
    *,
    first: datetime | None,
    last: datetime | None,
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
    it was when the same command is given again within a day. With --sandbox the range is, unless you give
    one, the year that the built-in server has orders for.

    The password of a PostgreSQL database is better kept in PGPASSWORD or ~/.pgpass than in --to.
    """
    from cyclesoft_async.bulksync import Store, SyncStopped  # noqa: PLC0415 - the extra may not be installed

    if resume and fresh:
        raise UsageError("--resume and --fresh contradict each other")
    if workers and (use_sandbox or follow_on or dry_run):
        raise UsageError("--workers goes with none of --sandbox, --follow and --dry-run")
    source = use_sandbox, first and first.date(), last and last.date()
    going_on = True if resume else False if fresh else None
    following = None
    if follow_on:
        secrets = [] if inbox is None else read_secrets(secret_file)
        following = Following(days=days, share=share / 100, inbox=inbox, secrets=secrets, port=port)
    if dry_run:
        expected = anyio.run(_estimate, source, None if url is None else Store(url), going_on)
        _print_json(expected) if as_json else show_estimate(expected)
        return
    if url is None:
        raise UsageError("--to is missing: the database, e.g. --to sqlite:///orders.db")
    store = Store(url)

    def tell(report: SyncReport) -> None:
        _print_json(report) if as_json else show_report(report, store.shown_url)

    try:
        if retry_rejected:
            retried = anyio.run(_retry, store)
            _print_json(retried) if as_json else show_retried(retried)
        elif workers:
            run = anyio.run(_by_workers, source, store, going_on, as_json)
            _print_json(run) if as_json else click.echo(f"{run.orders:,} orders, {run.requests:,} requests")
        else:
            anyio.run(_sync, source, store, _Manner(going_on, wait, as_json, following), tell)
    except SyncStopped as stop:
        if as_json:
            _print_json(stop.progress)
        click.echo(f"cyclesoft: {_told(stop)}; the same command goes on then", err=True)
        raise click.exceptions.Exit(_QUOTA_USED_UP) from None


_Source = tuple[bool, date | None, date | None]
"""Whether the sandbox, the first day, the last day."""


class _Manner(NamedTuple):
    """How to sync."""

    resume: bool | None
    wait: bool
    quiet: bool
    following: Following | None


@asynccontextmanager
async def _session(source: _Source) -> AsyncGenerator[tuple[CycleSoftSession, _Days]]:
    use_sandbox, first, last = source
    if use_sandbox:
        async with Sandbox() as server, CycleSoftSession("user", "pass", base_url=server.url) as cs:
            yield cs, {"date_from": first or server.first_day, "date_until": last or server.last_day}
    elif first is None:
        raise UsageError(_NO_FIRST_DAY)
    else:
        async with session_from_user() as cs:
            yield cs, {"date_from": first, "date_until": last or datetime.now(AMSTERDAM).date()}


async def _sync(source: _Source, store: Store, manner: _Manner, tell: Callable[[SyncReport], None]) -> None:
    async with _session(source) as (cs, days):
        tell(await _bulk(cs, store, days, manner))
        if manner.following is not None:
            await follow(cs, store, manner.following)


async def _bulk(cs: CycleSoftSession, store: Store, days: _Days, manner: _Manner) -> SyncReport:
    from cyclesoft_async.bulksync import SyncStopped, sync_workshop_orders  # noqa: PLC0415 - see above

    resume = manner.resume
    with progress_display(quiet=manner.quiet) as show:
        while True:
            try:
                return await sync_workshop_orders(cs, store, **days, resume=resume, on_progress=show)
            except SyncStopped as stop:
                if not manner.wait:
                    raise
                click.echo(f"cyclesoft: {_told(stop)}; waiting for that", err=True)
                resets_at, resume = stop.resets_at, resume if not stop.progress.pages else True
            await _sleep_until(resets_at)


async def _by_workers(source: _Source, store: Store, resume: bool | None, quiet: bool) -> StoredRun:
    from cyclesoft_async.bulksync.workers import sync_with_workers  # noqa: PLC0415 - see above

    _, first, last = source
    if first is None:
        raise UsageError(_NO_FIRST_DAY)
    days: _Days = {"date_from": first, "date_until": last or datetime.now(AMSTERDAM).date()}
    return await sync_with_workers(store, **days, resume=resume, on_progress=WorkersLines(quiet=quiet))


async def _estimate(source: _Source, store: Store | None, resume: bool | None) -> SyncEstimate:
    from cyclesoft_async.bulksync import estimate  # noqa: PLC0415 - see above

    async with _session(source) as (cs, days):
        return await estimate(cs, store, **days, resume=resume)


async def _retry(store: Store) -> RetriedRows:
    async with store.open() as writer:
        return await writer.retry_rejected()


async def _sleep_until(moment: datetime) -> None:
    # In short sleeps, because a computer that was asleep itself does not count that time.
    while True:
        left = moment.timestamp() - time.time()
        if left <= 0:
            return
        await anyio.sleep(min(left, _A_WHILE))


def _told(stop: SyncStopped) -> str:
    done = stop.progress
    # Up to the next whole minute: better a little late than too early.
    back = stop.resets_at.astimezone(AMSTERDAM) + timedelta(seconds=59)
    return (
        f"the {stop.scope} quota is used up; {done.orders:,} orders are stored, about {done.pages_left:,} "
        f"requests are left; there is quota again at {back:%H:%M on %Y-%m-%d} Dutch time"
    )


def _print_json(what: object) -> None:
    click.echo(msgspec.json.encode(what))
