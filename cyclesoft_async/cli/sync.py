"""`cyclesoft sync`: workshop orders into a database."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import anyio
import click
import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox

from .credentials import session_from_user
from .progress import progress_display, show_report

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store, SyncReport

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option(
    "--from", "first", type=_DAY, metavar="DAY", help="First day of the scheduled start, e.g. 2025-01-01."
)
@click.option("--until", "last", type=_DAY, metavar="DAY", help="Last day, included; today by default.")
@click.option("--to", "url", required=True, metavar="URL", help="The database, e.g. sqlite:///orders.db.")
@click.option("--sandbox", "use_sandbox", is_flag=True, help="From the built-in server; needs no account.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def sync(first: datetime | None, last: datetime | None, url: str, use_sandbox: bool, as_json: bool) -> None:
    """Copy the workshop orders of a range of days into a database.

    Orders that are there already are updated. With --sandbox the range is, unless you give one, the year that
    the built-in server has orders for.
    """
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed

    store = Store(url)
    days = first.date() if first else None, last.date() if last else None
    report = anyio.run(_from_sandbox if use_sandbox else _from_account, store, *days, as_json)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        show_report(report, url)


async def _from_account(store: Store, first: date | None, last: date | None, quiet: bool) -> SyncReport:
    if first is None:
        raise UsageError("--from is missing: the first day to sync, e.g. --from 2025-01-01")
    async with session_from_user() as cs:
        return await _sync(cs, store, first, last or datetime.now(AMSTERDAM).date(), quiet)


async def _from_sandbox(store: Store, first: date | None, last: date | None, quiet: bool) -> SyncReport:
    async with Sandbox() as server, CycleSoftSession("user", "pass", base_url=server.url) as cs:
        return await _sync(cs, store, first or server.first_day, last or server.last_day, quiet)


async def _sync(cs: CycleSoftSession, store: Store, first: date, last: date, quiet: bool) -> SyncReport:
    from cyclesoft_async.bulksync import sync_workshop_orders  # noqa: PLC0415 - see above

    with progress_display(quiet=quiet) as show:
        return await sync_workshop_orders(cs, store, date_from=first, date_until=last, on_progress=show)
