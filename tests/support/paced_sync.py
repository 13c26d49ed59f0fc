"""Sync against a sandbox with the real minutely limit. Prints its duration."""

import asyncio
import sys
import time
from datetime import date, timedelta

import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.sandbox import Sandbox

from .sync import YEAR


async def main(database: str, orders: str) -> None:
    # As dense as 20,000 orders in a year.
    days = timedelta(days=int(orders) * 365 // 20_000)
    first_day = date(2025, 1, 1)
    sandbox = Sandbox(
        orders=int(orders), page_size=4, minutely_limit=360, first_day=first_day, last_day=first_day + days
    )
    async with sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        began = time.monotonic()
        report = await sync_workshop_orders(cs, Store(database), **YEAR)
        seconds = time.monotonic() - began
    told = {
        "seconds": seconds,
        "requests": sandbox.received,
        "refused": sandbox.refused,
        "orders": report.orders,
    }
    print(msgspec.json.encode(told).decode())  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
