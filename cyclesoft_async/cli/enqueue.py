"""`cyclesoft enqueue`: a sync whose windows are read by `cyclesoft worker` processes."""

from __future__ import annotations

from datetime import date

import anyio
import click

from .output import print_run
from .run_options import (
    ACCEPT_MISSING,
    FRESH,
    FROM,
    JSON,
    MAX_REJECTED,
    RESUME,
    TO,
    UNTIL,
    check_range,
    check_rejected,
    combine,
    exit_suspicious,
    make_store,
    print_result,
    resume_choice,
)


@click.command(short_help="Enqueue a sync for `cyclesoft worker` processes.")
@combine(FROM, UNTIL, TO, RESUME, FRESH, ACCEPT_MISSING, MAX_REJECTED, JSON)
def enqueue(
    *,
    first: date | None,
    last: date | None,
    url: str | None,
    resume: bool,
    fresh: bool,
    accept_missing: bool,
    max_rejected: int | None,
    as_json: bool,
) -> None:
    """Enqueue a sync for `cyclesoft worker` processes, and wait until they have read it.

    --to is a PostgreSQL database, the same as the workers' --database. It needs no account. When it is
    stopped the workers carry on, and the same command waits for the same run again.
    """
    from cyclesoft_async.bulksync import SyncSuspicious  # noqa: PLC0415 - the extra may not be installed

    from . import sync_runner  # noqa: PLC0415 - see above

    options = sync_runner.SyncOptions(
        first=check_range(first, last),
        last=last,
        resume=resume_choice(resume, fresh),
        accept_missing=accept_missing,
    )
    try:
        run = anyio.run(sync_runner.sync_by_workers, make_store(url), options, as_json)
    except SyncSuspicious as suspicion:
        exit_suspicious(suspicion)
    print_result(run, print_run, as_json=as_json)
    check_rejected(run.rejected, run.orders, max_rejected)
