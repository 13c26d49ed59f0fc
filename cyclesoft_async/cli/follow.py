"""`cyclesoft sync --follow`: webhooks from the start, and refresh rounds after the bulk sync."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click
from aiohttp import web
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.webhooks import WebhookReceiver

from .options import make_inbox

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Follower, Store, SyncReport


class FollowOptions(Struct, frozen=True, kw_only=True):
    """Options of --follow."""

    days: int
    days_ahead: int
    share: float
    """Share of the daily quota, above 0 and at most 1."""
    inbox: str | None
    """Path or URL of the inbox; None: no webhooks."""
    secrets: list[str]
    port: int | None
    """Port on 127.0.0.1 for deliveries; None handles deliveries that another receiver stores."""


@asynccontextmanager
async def open_follower(cs: CycleSoftSession, store: Store, how: FollowOptions) -> AsyncGenerator[Follower]:
    """Yield a follower. With an inbox, receive deliveries, which wait there until the follower runs."""
    from cyclesoft_async.bulksync import Follower  # noqa: PLC0415 - the extra may not be installed

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


def print_round(report: SyncReport) -> None:
    """Print a line for a refresh round."""
    click.echo(
        f"refreshed: {report.orders:,} orders, {report.requests_now:,} requests;"
        f" {report.quota.daily.remaining:,} left today",
        err=True,
    )
