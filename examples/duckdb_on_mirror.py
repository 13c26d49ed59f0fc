"""DuckDB on the mirror: it reads the SQLite file as it is. Runs against the sandbox.

DuckDB downloads its extension for SQLite once. Needs `pip install duckdb`.
"""

import anyio
import duckdb

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, sync
from cyclesoft_async.sandbox import Sandbox

BUSIEST_WEEKDAYS = """
    SELECT dayname(timezone('Europe/Amsterdam', CAST(datetime_scheduled_start || '+00' AS TIMESTAMPTZ))),
           count(*), count(DISTINCT customer_id)
      FROM shop.workshop_orders
     WHERE deleted_at IS NULL
     GROUP BY 1 ORDER BY 2 DESC, 1
"""


async def main() -> None:
    async with Sandbox(orders=2_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        store = Store("sqlite:///shop.db")
        await sync(cs, store, date_from=sandbox.first_day, date_until=sandbox.last_day)
    with duckdb.connect() as connection:
        connection.execute("INSTALL sqlite; LOAD sqlite; ATTACH 'shop.db' AS shop (TYPE sqlite, READ_ONLY)")
        for weekday, repairs, customers in connection.execute(BUSIEST_WEEKDAYS).fetchall():
            print(f"{weekday}: {repairs} repairs of {customers} customers")


anyio.run(main)
