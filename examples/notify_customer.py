"""Text a customer whose repair is ready, once, from the webhook alone. Runs against a sandbox."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

READY = 7


def notify(receiver: WebhookReceiver, texts: dict[int, str]) -> None:
    @receiver.on(events.WorkshopOrderCreated, events.WorkshopOrderUpdated)
    async def ready(event: events.WorkshopOrderCreated | events.WorkshopOrderUpdated) -> None:
        order, sale = event.payload, event.payload.sales_order
        number, customer = order.workshop_order_id, None if sale is None else sale.customer
        if order.status_id != READY or number in texts or customer is None:
            return  # keep `texts` in your database
        mobile = next(one.phone_number for one in customer.phone_numbers if one.phone_number_id == "mob")
        texts[number] = f"{mobile}: {customer.first_name}, your bike is ready ({order.repair_description})"


async def main() -> None:
    with TemporaryDirectory() as folder:
        receiver, texts = WebhookReceiver([SECRET], SqliteInbox(Path(folder, "inbox.db"))), dict[int, str]()
        notify(receiver, texts)
        repair = {"customer_id": 1001, "status_id": READY, "repair_description": "Band plakken"}
        async with ReceiverHarness(receiver) as hook, Sandbox(orders=20) as sandbox:
            async with Deliveries(sandbox, hook.url, SECRET, duplicate=1.0) as deliveries:
                sandbox.add(order=repair)
                await deliveries.settled()
            await hook.settled()
        print(*texts.values())


if __name__ == "__main__":
    asyncio.run(main())
