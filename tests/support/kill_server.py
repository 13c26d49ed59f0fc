"""Receiver to be killed. Its handler appends a line to a file for every event."""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import web

from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox, WebhookReceiver, events


async def main(place: str, seen: str, secret: str) -> None:
    log = os.open(seen, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    inbox = PostgresInbox(place, lease_seconds=3.0) if "://" in place else SqliteInbox(place)
    hooks = WebhookReceiver(secret, inbox, retry_after=0.01)

    @hooks.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        order = event.payload
        os.write(log, f"{order.workshop_order_id} {order.status_id} {event.id}\n".encode())
        await asyncio.sleep(0)

    runner = web.AppRunner(hooks.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    os.write(1, f"{runner.addresses[0][1]}\n".encode())
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
