"""Which repairs are ready for pickup: customer, telephone number and bike. Runs against a sandbox."""

from __future__ import annotations

import asyncio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.sandbox import Sandbox

READY = 7


async def print_ready(cs: CycleSoftSession) -> int:
    count = 0
    async for order in cs.workshop_orders.list(status_ids=[READY]):
        customer = await cs.customers.get(order.customer_id or 0)
        bike = await cs.repair_objects.get_by_id(order.repair_object_id or 0)
        numbers = {number.phone_number_id: number.phone_number for number in customer.phone_numbers}
        print(
            f"{order.workshop_order_id}  {bike.brand} {bike.model} ({order.repair_description})  "
            f"{customer.first_name} {customer.name}, {numbers.get(order.phone_number_id)}"
        )
        count += 1
    return count


async def main() -> None:
    async with (
        Sandbox(orders=3_000) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        print(await print_ready(cs), "repairs are ready")


if __name__ == "__main__":
    asyncio.run(main())
