"""`cyclesoft follow`: keeps a database fresh."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import anyio
import click

from .credentials import session_from_user
from .options import SECRET_FILE, check_inbox, read_secrets
from .run_options import (
    ACCEPT_MISSING,
    FROM,
    SAME_ACCOUNT,
    TO,
    UNTIL,
    check_range,
    check_required,
    combine,
    exit_suspicious,
    given_options,
    make_store,
)

_REQUIRED_WITH = {
    "--until": "--from",
    "--accept-missing": "--from",
    "--secret-file": "--inbox",
    "--port": "--inbox",
}


@click.command()
@combine(TO, FROM, UNTIL, ACCEPT_MISSING, SAME_ACCOUNT)
@click.option(
    "--days", type=click.IntRange(1), default=14, show_default=True, help="Days back, today included."
)
@click.option("--days-ahead", type=click.IntRange(0), default=60, show_default=True, help="Days after today.")
@click.option(
    "--share",
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    help="Percentage of the daily quota to spend.",
)
@click.option(
    "--inbox",
    callback=check_inbox,
    metavar="PATH|URL",
    help="Handle webhooks from this inbox; secrets as for `cyclesoft webhooks`.",
)
@SECRET_FILE
@click.option(
    "--port", type=click.IntRange(0, 65535), help="With --inbox: receive webhooks at this port on 127.0.0.1."
)
@click.pass_context
def follow(
    ctx: click.Context,
    *,
    url: str | None,
    first: date | None,
    last: date | None,
    accept_missing: bool,
    same_account: bool,
    days: int,
    days_ahead: int,
    share: int,
    inbox: str | None,
    secret_file: Path | None,
    port: int | None,
) -> None:
    """Keep the days around today fresh in a database, until stopped.

    The lists of these days are read again and again within a share of the daily quota. With --inbox, the
    orders that webhooks name are read at once.

    With --from, first copy the days from there as `cyclesoft sync --wait` does. Deliveries are received
    meanwhile, and handled afterwards.
    """
    from cyclesoft_async.bulksync import SyncSuspicious  # noqa: PLC0415 - the extra may not be installed

    from . import follow_runner, sync_runner  # noqa: PLC0415 - see above

    check_required(given_options(ctx), _REQUIRED_WITH)
    copied = None
    if first is not None:
        copied = sync_runner.SyncOptions(
            first=check_range(first, last), last=last, resume=None, accept_missing=accept_missing
        )
    store = make_store(url, adopt=same_account)
    options = follow_runner.FollowOptions(
        days=days,
        days_ahead=days_ahead,
        share=share / 100,
        inbox=inbox,
        secrets=[] if inbox is None else read_secrets(secret_file),
        port=port,
    )
    try:
        anyio.run(partial(follow_runner.follow, session_from_user(), store, options, copied))
    except SyncSuspicious as suspicion:
        exit_suspicious(suspicion)
