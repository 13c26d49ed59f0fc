"""Book a repair: find or create customer and bike, find a day with room, create the order."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Sandbox


async def book(cs: CycleSoftSession, email: str, frame: str, code: str, start: date) -> models.WorkshopOrder:
    found = await cs.customers.find(email=email)
    customer = found[0] if found else await cs.customers.create(models.CustomerCreate(email=email))
    owner = customer.customer_id or 0
    bikes = [bike for bike in await cs.repair_objects.of_customer(owner) if bike.frame_id == frame]
    new = models.RepairObjectCreate(frame_id=frame)
    bike = bikes[0] if bikes else await cs.repair_objects.create(owner, new)
    minutes = {repair.code: repair.time_minutes for repair in await cs.workshop.repair_codes()}[code] or 0
    days = await cs.workshop.trading_hours(1, start_date=start, day_count=14)
    day = next(day for day in days if day.date and (day.available_minutes or 0) >= minutes)
    at = datetime.combine(day.date or start, time(9), models.AMSTERDAM)
    mechanic = max(day.availability_per_employee, key=lambda one: one.available_minutes or 0)
    order = models.WorkshopOrderCreate(
        store_id=1, repair_object_id=bike.object_id, repair_codes=[code], datetime_scheduled_start=at,
        mechanic_employee_id=mechanic.employee_id or 0, reference_text=f"web {frame} {at:%Y-%m-%d}",
    )  # fmt: skip
    return await cs.workshop_orders.create(owner, order, once=True)


async def main() -> None:
    async with Sandbox(orders=300) as box, CycleSoftSession("user", "pass", base_url=box.url) as cs:
        order = await book(cs, "vos@example.nl", "GZ123", "202", date(2025, 12, 1))
        print(f"booked {order.workshop_order_id} on {order.datetime_scheduled_start}")


if __name__ == "__main__":
    asyncio.run(main())
