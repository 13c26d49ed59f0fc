"""Sync to be killed. Prints a line when it starts, and its report if it finishes."""

import asyncio
import sys
from datetime import date

import msgspec

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders


async def main(url: str, database: str) -> None:
    async with CycleSoftSession("user", "pass", base_url=url) as cs:
        print("begins", flush=True)  # noqa: T201
        report = await sync_workshop_orders(
            cs, Store(database), date_from=date(2025, 1, 1), date_until=date(2025, 12, 31), concurrency=8
        )
    print(msgspec.json.encode(report).decode())  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
