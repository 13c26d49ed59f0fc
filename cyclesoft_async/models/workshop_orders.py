"""Workshop orders: what the shop calls a repair.

Vendor page: "Workshop orders". On read every property may be null or absent, whatever its table says, so all
but the order's own id default to None. On write only what you set is sent.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Self

from msgspec import UNSET, Struct, UnsetType, field

from cyclesoft_async.codec.datetimes import from_wire

CANCELLED_ITEM_STATUS_ID = 5


class WorkshopOrderItem(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a workshop order: work, or an article.

    Amounts are in cents and include VAT. Percentages and quantities are exact decimals.
    Vendor page: "Workshop orders", "Workshop order (object)", `order_items[]`.
    """

    item_id: int | None = None
    """Unique within the order; an update finds the line by it."""
    item_type_id: int | None = None
    """Enum `transaction_item_types`."""
    special_type_id: int | None = None
    """Related id, for example of an object; 0 for none."""
    quantity: Decimal | None = None
    """Negative on returns."""
    barcode: str | None = None
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    description: str | None = None
    unit_price_in_vat_cents: int | None = None
    """Gross unit price."""
    unit_discount_amount_in_vat_cents: int | None = None
    """Negative when sold above the list price."""
    price_in_vat_cents: int | None = None
    """Price of the whole line."""
    discount_percentage: Decimal | None = None
    vat_code: int | None = None
    """Enum `vat_codes`; the server computes percentage and amount from it."""
    vat_percentage: Decimal | None = None
    vat_amount_cents: int | None = None
    item_status_id: int | None = None
    """Enum `sales_order_item_status`; 5 is cancelled."""
    item_status_text: str | None = None
    unit_work_time_minutes: int | None = None
    """Minutes of work per unit."""
    assigned_to_customer_id: int | None = None
    """The customer who pays for this line, on split orders."""
    invoice_number: int | None = None
    """None, absent and 0 all mean: not invoiced."""


class WorkshopOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A workshop order. Every datetime is aware, in Amsterdam time.

    Vendor page: "Workshop orders", "Workshop order (object)".
    """

    workshop_order_id: int
    sales_order_id: int | None = None
    customer_id: int | None = None
    """0 is an anonymous customer."""
    store_id: int | None = None
    repair_object_id: int | None = None
    is_active: bool | None = None
    """False when the order was deleted."""
    reference_text: str | None = None
    """The integrator's own reference."""
    mechanic_employee_id: int | None = None
    created_by_employee_id: int | None = None
    last_update_employee_id: int | None = None
    phone_number_id: str | None = None
    """`tel`, `mob` or a number as text: which of the customer's numbers to call."""
    repair_description: str | None = None
    status_id: int | None = None
    """Enum `workshop_order_status`; an open list, ids that nobody documented occur."""
    status_text: str | None = None
    """The status in Dutch."""
    invoice_number: int | None = None
    """0 when not invoiced; see `is_invoiced`."""
    borrowed_object_reference: str | None = None
    total_repair_time_minutes: int | None = None
    custom_repair_time_minutes: int | None = None
    """Total time less the time of the repair codes, in minutes."""
    repair_codes: list[str] | None = None
    service_card_codes: list[str] | None = None
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    workshop_order_type_id: int | None = None
    """Enum `workshop_order_types`."""

    # Giving four datetimes of every order a zone while decoding costs more than all the rest of it;
    # so they stay as they came until somebody reads them.
    _datetime_scheduled_start: datetime | None = field(default=None, name="datetime_scheduled_start")
    _datetime_scheduled_finished: datetime | None = field(default=None, name="datetime_scheduled_finished")
    _datetime_created: datetime | None = field(default=None, name="datetime_created")
    _datetime_modified: datetime | None = field(default=None, name="datetime_modified")
    _order_items: list[WorkshopOrderItem] | None = field(default=None, name="order_items")

    @property
    def datetime_scheduled_start(self) -> datetime | None:
        """When the repair is planned to start."""
        return from_wire(self._datetime_scheduled_start)

    @property
    def datetime_scheduled_finished(self) -> datetime | None:
        """When the repair is planned to be finished."""
        return from_wire(self._datetime_scheduled_finished)

    @property
    def datetime_created(self) -> datetime | None:
        """When the order was made."""
        return from_wire(self._datetime_created)

    @property
    def datetime_modified(self) -> datetime | None:
        """When the order was last changed."""
        return from_wire(self._datetime_modified)

    @property
    def order_items(self) -> list[WorkshopOrderItem]:
        """The lines; empty when the server sends null or leaves them out."""
        return self._order_items or []

    @property
    def is_invoiced(self) -> bool:
        """Whether the order has an invoice: 0, null and absent numbers all mean that it has none."""
        return bool(self.invoice_number)


class WorkshopOrderItemInput(Struct, frozen=True, kw_only=True):
    """A line to write. Amounts are in cents and include VAT.

    On update the server finds the line by `item_id`; a line without one is added, and lines that are not sent
    stay as they are. So send only the lines that change, with their `item_id`. Price, percentage and
    discount overlap and the vendor does not say which one wins: give unit price, quantity and at most one
    discount.
    Vendor page: "Workshop orders", "Workshop order (object)", `order_items[]`.
    """

    item_id: int | UnsetType = UNSET
    item_type_id: int | UnsetType | None = UNSET
    special_type_id: int | UnsetType | None = UNSET
    quantity: Decimal | int | UnsetType | None = UNSET
    barcode: str | UnsetType | None = UNSET
    pos_group_id: int | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    unit_price_in_vat_cents: int | UnsetType | None = UNSET
    unit_discount_amount_in_vat_cents: int | UnsetType | None = UNSET
    price_in_vat_cents: int | UnsetType | None = UNSET
    discount_percentage: Decimal | int | UnsetType | None = UNSET
    vat_code: int | UnsetType | None = UNSET
    item_status_id: int | UnsetType | None = UNSET
    unit_work_time_minutes: int | UnsetType | None = UNSET
    assigned_to_customer_id: int | UnsetType | None = UNSET

    @classmethod
    def cancel(cls, item_id: int) -> Self:
        """The line that cancels an existing one: leaving a line out of an update does not remove it."""
        return cls(item_id=item_id, item_status_id=CANCELLED_ITEM_STATUS_ID)


class WorkshopOrderCreate(Struct, frozen=True, kw_only=True):
    """A workshop order to create; datetimes must be aware.

    The server fills in the rest and adds the lines of `repair_codes`: trust its answer, not the request.
    Vendor page: "Workshop orders", properties marked POST.
    """

    customer_id: int | UnsetType = UNSET
    """The path names the customer already; must agree with it when set."""
    store_id: int | UnsetType | None = UNSET
    repair_object_id: int | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    reference_text: str | UnsetType | None = UNSET
    datetime_scheduled_start: datetime | UnsetType | None = UNSET
    mechanic_employee_id: int | UnsetType | None = UNSET
    created_by_employee_id: int | UnsetType | None = UNSET
    last_update_employee_id: int | UnsetType | None = UNSET
    phone_number_id: str | UnsetType | None = UNSET
    repair_description: str | UnsetType | None = UNSET
    status_id: int | UnsetType | None = UNSET
    borrowed_object_reference: str | UnsetType | None = UNSET
    custom_repair_time_minutes: int | UnsetType | None = UNSET
    repair_codes: list[str] | UnsetType | None = UNSET
    """The `code` of repair codes, not their id."""
    service_card_codes: list[str] | UnsetType | None = UNSET
    """The `service_barcode` of service items."""
    delivery_method_id: int | UnsetType | None = UNSET
    order_items: list[WorkshopOrderItemInput] | UnsetType | None = UNSET


class WorkshopOrderUpdate(Struct, frozen=True, kw_only=True):
    """What to change of a workshop order; what is not set stays as it is; datetimes must be aware.

    `is_active=False` deletes the order: there is no other way.
    Vendor page: "Workshop orders", properties marked PUT.
    """

    is_active: bool | UnsetType = UNSET
    datetime_scheduled_start: datetime | UnsetType | None = UNSET
    mechanic_employee_id: int | UnsetType | None = UNSET
    repair_description: str | UnsetType | None = UNSET
    status_id: int | UnsetType = UNSET
    borrowed_object_reference: str | UnsetType | None = UNSET
    delivery_method_id: int | UnsetType | None = UNSET
    order_items: list[WorkshopOrderItemInput] | UnsetType = UNSET
