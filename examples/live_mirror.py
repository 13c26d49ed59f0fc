"""Live mirror: copy all workshop orders into a database, then keep them fresh.

The follower reads the last days again within a share of the daily quota, and refetches the orders that
webhooks name. So the mirror has the same columns for every order, and holds its present state even if events
are late or out of order. Runs against the built-in sandbox, which duplicates and reorders events.
"""

import anyio
from aiohttp import web

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.bulksync import Follower, Store, sync_workshop_orders
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events

SIGNED_WITH = "the secret that CycleSoftware gave you"
CHANGES = 5


async def main() -> None:
    async with Sandbox(orders=2_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        store = Store("sqlite:///mirror.db")
        receiver = WebhookReceiver(secrets=[SIGNED_WITH], inbox=SqliteInbox("inbox.db"))
        follower = Follower(cs, store, days=14, share=0.2)
        follower.listen(receiver)
        fresh: set[int] = set()
        all_fresh = anyio.Event()

        @receiver.on(events.WorkshopOrderEvent)  # handlers of an event run in the order of their registration
        async def report(event: events.WorkshopOrderEvent) -> None:
            print(f"order {event.payload.workshop_order_id} changed; its present state is stored")
            fresh.add(event.payload.workshop_order_id)
            if len(fresh) == CHANGES:
                all_fresh.set()

        runner = web.AppRunner(receiver.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

        # Receive first and sync then: a change in between is in one of the two, or in both.
        async with Deliveries(sandbox, url, SIGNED_WITH, duplicate=0.5, reorder=0.5) as deliveries:
            days = sandbox.first_day, sandbox.last_day
            synced = await sync_workshop_orders(cs, store, date_from=days[0], date_until=days[1])
            print(f"{synced.orders:,} orders at first")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follower.run)
                page = await cs.workshop_orders.list(date_from=days[0], date_until=days[1])
                for order in page.items[:CHANGES]:
                    change = models.WorkshopOrderUpdate(repair_description="Meteen gedaan")
                    await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
                await deliveries.settled()
                await all_fresh.wait()
                tasks.cancel_scope.cancel()
        await runner.cleanup()


anyio.run(main)
