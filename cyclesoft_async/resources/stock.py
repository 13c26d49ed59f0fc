"""Stock: what there is of an article, and the bikes of the account.

Vendor page: "Stock" (scopes `e-commerce`, `stock-export`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cyclesoft_async._arguments import check_id, check_texts
from cyclesoft_async.models import PosItem, StockInfo
from cyclesoft_async.transport import under

from .resource import Endpoint, Resource

MOST_BARCODES = 10
"""With more barcodes in one request the server leaves the suppliers' stock out without a word."""


class _StockInfos(Struct):
    result_items: list[StockInfo] | None = None


INFO = Endpoint(
    path="/app/api/v3/stockinfo/{barcodes}/",
    answer=under("data", _StockInfos),
    scope="e-commerce",
)
POS_ITEMS = Endpoint(
    path="/api/v1/stock/pos-items.json", answer=under("data", list[PosItem]), scope="stock-export"
)


class Stock(Resource):
    """Stock of the account's stores. Every method can raise any `errors.RequestError`."""

    async def info(
        self,
        barcodes: Sequence[str],
        *,
        only_supplier_stock: bool = False,
        only_supplier_id: int | None = None,
        remote_supplier_check: bool = True,
    ) -> dict[str, StockInfo]:
        """Return the stock of articles by barcode.

        The server answers in an order of its own, and with barcodes that it takes for the same article.

        Args:
            barcodes: Up to 10 barcodes.
            only_supplier_stock: Leave the stores' stock out.
            only_supplier_id: Ask this supplier only.
            remote_supplier_check: Ask suppliers over the network. False is faster.

        Raises:
            UsageError: There are no barcodes, or more than 10: the server would leave suppliers out.
        """
        query = {
            "only_supplier_stock": 1 if only_supplier_stock else None,
            "only_supplier_id": (
                None if only_supplier_id is None else check_id("only_supplier_id", only_supplier_id)
            ),
            "remote_supplier_check": None if remote_supplier_check else 0,
        }
        wanted = check_texts("barcodes", barcodes, at_most=MOST_BARCODES)
        found = await self._fetch(INFO, wanted, query=query)
        return {item.barcode: item for item in found.result_items or []}

    async def pos_items(self) -> list[PosItem]:
        """Return all bikes of the account, sold and deleted ones included. The answer has no pages."""
        return await self._fetch(POS_ITEMS)
