"""`cyclesoft quota`: what is left of the account's quota."""

from __future__ import annotations

from datetime import date

import anyio
import click
import msgspec

from cyclesoft_async import CycleSoftSession, QuotaSnapshot, WindowQuota
from cyclesoft_async.models import AMSTERDAM

from .credentials import session_from_user

# A day without orders: the smallest answer that still has the quota's headers.
_EMPTY_DAY = date(1970, 1, 1)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def quota(as_json: bool) -> None:
    """Show the account's quota, at the price of one request."""
    seen = anyio.run(_ask, session_from_user())
    if as_json:
        click.echo(msgspec.json.encode(seen))
    else:
        click.echo(_line("minutely", seen.minutely))
        click.echo(_line("daily", seen.daily))


async def _ask(cs: CycleSoftSession) -> QuotaSnapshot:
    async with cs:
        await cs.workshop_orders.list(date_from=_EMPTY_DAY, date_until=_EMPTY_DAY)
        return cs.quota


def _line(name: str, window: WindowQuota) -> str:
    resets = (
        f", resets {window.resets_at.astimezone(AMSTERDAM):%Y-%m-%d %H:%M:%S %Z}" if window.resets_at else ""
    )
    return f"{name:<9}{window.remaining:,} of {window.limit:,} left{resets} ({window.source})"
