"""Store orders: deliveries from one store of the account to another.

Vendor page: "Webhooks", Internal deliveries / store orders. On read every property may be null or absent,
also against its table, so all but the order's own id default to None.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class StoreOrderItem(Model, frozen=True, kw_only=True, gc=False):
    """A line of a store order. Vendor page: "Webhooks", `items[]`."""

    store_order_item_id: int | None = None
    """Not always unique within the order."""
    barcode: str | None = None
    """Barcode of the article; "" for none."""
    quantity: Decimal | None = None
    """Number of units."""
    item_type_id: int | None = None
    """1 is an article, 2 is an object."""
    object_id: int | None = None
    """Id of the object, for a line of type 2."""
    description: str | None = None
    """Text of the line."""


class StoreOrder(Model, frozen=True, kw_only=True, gc=False):
    """A delivery between stores. Every datetime is aware, in Amsterdam time.

    Vendor page: "Webhooks", Internal deliveries / store orders.
    """

    store_order_id: int
    """Id of the store order."""
    store_id_from: int | None = None
    """The store that sends. The vendor's table says otherwise."""
    dealer_id_from: int | None = None
    """Dealer of the store that sends."""
    store_id_to: int | None = None
    """The store that receives."""
    dealer_id_to: int | None = None
    """Dealer of the store that receives."""
    store_order_type: str | None = None
    """Knows two of the three types; use the id."""
    store_order_type_id: int | None = None
    """0 is regular, 1 via the warehouse, 2 regular via the warehouse."""
    status_id: int | None = None
    """0 is open, 1 processed, 2 cancelled, 3 invoiced, 5 locked; an open list."""
    status: str | None = None
    """The status in Dutch."""
    remarks: str | None = None
    """Free text."""
    processed_at: datetime | None = None
    """When the delivery was processed."""
    related_to_sales_order_ids: NeverNullList[int] = []
    """Sales orders that this delivery serves."""
    related_to_supplier_order_ids: NeverNullList[int] = []
    """Supplier orders that this delivery serves."""
    items: NeverNullList[StoreOrderItem] = []
    """The lines."""

    def __post_init__(self) -> None:
        if (moment := self.processed_at) is not None:
            force_setattr(self, "processed_at", in_amsterdam(moment))
        if self.related_to_sales_order_ids is NULL:
            force_setattr(self, "related_to_sales_order_ids", [])
        if self.related_to_supplier_order_ids is NULL:
            force_setattr(self, "related_to_supplier_order_ids", [])
        if self.items is NULL:
            force_setattr(self, "items", [])
