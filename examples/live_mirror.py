"""Live mirror: all workshop orders in a database once, then kept fresh by webhooks.

A webhook says which order changed and on which day it is planned; the handler syncs that day again. So the
mirror has the same columns whichever way an order came, and what is stored is the present, however late or
disordered the events are. Runs against the built-in sandbox, which sends some twice and out of order.
"""

import anyio
from aiohttp import web

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events

SIGNED_WITH = "the secret that CycleSoftware gave you"
CHANGES = 5


def mirror(cs: CycleSoftSession, store: Store, fresh: anyio.Event) -> WebhookReceiver:
    # One at a time: the store has one writer.
    receiver = WebhookReceiver(secrets=[SIGNED_WITH], inbox=SqliteInbox("inbox.db"), concurrency=1)
    seen: set[int] = set()

    @receiver.on(events.WorkshopOrderEvent)
    async def refresh(event: events.WorkshopOrderEvent) -> None:
        start = event.payload.datetime_scheduled_start
        if start is None or event.stale:
            return  # not planned, so in no list; or a newer event of the order has been here before
        report = await sync_workshop_orders(cs, store, date_from=start.date(), date_until=start.date())
        number = event.payload.workshop_order_id
        seen.add(number)
        if len(seen) == CHANGES:
            fresh.set()
        print(f"order {number} changed: synced the {report.orders} orders of {start:%d %B}")

    return receiver


async def main() -> None:
    async with Sandbox(orders=2_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        store = Store("sqlite+aiosqlite:///mirror.db")
        fresh = anyio.Event()
        runner = web.AppRunner(mirror(cs, store, fresh).app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

        # Receive first and sync then: what changes meanwhile is in one of the two, or in both.
        async with Deliveries(sandbox, url, SIGNED_WITH, duplicate=0.5, reorder=0.5) as deliveries:
            days = sandbox.first_day, sandbox.last_day
            report = await sync_workshop_orders(cs, store, date_from=days[0], date_until=days[1])
            print(f"{report.orders:,} orders at first")

            page = await cs.workshop_orders.list(date_from=days[0], date_until=days[1])
            for order in page.items[:CHANGES]:
                change = models.WorkshopOrderUpdate(repair_description="Meteen gedaan")
                await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
            await deliveries.settled()
            await fresh.wait()
        await runner.cleanup()


anyio.run(main)
