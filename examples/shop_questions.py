"""Shop questions: SQL queries of a bike shop on its copy of the workshop orders.

The view `workshop_orders_amsterdam` has Dutch wall times, the table `workshop_orders` has UTC. The queries
are SQLite's; `IN_POSTGRES` has what PostgreSQL spells otherwise. Runs against the built-in sandbox. With an
account, use CycleSoftSession.from_env().
"""

import sqlite3
from contextlib import closing

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync_workshop_orders
from cyclesoft_async.sandbox import Sandbox

# A week belongs to the year of its Thursday. SQLite has %G and %V for that only since 3.46.
REPAIRS_A_MECHANIC_A_WEEK = """
    SELECT strftime('%Y', thursday) || '-W'
               || substr('0' || ((strftime('%j', thursday) - 1) / 7 + 1), -2) AS week,
           mechanic_employee_id, count(*) AS repairs, sum(total_repair_time_minutes) / 60.0 AS hours
      FROM (SELECT *, date(datetime_scheduled_start, '-3 days', 'weekday 4') AS thursday
              FROM workshop_orders_amsterdam) AS orders
     WHERE is_active AND deleted_at IS NULL
       AND coalesce(status_id, 0) NOT IN (15, 16)  -- cancelled, declined
       AND thursday IS NOT NULL
     GROUP BY 1, 2
     ORDER BY 1, 2
"""
OPEN_FOR_MORE_THAN_14_DAYS = """
    SELECT workshop_order_id, status_text, date(datetime_scheduled_start) AS planned,
           CAST(julianday(:today) - julianday(date(datetime_scheduled_start)) AS INTEGER) AS days
      FROM workshop_orders_amsterdam
     WHERE is_active AND deleted_at IS NULL
       AND coalesce(status_id, 0) NOT IN (8, 15, 16)  -- handed over, cancelled, declined
       AND date(datetime_scheduled_start) < date(:today, '-14 days')
     ORDER BY planned, workshop_order_id
"""
MOST_USED_PARTS = """
    SELECT item.description, item.barcode, sum(item.quantity) AS pieces, sum(item.price_in_vat_cents) AS cents
      FROM workshop_order_items AS item
      JOIN workshop_orders AS o ON o.workshop_order_id = item.workshop_order_id
     WHERE item.item_type_id = 1 AND item.barcode <> ''  -- articles; labour and bikes are other types
       AND coalesce(item.item_status_id, 0) <> 5  -- the line is not cancelled
       AND o.is_active AND o.deleted_at IS NULL AND coalesce(o.status_id, 0) NOT IN (15, 16)
     GROUP BY 1, 2
     ORDER BY pieces DESC, 1
     LIMIT 5
"""
IN_POSTGRES = {
    REPAIRS_A_MECHANIC_A_WEEK: """
    SELECT to_char(datetime_scheduled_start, 'IYYY-"W"IW') AS week,
           mechanic_employee_id, count(*) AS repairs, sum(total_repair_time_minutes) / 60.0 AS hours
      FROM workshop_orders_amsterdam
     WHERE is_active AND deleted_at IS NULL
       AND coalesce(status_id, 0) NOT IN (15, 16)
       AND datetime_scheduled_start IS NOT NULL
     GROUP BY 1, 2
     ORDER BY 1, 2
""",
    OPEN_FOR_MORE_THAN_14_DAYS: """
    SELECT workshop_order_id, status_text, datetime_scheduled_start::date AS planned,
           %(today)s::date - datetime_scheduled_start::date AS days
      FROM workshop_orders_amsterdam
     WHERE is_active AND deleted_at IS NULL
       AND coalesce(status_id, 0) NOT IN (8, 15, 16)
       AND datetime_scheduled_start::date < %(today)s::date - 14
     ORDER BY planned, workshop_order_id
""",
}


async def main() -> None:
    async with Sandbox(orders=5_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        first, last = sandbox.first_day, sandbox.last_day
        await sync_workshop_orders(cs, Store("sqlite:///shop.db"), date_from=first, date_until=last)
        ask(today=last.isoformat())


def ask(today: str) -> None:
    with closing(sqlite3.connect("shop.db")) as database:
        weeks = database.execute(REPAIRS_A_MECHANIC_A_WEEK).fetchall()
        for week, mechanic, repairs, hours in weeks[:5]:
            print(f"{week}: mechanic {mechanic} had {repairs} repairs, {hours:.1f} hours")
        late = database.execute(OPEN_FOR_MORE_THAN_14_DAYS, {"today": today}).fetchall()
        for order, status, planned, age in late[:5]:
            print(f"order {order} was planned on {planned}, {age} days ago, and is: {status}")
        for description, barcode, pieces, cents in database.execute(MOST_USED_PARTS):
            print(f"{pieces:,.0f} x {description} ({barcode}): EUR {cents / 100:,.2f}")
        print(f"{len(weeks)} weeks of mechanics, {len(late)} orders open for more than 14 days")


anyio.run(main)
