"""Sales orders, and workshop orders as webhooks tell them: with the sales order inside.

Vendor page: "Webhooks", Sales orders, Workshop orders. On read every property may be null or absent, whatever
its table says, so all but the order's own id default to None.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct, field

from cyclesoft_async.codec.datetimes import from_wire

from .customers import Customer
from .workshop_orders import WorkshopOrderItem


class DeliveryAddress(Struct, frozen=True, kw_only=True, gc=False):
    """Where a sales order goes. Vendor page: "Webhooks", `delivery_address`."""

    delivery_address_id: int | None = None
    customer_id: int | None = None
    is_business: bool | None = None
    company_name: str | None = None
    name: str | None = None
    street: str | None = None
    housenumber: str | None = None
    housenumber_postfix: str | None = None
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    """Deprecated by the vendor: see `country_code_iso_3166`."""
    country_code_iso_3166: str | None = None
    phone_number: str | None = None
    email: str | None = None
    remarks: str | None = None


class SalesOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A sales order. Every datetime is aware, in Amsterdam time.

    Vendor page: "Webhooks", Sales orders. Its lines have the properties of a workshop order's.
    """

    sales_order_id: int
    store_id: int | None = None
    sales_employee_id: int | None = None
    last_update_employee_id: int | None = None
    customer_id: int | None = None
    """0 is an anonymous customer."""
    order_type_id: int | None = None
    """Enum `sales_order_types`; do not match on its text."""
    order_type_text: str | None = None
    order_reference_id: str | None = None
    order_reference_text: str | None = None
    datetime_preferred_delivery: date | None = None
    """A day, in spite of its name."""
    datetime_preferred_pickup: date | None = None
    """A day, in spite of its name."""
    status_id: int | None = None
    """Enum `sales_order_status`, which is not the workshop order's."""
    status_text: str | None = None
    """The status in Dutch."""
    cancellation_type_id: int | None = None
    cancellation_description: str | None = None
    remarks: str | None = None
    has_invoice: bool | None = None
    invoice_number: int | None = None
    """0 when not invoiced."""
    ship_to_customer: bool | None = None
    """Deprecated by the vendor: see `delivery_method_id`."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    delivery_method_description: str | None = None
    shipment_method_description: str | None = None
    """Free text."""
    payment_method_description: str | None = None
    """Free text."""
    customer: Customer | None = None
    delivery_address: DeliveryAddress | None = None

    _datetime_created: datetime | None = field(default=None, name="datetime_created")
    _datetime_modified: datetime | None = field(default=None, name="datetime_modified")
    _order_items: list[WorkshopOrderItem] | None = field(default=None, name="order_items")
    _cancelled_order_items: list[WorkshopOrderItem] | None = field(default=None, name="cancelled_order_items")
    _deleted_order_items: list[WorkshopOrderItem] | None = field(default=None, name="deleted_order_items")
    _labels: list[str] | None = field(default=None, name="labels")

    @property
    def datetime_created(self) -> datetime | None:
        """When the order was made."""
        return from_wire(self._datetime_created)

    @property
    def datetime_modified(self) -> datetime | None:
        """When the order was last changed; in an event this can be the time before the change."""
        return from_wire(self._datetime_modified)

    @property
    def order_items(self) -> list[WorkshopOrderItem]:
        """The lines; empty when the server sends null or leaves them out."""
        return self._order_items or []

    @property
    def cancelled_order_items(self) -> list[WorkshopOrderItem]:
        """Lines that were cancelled."""
        return self._cancelled_order_items or []

    @property
    def deleted_order_items(self) -> list[WorkshopOrderItem]:
        """Lines that were deleted. The vendor tells a deletion once, in one event, and never again."""
        return self._deleted_order_items or []

    @property
    def labels(self) -> list[str]:
        """The labels of the order."""
        return self._labels or []


class WorkshopOrderNotice(Struct, frozen=True, kw_only=True, gc=False):
    """A workshop order as events tell it: its customer and its lines are in `sales_order`.

    Every datetime is aware, in Amsterdam time. Vendor page: "Webhooks", Workshop orders.
    """

    workshop_order_id: int
    repair_object_id: int | None = None
    reference_text: str | None = None
    """The integrator's own reference."""
    mechanic_employee_id: int | None = None
    repair_description: str | None = None
    status_id: int | None = None
    """Enum `workshop_order_status`; `sales_order.status_id` is another enum."""
    status_text: str | None = None
    """The status in Dutch."""
    borrowed_object_reference: str | None = None
    total_repair_time_minutes: int | None = None
    custom_repair_time_minutes: int | None = None
    sales_order: SalesOrder | None = None

    _datetime_scheduled_start: datetime | None = field(default=None, name="datetime_scheduled_start")
    _datetime_scheduled_finished: datetime | None = field(default=None, name="datetime_scheduled_finished")

    @property
    def datetime_scheduled_start(self) -> datetime | None:
        """When the repair is planned to start."""
        return from_wire(self._datetime_scheduled_start)

    @property
    def datetime_scheduled_finished(self) -> datetime | None:
        """When the repair is planned to be finished."""
        return from_wire(self._datetime_scheduled_finished)
