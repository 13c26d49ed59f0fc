"""Receiver for a load balancer: all receivers share the inbox in INBOX.

INBOX is a path, or the URL of a PostgreSQL database. The password comes from PGPASSWORD or ~/.pgpass.
It listens at HOST and PORT, by default at all addresses and 8080.
"""

import logging
import os

from aiohttp import web

from cyclesoft_async.webhooks import (
    PostgresInbox,
    SqliteInbox,
    WebhookReceiver,
    cut_unread_bodies,
    events,
    split_secrets,
)

logger = logging.getLogger("receiver")

place = os.environ.get("INBOX", "inbox.db")
receiver = WebhookReceiver(
    secrets=split_secrets(os.environ["CYCLESOFT_WEBHOOK_SECRETS"]),
    inbox=PostgresInbox(place) if "://" in place else SqliteInbox(place),
)


@receiver.on(events.WorkshopOrderEvent)
async def handle(event: events.WorkshopOrderEvent) -> None:
    logger.info("%s: %d", event.event_name, event.payload.workshop_order_id)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app = web.Application(middlewares=[cut_unread_bodies])
    receiver.add_to(app, "/cyclesoft")
    port = int(os.environ.get("PORT", "8080"))
    web.run_app(app, host=os.environ.get("HOST"), port=port, access_log=None, shutdown_timeout=10)
