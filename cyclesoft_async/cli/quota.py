"""`cyclesoft quota`: the account's remaining quota."""

from __future__ import annotations

from datetime import date

import anyio
import click
import msgspec

from cyclesoft_async import CycleSoftSession, QuotaSnapshot, WindowQuota
from cyclesoft_async.models import AMSTERDAM

from .credentials import session_from_user

# A day without orders: the smallest response with rate limit headers.
_EMPTY_DAY = date(1970, 1, 1)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def quota(as_json: bool) -> None:
    """Show the account's remaining quota. Costs one request."""
    snapshot = anyio.run(_fetch_quota, session_from_user())
    if as_json:
        click.echo(msgspec.json.encode(snapshot))
    else:
        click.echo(_line("minutely", snapshot.minutely))
        click.echo(_line("daily", snapshot.daily))


async def _fetch_quota(cs: CycleSoftSession) -> QuotaSnapshot:
    async with cs:
        await cs.workshop_orders.list(date_from=_EMPTY_DAY, date_until=_EMPTY_DAY)
        return cs.quota


def _line(name: str, window: WindowQuota) -> str:
    resets = (
        f", resets {window.resets_at.astimezone(AMSTERDAM):%Y-%m-%d %H:%M:%S %Z}" if window.resets_at else ""
    )
    return f"{name:<9}{window.remaining:,} of {window.limit:,} left{resets} ({window.source})"
