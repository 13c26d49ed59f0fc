"""Tasks of `cyclesoft follow`: webhooks from the start, and refresh rounds. Needs the extra `store`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import click
from aiohttp import web
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Follower, Store, SyncReport
from cyclesoft_async.webhooks import WebhookReceiver

from .counted import counted
from .options import make_inbox
from .output import print_report
from .sync_runner import SyncOptions, copy_orders


class FollowOptions(Struct, frozen=True, kw_only=True):
    """What to follow."""

    days: int
    days_ahead: int
    share: float
    """Share of the daily quota, above 0 and at most 1."""
    inbox: str | None
    """Path or URL of the inbox; None: no webhooks."""
    secrets: list[str]
    port: int | None
    """Port on 127.0.0.1 for deliveries; None handles deliveries that another receiver stores."""


async def follow(
    cs: CycleSoftSession, store: Store, options: FollowOptions, copied: SyncOptions | None
) -> None:
    """Follow until cancelled.

    Args:
        cs: The session.
        store: The database.
        options: What to follow.
        copied: Days to copy first; None for none.
    """
    # Deliveries are received from the start: their orders may lie in days that have been read already.
    async with cs, _open_follower(cs, store, options) as follower:
        if copied is not None:
            report = await copy_orders(cs, store, copied, wait=True, quiet=False)
            print_report(report, store=store.shown_url)
        await follower.run(on_round=_print_round)


@asynccontextmanager
async def _open_follower(cs: CycleSoftSession, store: Store, how: FollowOptions) -> AsyncGenerator[Follower]:
    """Yield a follower. With an inbox, receive deliveries, which wait there until the follower runs."""
    follower = Follower(cs, store, days=how.days, days_ahead=how.days_ahead, share=how.share)
    if how.inbox is None:
        yield follower
        return
    inbox = make_inbox(how.inbox)
    receiver = WebhookReceiver(how.secrets, inbox)
    follower.listen(receiver)
    runner = web.AppRunner(receiver.app(), access_log=None)
    await runner.setup()
    try:
        if how.port is not None:
            await web.TCPSite(runner, "127.0.0.1", how.port).start()
            host, port = runner.addresses[0][:2]
            click.echo(f"webhooks: http://{host}:{port}/ into {inbox!r}", err=True)
        yield follower
    finally:
        await runner.cleanup()


def _print_round(report: SyncReport) -> None:
    """Print a line for a refresh round."""
    click.echo(
        f"refreshed: {counted(report.orders, 'order')}, {counted(report.requests_now, 'request')};"
        f" {report.quota.daily.remaining:,} left today",
        err=True,
    )
