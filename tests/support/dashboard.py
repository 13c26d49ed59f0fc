"""A receiver with a dashboard and some deliveries, on a loopback socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from cyclesoft_async.webhooks import (
    PostgresInbox,
    Reject,
    SqliteInbox,
    WebhookReceiver,
    cut_unread_bodies,
    events,
    testing,
)
from cyclesoft_async.webhooks.dashboard import Operator, PasswordFile, add_dashboard

PASSWORD = "correct horse battery"
HOSTILE = "<script>document.title='owned'</script>\u202e\x07\"'>"
PERSON = "Jansen-canary"


class Dashboard(NamedTuple):
    """A running dashboard."""

    url: str
    receiver: WebhookReceiver
    handled: list[int]
    broken: set[int]
    """Orders whose handler fails."""

    async def send(self, order_id: int, *, delivery_id: str | None = None, **payload: object) -> int:
        """Deliver an event, and return the status of the answer."""
        person = {"customer_id": 3, "name": PERSON, "email": "canary@example.nl"}
        signed = testing.delivery(
            events.WorkshopOrderUpdated,
            {
                "workshop_order_id": order_id,
                "status_id": 7,
                "repair_description": HOSTILE,
                "sales_order": {"sales_order_id": order_id, "customer_id": 3, "customer": person},
                **payload,
            },
            secret=testing.SECRET,
            id=delivery_id,
        )
        answer = await self.receiver.receive(signed.body, signed.headers)
        return answer.status


@asynccontextmanager
async def running_dashboard(
    inbox: SqliteInbox | PostgresInbox, folder: Path, *, proxy_user: bool = False
) -> AsyncGenerator[Dashboard]:
    """Serve a receiver at / and its dashboard at /inbox.

    Args:
        inbox: The inbox.
        folder: Where the password file is written.
        proxy_user: Whether a header names the operator, as a proxy would, instead of a password file.
    """
    receiver = WebhookReceiver([testing.SECRET], inbox, retry_for=0.0)
    handled: list[int] = []
    broken: set[int] = set()

    @receiver.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        if event.payload.workshop_order_id in broken:
            raise Reject(f"kaputt {HOSTILE}")
        handled.append(event.payload.workshop_order_id)

    async def authorize(request: web.Request) -> Operator | None:
        name = request.headers.get("X-User")
        return None if name is None else Operator(name, may_act=name != "bert")

    app = web.Application(middlewares=[cut_unread_bodies])
    receiver.add_to(app, "/")
    if proxy_user:
        receiver.add_dashboard_to(app, "/inbox", authorize=authorize)
    else:
        passwords = folder / "passwords"
        passwords.write_text(f"anna:operator:{PASSWORD}\nbert:viewer:{PASSWORD}\n")
        add_dashboard(app, "/inbox", inbox, PasswordFile(passwords))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Dashboard(f"http://127.0.0.1:{runner.addresses[0][1]}/inbox", receiver, handled, broken)
    finally:
        await runner.cleanup()
