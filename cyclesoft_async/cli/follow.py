"""What `cyclesoft sync --follow` has beside the bulk sync: webhooks from the start, and rounds after it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click
from aiohttp import web
from msgspec import Struct

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.webhooks import WebhookReceiver

from .options import inbox_at

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Follower, Store, SyncReport


class Following(Struct, frozen=True, kw_only=True):
    """How to follow."""

    days: int
    share: float
    """Of the daily quota, more than 0 and at most 1."""
    inbox: str | None
    """A path or a URL; None takes no webhooks."""
    secrets: list[str]
    port: int | None
    """On 127.0.0.1, for deliveries; None only handles what is in the inbox, or comes into it."""


@asynccontextmanager
async def following(cs: CycleSoftSession, store: Store, how: Following) -> AsyncGenerator[Follower]:
    """Take deliveries, if they are wanted; they wait in the inbox until the follower runs."""
    from cyclesoft_async.bulksync import Follower  # noqa: PLC0415 - the extra may not be installed

    follower = Follower(cs, store, days=how.days, share=how.share)
    if how.inbox is None:
        yield follower
        return
    inbox = inbox_at(how.inbox)
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


def tell_round(report: SyncReport) -> None:
    """A line for every time that the days were read again."""
    click.echo(
        f"read again: {report.orders:,} orders, {report.requests_now:,} requests;"
        f" {report.quota.daily.remaining:,} left today",
        err=True,
    )
