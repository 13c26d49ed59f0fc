"""Whose bike is due for its yearly service, and where to write to them. Runs against a sandbox."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Sandbox


async def reminders(cs: CycleSoftSession, *, until: date) -> list[str]:
    found: list[str] = []
    async for item in cs.service_items.list():
        if not item.is_open or item.is_scheduled or item.scheduled_at is None or item.scheduled_at > until:
            continue
        customer = await cs.customers.get(item.customer_id or 0)
        bike = await cs.repair_objects.get_by_id(item.object_id or 0)
        found.append(f"{customer.email}: {item.title} of {bike.brand} {bike.model} on {item.scheduled_at}")
    return found


async def main() -> None:
    async with (
        Sandbox(orders=300) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        for line in await reminders(cs, until=datetime.now(models.AMSTERDAM).date() + timedelta(days=365)):
            print(line)


if __name__ == "__main__":
    asyncio.run(main())
