"""Bulk sync: estimate the cost of a year of workshop orders, then copy them into SQLite.

Stop it with Ctrl-C and start it again: it resumes where it stopped. Runs against the built-in sandbox. With
an account, use CycleSoftSession.from_env().
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
                on_progress=lambda progress: print(
                    f"{progress.orders:,} orders, about {progress.pages_left} pages left"
                ),
            )
        except SyncStopped as stop:
            print(f"daily quota used up; start again at {stop.resets_at.astimezone(AMSTERDAM):%H:%M}")
            return
    print(f"{report.orders:,} orders in {report.seconds:.1f} s, {report.requests} requests")
    print(f"{report.quota.daily.remaining:,} requests left today")


anyio.run(main)
