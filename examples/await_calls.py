"""API calls: create a repair, update it, invoice it, and save the invoice's PDF.

Runs against the built-in sandbox. With an account, use CycleSoftSession.from_env().
"""

from datetime import datetime, timedelta

import anyio

from cyclesoft_async import CycleSoftSession, errors, models
from cyclesoft_async.sandbox import Sandbox

CUSTOMER = 1006


async def main() -> None:
    async with Sandbox() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        order = await cs.workshop_orders.create(
            CUSTOMER,
            models.WorkshopOrderCreate(
                repair_description="Kleine beurt",
                reference_text="webshop-4711",
                datetime_scheduled_start=datetime.now(models.AMSTERDAM) + timedelta(days=1),
                order_items=[
                    models.WorkshopOrderItemInput(
                        description="Kleine beurt", quantity=1, unit_price_in_vat_cents=4995, vat_code=1
                    )
                ],
            ),
        )
        print(f"order {order.workshop_order_id}: {order.repair_description}, {order.status_text}")

        order = await cs.workshop_orders.update(
            CUSTOMER, order.workshop_order_id, models.WorkshopOrderUpdate(status_id=7)
        )
        print(f"now: {order.status_text}")

        for invoice in await cs.workshop_orders.create_invoices(order.workshop_order_id, book=True):
            for document in invoice.documents:
                file = anyio.Path(f"{invoice.invoice_number}.pdf")
                await file.write_bytes(document.content)
                print(f"invoice {invoice.invoice_number} is in {file}")

        try:
            await cs.workshop_orders.get(CUSTOMER, 1)
        except errors.NotFoundError as error:
            print(f"as expected: {error}")

        print(f"requests left this minute: {cs.quota.minutely.remaining}")


anyio.run(main)
