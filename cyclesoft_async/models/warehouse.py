"""Warehouse: outbound orders and stock items, as webhooks tell them.

Vendor page: "Webhooks" of the warehouse chapter. Deleting a stock item sends nothing.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model


class OutboundItem(Model, frozen=True, kw_only=True, gc=False):
    """A line of an outbound order. Vendor page: the same, `order_items[]`."""

    outbound_order_item_id: int | None = None
    """Id of the line."""
    item_type_id: int | None = None
    """1 is an article, 2 is an object."""
    is_active: bool | None = None
    """False when the line was deleted."""
    barcode: str | None = None
    """Barcode of the article."""
    quantity: int | None = None
    """Units ordered."""
    quantity_claimed: int | None = None
    """Units reserved in the warehouse."""
    quantity_shipped: int | None = None
    """Units shipped."""
    is_blocked_for_claiming: bool | None = None
    """Whether the warehouse may not reserve units for it."""
    description: str | None = None
    """Text of the line."""
    remark: str | None = None
    """Free text."""
    reference: str | None = None
    """Reference of the line."""
    is_sold_to_customer: bool | None = None
    """Whether a customer has bought it."""
    is_attached_to_outbound_item_id: int | None = None
    """The line that this one belongs to."""
    is_pooled_within_stores: bool | None = None
    """Whether the stores share it."""


class WarehouseOutboundOrder(Model, frozen=True, kw_only=True, gc=False):
    """An order that leaves the warehouse. Every datetime is aware, in Amsterdam time.

    Vendor page: the same, "Outbound order".
    """

    outbound_order_id: int
    """Id of the order."""
    outbound_order_type_id: int | None = None
    """Type of the order."""
    outbound_order_status_id: int | None = None
    """Status of the order."""
    dealer_id: int | None = None
    """Dealer who ordered."""
    account_id: int | None = None
    """Account of the dealer."""
    store_id: int | None = None
    """Store that ordered."""
    created_at: datetime | None = None
    """When the order was created."""
    datetime_preferred_delivery: datetime | None = None
    """When the delivery is wanted."""
    sales_order_id: int | None = None
    """The sales order that it serves."""
    order_reference_text: str | None = None
    """Reference of the order."""
    order_items: NeverNullList[OutboundItem] = []
    """The lines."""

    def __post_init__(self) -> None:
        if (moment := self.created_at) is not None:
            force_setattr(self, "created_at", in_amsterdam(moment))
        if (moment := self.datetime_preferred_delivery) is not None:
            force_setattr(self, "datetime_preferred_delivery", in_amsterdam(moment))
        if self.order_items is NULL:
            force_setattr(self, "order_items", [])


class WarehouseLocation(Model, frozen=True, kw_only=True, gc=False):
    """A place in the warehouse. Vendor page: the same, `warehouse_location`."""

    location: str | None = None
    """The place, such as "R-1-2"."""
    rack_name: str | None = None
    """The rack, such as "R"."""


class SubOrderItem(Model, frozen=True, kw_only=True, gc=False):
    """An article that belongs to a stock item. Vendor page: the same, `sub_order_items[]`."""

    article_id: str | None = None
    """Number of the article at its supplier."""
    barcode: str | None = None
    """Barcode of the article."""
    is_active: bool | None = None
    """False when it was deleted."""
    is_included: bool | None = None
    """Whether it is delivered with the bike."""
    quantity: int | None = None
    """Units ordered."""
    quantity_claimed: int | None = None
    """Units reserved in the warehouse."""
    reference: str | None = None
    """Reference of the line."""
    remark: str | None = None
    """Free text."""


class WarehouseStockItem(Model, frozen=True, kw_only=True, gc=False):
    """A bike or other item in the warehouse. 0 is none for the four ids of order and shipment.

    Vendor page: the same, "Stock item".
    """

    warehouse_stock_item_id: int
    """Id of the item."""
    warehouse_outbound_order_id: int | None = None
    """Outbound order of the item; 0 for none."""
    warehouse_outbound_order_item_id: int | None = None
    """Line of that order; 0 for none."""
    warehouse_outbound_shipment_id: int | None = None
    """Shipment of the item; 0 for none."""
    warehouse_outbound_shipment_item_id: int | None = None
    """Line of that shipment; 0 for none."""
    warehouse_location: WarehouseLocation | None = None
    """Where the item is."""
    supplier_id: int | None = None
    """Supplier of the item."""
    article_id: str | None = None
    """Number of the article at its supplier."""
    barcode: str | None = None
    """Barcode of the article."""
    battery_id: str | None = None
    """Number of the battery."""
    customer_id: int | None = None
    """Customer who bought it."""
    customer_order_id: int | None = None
    """Sales order of that customer."""
    employee_first_name: str | None = None
    """First name of the rider, for a lease bike."""
    employee_last_name: str | None = None
    """Surname of the rider, for a lease bike."""
    frame_id: str | None = None
    """Number in the frame."""
    is_assembled: bool | None = None
    """Whether it is assembled."""
    is_shipped: bool | None = None
    """Whether it has left the warehouse."""
    is_delivered: bool | None = None
    """Whether it has arrived."""
    key_id: str | None = None
    """Number of the key."""
    lock_id: str | None = None
    """Number of the lock."""
    license_plate_number: str | None = None
    """License plate, of a moped or speed pedelec."""
    order_reference_id: str | None = None
    """Id of the order in another system."""
    order_reference_text: str | None = None
    """Reference of the order in another system."""
    labels: NeverNullList[str] = []
    """Labels of the item."""
    sub_order_items: NeverNullList[SubOrderItem] = []
    """Articles that belong to the item."""

    def __post_init__(self) -> None:
        if self.labels is NULL:
            force_setattr(self, "labels", [])
        if self.sub_order_items is NULL:
            force_setattr(self, "sub_order_items", [])
