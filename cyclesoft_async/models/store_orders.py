"""Store orders: deliveries from one store of the account to another.

Vendor page: "Webhooks", Internal deliveries / store orders. On read every property may be null or absent,
whatever its table says, so all but the order's own id default to None.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from cyclesoft_async.codec.datetimes import from_wire


class StoreOrderItem(Struct, frozen=True, kw_only=True, gc=False):
    """A line of a store order. Vendor page: "Webhooks", `items[]`."""

    store_order_item_id: int | None = None
    """Not always unique within the order."""
    barcode: str | None = None
    quantity: Decimal | None = None
    item_type_id: int | None = None
    """1 is an article, 2 is an object."""
    object_id: int | None = None
    description: str | None = None


class StoreOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery between stores. Every datetime is aware, in Amsterdam time.

    Vendor page: "Webhooks", Internal deliveries / store orders.
    """

    store_order_id: int
    store_id_from: int | None = None
    """The store that sends, whatever the vendor's table says."""
    dealer_id_from: int | None = None
    store_id_to: int | None = None
    dealer_id_to: int | None = None
    store_order_type: str | None = None
    """Knows two of the three types; use the id."""
    store_order_type_id: int | None = None
    """0 is regular, 1 via the warehouse, 2 regular via the warehouse."""
    status_id: int | None = None
    """0 is open, 1 processed, 2 cancelled, 3 invoiced, 5 locked; an open list."""
    status: str | None = None
    """The status in Dutch."""
    remarks: str | None = None

    _processed_at: datetime | None = field(default=None, name="processed_at")
    _related_to_sales_order_ids: list[int] | None = field(default=None, name="related_to_sales_order_ids")
    _related_to_supplier_order_ids: list[int] | None = field(
        default=None, name="related_to_supplier_order_ids"
    )
    _items: list[StoreOrderItem] | None = field(default=None, name="items")

    @property
    def processed_at(self) -> datetime | None:
        """When the delivery was processed."""
        return from_wire(self._processed_at)

    @property
    def related_to_sales_order_ids(self) -> list[int]:
        """Sales orders that this delivery serves."""
        return self._related_to_sales_order_ids or []

    @property
    def related_to_supplier_order_ids(self) -> list[int]:
        """Supplier orders that this delivery serves."""
        return self._related_to_supplier_order_ids or []

    @property
    def items(self) -> list[StoreOrderItem]:
        """The lines; empty when the server sends null or leaves them out."""
        return self._items or []
