"""Shop questions: SQL queries of a bike shop on its copy of the workshop orders.

The view `workshop_orders_amsterdam` has Dutch wall times, the table `workshop_orders` has UTC. Runs against
the built-in sandbox. With an account, use CycleSoftSession.from_env().
"""

import sqlite3
from contextlib import closing

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.sandbox import Sandbox

REPAIRS_A_MECHANIC_A_WEEK = """
    SELECT strftime('%Y-W%W', datetime_scheduled_start) AS week, mechanic_employee_id,
           count(*) AS repairs, sum(total_repair_time_minutes) / 60 AS hours
      FROM workshop_orders_amsterdam
     WHERE is_active AND status_id NOT IN (15, 16)  -- cancelled, rejected
     GROUP BY 1, 2
     ORDER BY 1, 2
"""
OPEN_FOR_MORE_THAN_14_DAYS = """
    SELECT workshop_order_id, status_text, date(datetime_scheduled_start) AS planned,
           CAST(julianday(:today) - julianday(date(datetime_scheduled_start)) AS INTEGER) AS days
      FROM workshop_orders_amsterdam
     WHERE is_active AND status_id NOT IN (8, 15, 16)  -- handed over, cancelled, rejected
       AND datetime_scheduled_start < date(:today, '-14 days')
     ORDER BY planned
"""
MOST_USED_PARTS = """
    SELECT description, barcode, sum(CAST(quantity AS REAL)) AS pieces, sum(price_in_vat_cents) AS cents
      FROM workshop_order_items
     WHERE barcode <> '' AND item_status_id <> 5  -- not cancelled
     GROUP BY 1, 2
     ORDER BY pieces DESC, 1
     LIMIT 5
"""


async def main() -> None:
    async with Sandbox(orders=5_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        first, last = sandbox.first_day, sandbox.last_day
        await sync_workshop_orders(cs, Store("sqlite:///shop.db"), date_from=first, date_until=last)
        ask(today=last.isoformat())


def ask(today: str) -> None:
    with closing(sqlite3.connect("shop.db")) as database:
        weeks = database.execute(REPAIRS_A_MECHANIC_A_WEEK).fetchall()
        for week, mechanic, repairs, hours in weeks[:5]:
            print(f"{week}: mechanic {mechanic} had {repairs} repairs, {hours} hours")
        late = database.execute(OPEN_FOR_MORE_THAN_14_DAYS, {"today": today}).fetchall()
        for order, status, planned, age in late[:5]:
            print(f"order {order} was planned on {planned}, {age} days ago, and is: {status}")
        for description, barcode, pieces, cents in database.execute(MOST_USED_PARTS):
            print(f"{pieces:,.0f} x {description} ({barcode}): EUR {cents / 100:,.2f}")
        print(f"{len(weeks)} weeks of mechanics, {len(late)} orders open for more than 14 days")


anyio.run(main)
