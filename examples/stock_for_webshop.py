"""Stock of a web shop's articles as the file stock.csv, ten barcodes a request. Runs against the sandbox."""

import csv
from pathlib import Path

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import StockInfo
from cyclesoft_async.sandbox import Sandbox

AT_ONCE = 10  # with more the server leaves the suppliers' stock out


async def read_stock() -> dict[str, StockInfo]:
    stock: dict[str, StockInfo] = {}
    async with Sandbox() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:

        async def fetch(barcodes: list[str]) -> None:
            stock.update(await cs.stock.info(barcodes))

        bikes = await cs.stock.pos_items()
        wanted = sorted({bike.barcode for bike in bikes if bike.barcode and not bike.is_deleted})
        async with anyio.create_task_group() as tasks:
            for start in range(0, len(wanted), AT_ONCE):
                tasks.start_soon(fetch, wanted[start : start + AT_ONCE])
    return stock


found = anyio.run(read_stock)
with Path("stock.csv").open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["barcode", "in stores", "at the supplier", "delivery date"])
    for barcode, item in sorted(found.items()):
        table.writerow([barcode, item.stock_quantity, item.stock_supplier, item.delivery_date])
print(f"{sum(1 for item in found.values() if item.stock_quantity)} of {len(found)} articles are in a store")
