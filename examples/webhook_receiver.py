"""Webhook receiver: verifies, stores and acknowledges deliveries, then handles them in order.

Runs against the built-in sandbox, which changes an order and sends events. Your own server needs only the
part up to `main`, and `web.run_app(app)`.
"""

import anyio
from aiohttp import web

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events

SIGNED_WITH = "the secret that CycleSoftware gave you"

app = web.Application()
receiver = WebhookReceiver(secrets=[SIGNED_WITH], inbox=SqliteInbox("inbox.db"))
receiver.add_to(app, "/cyclesoft")

finished = anyio.Event()


@receiver.on(events.WorkshopOrderEvent)
async def report(event: events.WorkshopOrderEvent) -> None:
    order = event.payload
    print(f"{event.event_name}: {order.workshop_order_id} is now {order.status_text!r}")


@receiver.on(events.SalesOrderInvoiced)
async def invoiced(event: events.SalesOrderInvoiced) -> None:
    print(f"{event.event_name}: invoice {event.payload.invoice_number}")
    finished.set()


async def main() -> None:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/cyclesoft"
    async with (
        Sandbox(orders=0) as sandbox,
        Deliveries(sandbox, url, SIGNED_WITH),
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        work = models.WorkshopOrderCreate(repair_description="Band plakken", repair_codes=["110"])
        order = await cs.workshop_orders.create(1001, work)
        await cs.workshop_orders.update(
            1001, order.workshop_order_id, models.WorkshopOrderUpdate(status_id=7)
        )
        await cs.workshop_orders.create_invoices(order.workshop_order_id)
        await finished.wait()
    await runner.cleanup()


anyio.run(main)
