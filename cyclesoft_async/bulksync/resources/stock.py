"""Stock: the bikes of the account, sold ones included: one request. The scope `stock-export` is needed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Table

from cyclesoft_async.models import PosItem
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of
from .mirrored import Mirrored

stock: Table = Table(
    "stock",
    metadata,
    Column("object_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(
        PosItem,
        "account_id store_id sales_order_id brand_name supplier article_id barcode description frame_id"
        " purchase_price_cents dealer_rrp_cents is_new is_demo is_used is_rental is_sold_to_customer"
        " has_invoice is_deleted stocked_at custom_variable_1",
    ),
    *bookkeeping_columns(),
    comment="Bikes of the account, those that are sold included.",
)

KIND = Mirrored(PosItem, stock, indexes=[stock.c.barcode])


async def _read(cs: CycleSoftSession, _: datetime | None, cursor: str | None) -> Batch[PosItem]:
    page = await cs.paginate("GET", "/api/v1/stock/pos-items.json", row=PosItem, cursor=cursor)
    return batch_of(page)


STOCK = Listed(kind=KIND, read=_read)
