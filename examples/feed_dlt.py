"""Feed dlt: the orders of a year as a source of a dlt pipeline, into DuckDB. Runs against the sandbox.

`windows()` reads them within the quota. An order that moves meanwhile can come twice: the newer copy counts,
which `dedup_sort` tells dlt. Needs `pip install "dlt[duckdb]"`.
"""

from collections.abc import AsyncGenerator
from datetime import date

import dlt
import duckdb
import msgspec
from anyio.from_thread import start_blocking_portal

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import windows
from cyclesoft_async.sandbox import Sandbox


@dlt.resource(
    primary_key="workshop_order_id",
    write_disposition="merge",
    columns={"datetime_modified": {"dedup_sort": "desc"}},
)
async def workshop_orders(base_url: str, first: date, last: date) -> AsyncGenerator[object]:
    async with CycleSoftSession("user", "pass", base_url=base_url) as cs:
        async for page in windows(cs, date_from=first, date_until=last):
            yield msgspec.to_builtins(page.items)


def main() -> None:
    pipeline = dlt.pipeline(
        "cyclesoft",
        destination=dlt.destinations.duckdb("orders.duckdb"),
        dataset_name="shop",
        pipelines_dir="pipelines",
    )
    # The sandbox has its event loop in a thread, as dlt has one of its own.
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Sandbox(orders=500)) as shop:
        for _ in range(2):
            pipeline.run(workshop_orders(shop.url, date(2025, 1, 1), date(2025, 12, 31)))
    with duckdb.connect("orders.duckdb", read_only=True) as database:
        [[orders]] = database.execute("SELECT count(*) FROM shop.workshop_orders").fetchall()
        [[lines]] = database.execute("SELECT count(*) FROM shop.workshop_orders__order_items").fetchall()
    print(f"{orders:,} orders and {lines:,} lines in DuckDB, after two runs")


if __name__ == "__main__":
    main()
