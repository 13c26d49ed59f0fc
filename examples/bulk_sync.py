"""Bulk sync: a year of workshop orders into SQLite, eight windows of days at a time.

Runs against the built-in sandbox; with an account, use CycleSoftSession.from_env() instead.
"""

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.sandbox import Sandbox


async def main() -> None:
    async with Sandbox() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        report = await sync_workshop_orders(
            cs,
            Store("sqlite+aiosqlite:///orders.db"),
            date_from=sandbox.first_day,
            date_until=sandbox.last_day,
            on_progress=lambda seen: print(f"{seen.windows_done}/{seen.windows}: {seen.orders:,} orders"),
        )
    print(f"{report.orders:,} orders in {report.seconds:.1f} s, {report.requests} requests")
    print(f"{report.quota.daily.remaining:,} requests left today")


anyio.run(main)
