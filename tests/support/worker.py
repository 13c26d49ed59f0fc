"""Worker process of the tests, run until killed: `python -m tests.support.worker DATABASE BASE_URL`."""

import asyncio
import sys

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.workers import work
from cyclesoft_async.quota.postgres import PostgresLedger

LEASE_SECONDS = 2.0


async def main(database: str, base_url: str) -> None:
    ledger = PostgresLedger(database)
    async with CycleSoftSession("user", "pass", base_url=base_url, ledger=ledger) as cs:
        await work(cs, Store(database), lease=LEASE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
