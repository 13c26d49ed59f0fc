"""Sync to be killed, of workshop orders or of all tables. Prints a line when it starts.

That of workshop orders prints its report if it finishes.
"""

import asyncio
import sys
from datetime import date

import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import ALL_TABLES, Store, sync, sync_workshop_orders

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)


async def main(url: str, database: str, tables: str = "") -> None:
    store = Store(database)
    async with CycleSoftSession("user", "pass", base_url=url) as cs:
        print("begins", flush=True)  # noqa: T201
        if tables:
            await sync(cs, store, ALL_TABLES, date_from=FIRST, date_until=LAST)
            return
        report = await sync_workshop_orders(cs, store, date_from=FIRST, date_until=LAST, concurrency=8)
    print(msgspec.json.encode(report).decode())  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
