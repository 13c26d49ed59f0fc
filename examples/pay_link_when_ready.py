"""When a repair is ready, create a link to pay it and note that on the order. Runs against the sandbox."""

import anyio

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

ORDER, READY, LABEL = models.EntityType.SALES_ORDER, models.WorkshopOrderStatus.COMPLETED, "betaallink"
receiver = WebhookReceiver([SECRET], SqliteInbox("inbox.db"))


async def send_link(cs: CycleSoftSession, order_id: int) -> None:
    order = {"entity_type_id": ORDER, "entity_id": order_id}
    if LABEL in await cs.labels.get(**order):  # an event can come twice
        return
    link = await cs.payments.order_link(order_id)
    note = models.CommentCreate(comment_type_id=1, employee_id=1, comment=link.payment_url or "", **order)
    await cs.comments.create(note)
    print(f"order {order_id}: {note.comment}, labels {await cs.labels.attach(**order, labels=[LABEL])}")


async def main() -> None:
    async with Sandbox() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:

        @receiver.on(events.WorkshopOrderEvent)
        async def changed(event: events.WorkshopOrderEvent) -> None:
            if event.payload.status_id == READY and event.payload.sales_order is not None:
                await send_link(cs, event.payload.sales_order.sales_order_id or 0)

        async with ReceiverHarness(receiver) as hooks, Deliveries(sandbox, hooks.url, SECRET) as shop:
            work = models.WorkshopOrderCreate(repair_codes=["110"], status_id=READY)
            await cs.workshop_orders.create(1001, work)
            await shop.settled()
            await hooks.settled()


anyio.run(main)
