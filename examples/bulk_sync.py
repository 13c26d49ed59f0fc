"""Bulk sync: a year of workshop orders into SQLite, after asking what it costs.

Stop it with Ctrl-C and start it again: it goes on where it was. Runs against the built-in sandbox; with an
account, use CycleSoftSession.from_env() instead.
"""

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, SyncStopped, estimate, sync_workshop_orders
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.sandbox import Sandbox


async def main() -> None:
    async with Sandbox() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        store = Store("sqlite:///orders.db")
        first, last = sandbox.first_day, sandbox.last_day
        expected = await estimate(cs, store, date_from=first, date_until=last)
        print(f"about {expected.requests} requests, {expected.minutes:.0f} minutes, {expected.days} days")
        try:
            report = await sync_workshop_orders(
                cs,
                store,
                date_from=first,
                date_until=last,
                on_progress=lambda seen: print(
                    f"{seen.orders:,} orders, about {seen.pages_left} pages to go"
                ),
            )
        except SyncStopped as stop:
            print(f"no quota left today; start again at {stop.resets_at.astimezone(AMSTERDAM):%H:%M}")
            return
    print(f"{report.orders:,} orders in {report.seconds:.1f} s, {report.requests} requests")
    print(f"{report.quota.daily.remaining:,} requests left today")


anyio.run(main)
