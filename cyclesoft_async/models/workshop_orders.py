"""Workshop orders: what the shop calls a repair.

Vendor page: "Workshop orders". On read every property may be null or absent, also against its table, so all
but the order's own id default to None. On write only what you set is sent.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Self

from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model

CANCELLED_ITEM_STATUS_ID = 5


class WorkshopOrderItem(Model, frozen=True, kw_only=True, gc=False):
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
    """Barcode of the article; "" for none."""
    pos_group_id: int | None = None
    """Enum `pos_groups`."""
    description: str | None = None
    """Text of the line."""
    unit_price_in_vat_cents: int | None = None
    """Gross unit price."""
    unit_discount_amount_in_vat_cents: int | None = None
    """Negative when sold above the list price."""
    price_in_vat_cents: int | None = None
    """Price of the whole line."""
    discount_percentage: Decimal | None = None
    """Discount of the line."""
    vat_code: int | None = None
    """Enum `vat_codes`; the server computes percentage and amount from it."""
    vat_percentage: Decimal | None = None
    """VAT rate."""
    vat_amount_cents: int | None = None
    """VAT in the price of the whole line."""
    item_status_id: int | None = None
    """Enum `sales_order_item_status`; 5 is cancelled."""
    item_status_text: str | None = None
    """The line's status in Dutch."""
    unit_work_time_minutes: int | None = None
    """Minutes of work per unit."""
    assigned_to_customer_id: int | None = None
    """The customer who pays for this line, on split orders."""
    invoice_number: int | None = None
    """None, absent and 0 all mean: not invoiced."""


class WorkshopOrder(Model, frozen=True, kw_only=True, gc=False):
    """A workshop order. Every datetime is aware, in Amsterdam time.

    Vendor page: "Workshop orders", "Workshop order (object)".
    """

    workshop_order_id: int
    """Id of the order."""
    sales_order_id: int | None = None
    """The sales order of the repair; the same number in all examples."""
    customer_id: int | None = None
    """0 is an anonymous customer."""
    store_id: int | None = None
    """Store that repairs."""
    repair_object_id: int | None = None
    """The bike: `object_id` of a repair object."""
    is_active: bool | None = None
    """False when the order was deleted."""
    reference_text: str | None = None
    """The integrator's own reference."""
    datetime_scheduled_start: datetime | None = None
    """When the repair is planned to start."""
    datetime_scheduled_finished: datetime | None = None
    """When the repair is planned to be finished."""
    datetime_created: datetime | None = None
    """When the order was created."""
    datetime_modified: datetime | None = None
    """When the order was last changed."""
    mechanic_employee_id: int | None = None
    """Employee who repairs; see `common.employees()`."""
    created_by_employee_id: int | None = None
    """Employee who created the order."""
    last_update_employee_id: int | None = None
    """Employee who changed the order last."""
    phone_number_id: str | None = None
    """`tel`, `mob` or a number as text: which of the customer's numbers to call."""
    repair_description: str | None = None
    """What is to be done, in free text."""
    status_id: int | None = None
    """Enum `workshop_order_status`; an open list, undocumented ids occur."""
    status_text: str | None = None
    """The status in Dutch."""
    invoice_number: int | None = None
    """0 when not invoiced; see `is_invoiced`."""
    borrowed_object_reference: str | None = None
    """The bike that the customer borrows meanwhile."""
    total_repair_time_minutes: int | None = None
    """Planned work in minutes."""
    custom_repair_time_minutes: int | None = None
    """Total time less the time of the repair codes, in minutes."""
    repair_codes: NeverNullList[str] = []
    """The `code` of repair codes."""
    service_card_codes: NeverNullList[str] = []
    """The `service_barcode` of service items."""
    delivery_method_id: int | None = None
    """Enum `delivery_methods`."""
    workshop_order_type_id: int | None = None
    """Enum `workshop_order_types`."""
    order_items: NeverNullList[WorkshopOrderItem] = []
    """The lines."""

    def __post_init__(self) -> None:
        # Written out, not a loop over names: of bare msgspec's time 1.48 against 1.64.
        if (moment := self.datetime_scheduled_start) is not None:
            force_setattr(self, "datetime_scheduled_start", in_amsterdam(moment))
        if (moment := self.datetime_scheduled_finished) is not None:
            force_setattr(self, "datetime_scheduled_finished", in_amsterdam(moment))
        if (moment := self.datetime_created) is not None:
            force_setattr(self, "datetime_created", in_amsterdam(moment))
        if (moment := self.datetime_modified) is not None:
            force_setattr(self, "datetime_modified", in_amsterdam(moment))
        if self.repair_codes is NULL:
            force_setattr(self, "repair_codes", [])
        if self.service_card_codes is NULL:
            force_setattr(self, "service_card_codes", [])
        if self.order_items is NULL:
            force_setattr(self, "order_items", [])

    @property
    def is_invoiced(self) -> bool:
        """Whether the order has an invoice: 0, null and absent numbers all mean that it has none."""
        return bool(self.invoice_number)


class WorkshopOrderItemInput(Model, frozen=True, kw_only=True):
    """A line to write. Amounts are in cents and include VAT.

    On update the server finds the line by `item_id`; a line without one is added, and lines that are not sent
    stay as they are. So send only the lines that change, with their `item_id`. Price, percentage and
    discount overlap and the vendor does not say which one wins: give unit price, quantity and at most one
    discount.
    Vendor page: "Workshop orders", "Workshop order (object)", `order_items[]`.
    """

    item_id: int | UnsetType = UNSET
    """The line to change; unset adds a line."""
    item_type_id: int | UnsetType | None = UNSET
    """Enum `transaction_item_types`."""
    special_type_id: int | UnsetType | None = UNSET
    """Related id, for example of an object; 0 for none."""
    quantity: Decimal | int | UnsetType | None = UNSET
    """Number of units; negative on returns."""
    barcode: str | UnsetType | None = UNSET
    """Barcode of the article."""
    pos_group_id: int | UnsetType | None = UNSET
    """Enum `pos_groups`."""
    description: str | UnsetType | None = UNSET
    """Text of the line."""
    unit_price_in_vat_cents: int | UnsetType | None = UNSET
    """Gross unit price."""
    unit_discount_amount_in_vat_cents: int | UnsetType | None = UNSET
    """Discount for each unit; negative when sold above the list price."""
    price_in_vat_cents: int | UnsetType | None = UNSET
    """Price of the whole line."""
    discount_percentage: Decimal | int | UnsetType | None = UNSET
    """Discount of the line."""
    vat_code: int | UnsetType | None = UNSET
    """Enum `vat_codes`; the server computes percentage and amount from it."""
    item_status_id: int | UnsetType | None = UNSET
    """Enum `sales_order_item_status`; 5 cancels the line."""
    unit_work_time_minutes: int | UnsetType | None = UNSET
    """Minutes of work per unit."""
    assigned_to_customer_id: int | UnsetType | None = UNSET
    """The customer who pays for this line."""

    @classmethod
    def cancel(cls, item_id: int) -> Self:
        """Return the line that cancels an existing one: leaving a line out of an update does not remove it.

        Args:
            item_id: The `item_id` of the existing line.
        """
        return cls(item_id=item_id, item_status_id=CANCELLED_ITEM_STATUS_ID)


class WorkshopOrderCreate(Model, frozen=True, kw_only=True):
    """A workshop order to create; datetimes must be aware.

    The server fills in the rest and adds the lines of `repair_codes`: trust its answer, not the request.
    Vendor page: "Workshop orders", properties marked POST.
    """

    customer_id: int | UnsetType = UNSET
    """The path names the customer already; must agree with it when set."""
    store_id: int | UnsetType | None = UNSET
    """Store that repairs."""
    repair_object_id: int | UnsetType | None = UNSET
    """The bike: `object_id` of a repair object."""
    is_active: bool | UnsetType | None = UNSET
    """False creates an order that is deleted already."""
    reference_text: str | UnsetType | None = UNSET
    """The integrator's own reference; `once=True` finds the order by it."""
    datetime_scheduled_start: datetime | UnsetType | None = UNSET
    """When the repair is planned to start; aware."""
    mechanic_employee_id: int | UnsetType | None = UNSET
    """Employee who repairs."""
    created_by_employee_id: int | UnsetType | None = UNSET
    """Employee who creates the order."""
    last_update_employee_id: int | UnsetType | None = UNSET
    """Employee who changed the order last."""
    phone_number_id: str | UnsetType | None = UNSET
    """Which of the customer's numbers to call: a `phone_number_id`."""
    repair_description: str | UnsetType | None = UNSET
    """What is to be done, in free text."""
    status_id: int | UnsetType | None = UNSET
    """Enum `workshop_order_status`."""
    borrowed_object_reference: str | UnsetType | None = UNSET
    """The bike that the customer borrows meanwhile."""
    custom_repair_time_minutes: int | UnsetType | None = UNSET
    """Minutes of work beside those of the repair codes."""
    repair_codes: list[str] | UnsetType | None = UNSET
    """The `code` of repair codes, not their id."""
    service_card_codes: list[str] | UnsetType | None = UNSET
    """The `service_barcode` of service items."""
    delivery_method_id: int | UnsetType | None = UNSET
    """Enum `delivery_methods`."""
    order_items: list[WorkshopOrderItemInput] | UnsetType | None = UNSET
    """Lines beside those of the repair codes."""


class WorkshopOrderUpdate(Model, frozen=True, kw_only=True):
    """What to change of a workshop order; what is not set stays as it is; datetimes must be aware.

    `is_active=False` deletes the order: there is no other way.
    Vendor page: "Workshop orders", properties marked PUT.
    """

    is_active: bool | UnsetType = UNSET
    """False deletes the order."""
    datetime_scheduled_start: datetime | UnsetType | None = UNSET
    """When the repair is planned to start; aware."""
    mechanic_employee_id: int | UnsetType | None = UNSET
    """Employee who repairs."""
    repair_description: str | UnsetType | None = UNSET
    """What is to be done, in free text."""
    status_id: int | UnsetType = UNSET
    """Enum `workshop_order_status`."""
    borrowed_object_reference: str | UnsetType | None = UNSET
    """The bike that the customer borrows meanwhile."""
    delivery_method_id: int | UnsetType | None = UNSET
    """Enum `delivery_methods`."""
    order_items: list[WorkshopOrderItemInput] | UnsetType = UNSET
    """Lines to change or add; lines that are left out stay as they are."""
