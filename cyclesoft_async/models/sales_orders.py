"""Sales orders, and workshop orders as webhooks tell them: with the sales order inside.

Vendor page: "Webhooks", Sales orders, Workshop orders. On read every property may be null or absent, also
against its table.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from .customers import Customer
from .workshop_orders import WorkshopOrderItem


class DeliveryAddress(Model, frozen=True, kw_only=True, gc=False):
    """Where a sales order goes. Vendor page: "Webhooks", `delivery_address`."""

    delivery_address_id: int | None = None
    """Id of the address."""
    customer_id: int | None = None
    """The customer whose address it is."""
    is_business: bool | None = None
    """Whether it is the address of a business."""
    company_name: str | None = None
    """Name of the company."""
    name: str | None = None
    """Name of the person."""
    street: str | None = None
    """Street, without the house number."""
    housenumber: str | None = None
    """House number without its postfix."""
    housenumber_postfix: str | None = None
    """The "a" of "12a"."""
    postcode: str | None = None
    """Postal code."""
    city: str | None = None
    """Town."""
    country: str | None = None
    """Deprecated by the vendor: see `country_code_iso_3166`."""
    country_code_iso_3166: str | None = None
    """Country code such as "NL"; empty when unknown."""
    phone_number: str | None = None
    """Telephone number at the address."""
    email: str | None = None
    """E-mail address for the delivery."""
    remarks: str | None = None
    """Free text for the carrier."""


class SalesOrder(Model, frozen=True, kw_only=True, gc=False):
    """A sales order. Every datetime is aware, in Amsterdam time.

    Vendor page: "Webhooks", Sales orders. Its lines have the properties of a workshop order's.
    """

    sales_order_id: int | None = None
    """Id of the order. None only where the order stands inside another object."""
    store_id: int | None = None
    """Store that sells."""
    sales_employee_id: int | None = None
    """Employee who sells."""
    last_update_employee_id: int | None = None
    """Employee who changed the order last."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    order_type_id: int | None = None
    """Enum `sales_order_types`; do not match on its text."""
    order_type_text: str | None = None
    """The type in Dutch; two types have the same text."""
    order_reference_id: str | None = None
    """Id of the order in another system."""
    order_reference_text: str | None = None
    """Reference of the order in another system."""
    datetime_created: datetime | None = None
    """When the order was created."""
    datetime_modified: datetime | None = None
    """When the order was last changed; in an event this can be the time before the change."""
    datetime_preferred_delivery: date | None = None
    """A day, in spite of its name."""
    datetime_preferred_pickup: date | None = None
    """A day, in spite of its name."""
    status_id: int | None = None
    """Enum `sales_order_status`, which is not the workshop order's."""
    status_text: str | None = None
    """The status in Dutch."""
    cancellation_type_id: int | None = None
    """Enum `cancellation_types`; 0 when not cancelled."""
    cancellation_description: str | None = None
    """Reason of the cancellation, in Dutch."""
    remarks: str | None = None
    """Free text."""
    has_invoice: bool | None = None
    """Whether the order has an invoice."""
    invoice_number: int | None = None
    """0 when not invoiced."""
    ship_to_customer: bool | None = None
    """Deprecated by the vendor: see `delivery_method_id`."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    delivery_method_description: str | None = None
    """The delivery method in Dutch."""
    shipment_method_description: str | None = None
    """Free text."""
    payment_method_description: str | None = None
    """Free text."""
    customer: Customer | None = None
    """The customer, whole."""
    delivery_address: DeliveryAddress | None = None
    """Where the order goes; None when it is picked up."""
    order_items: NeverNullList[WorkshopOrderItem] = []
    """The lines."""
    cancelled_order_items: NeverNullList[WorkshopOrderItem] = []
    """Lines that were cancelled."""
    deleted_order_items: NeverNullList[WorkshopOrderItem] = []
    """Lines that were deleted. The vendor reports a deletion in one event only."""
    labels: NeverNullList[str] = []
    """The labels of the order."""

    def __post_init__(self) -> None:
        if (moment := self.datetime_created) is not None:
            force_setattr(self, "datetime_created", in_amsterdam(moment))
        if (moment := self.datetime_modified) is not None:
            force_setattr(self, "datetime_modified", in_amsterdam(moment))
        if self.order_items is NULL:
            force_setattr(self, "order_items", [])
        if self.cancelled_order_items is NULL:
            force_setattr(self, "cancelled_order_items", [])
        if self.deleted_order_items is NULL:
            force_setattr(self, "deleted_order_items", [])
        if self.labels is NULL:
            force_setattr(self, "labels", [])


class WorkshopOrderNotice(Model, frozen=True, kw_only=True, gc=False):
    """A workshop order as events tell it: its customer and its lines are in `sales_order`.

    Every datetime is aware, in Amsterdam time. Vendor page: "Webhooks", Workshop orders.
    """

    workshop_order_id: int
    """Id of the workshop order."""
    repair_object_id: int | None = None
    """The bike: `object_id` of a repair object."""
    reference_text: str | None = None
    """The integrator's own reference."""
    datetime_scheduled_start: datetime | None = None
    """When the repair is planned to start."""
    datetime_scheduled_finished: datetime | None = None
    """When the repair is planned to be finished."""
    mechanic_employee_id: int | None = None
    """Employee who repairs."""
    repair_description: str | None = None
    """What is to be done, in free text."""
    status_id: int | None = None
    """Enum `workshop_order_status`; `sales_order.status_id` is another enum."""
    status_text: str | None = None
    """The status in Dutch."""
    borrowed_object_reference: str | None = None
    """The bike that the customer borrows meanwhile."""
    total_repair_time_minutes: int | None = None
    """Planned work in minutes."""
    custom_repair_time_minutes: int | None = None
    """Total time less the time of the repair codes, in minutes."""
    sales_order: SalesOrder | None = None
    """The sales order of the repair: its customer, lines and status."""

    def __post_init__(self) -> None:
        if (moment := self.datetime_scheduled_start) is not None:
            force_setattr(self, "datetime_scheduled_start", in_amsterdam(moment))
        if (moment := self.datetime_scheduled_finished) is not None:
            force_setattr(self, "datetime_scheduled_finished", in_amsterdam(moment))
