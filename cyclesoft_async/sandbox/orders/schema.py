"""JSON schema of a workshop order, keys in the order of the vendor's examples.

Vendor page: "Workshop orders".
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Line(TypedDict):
    """One of an order's `order_items`."""

    item_id: int
    item_type_id: int
    special_type_id: int
    quantity: int
    barcode: str
    pos_group_id: int
    description: str
    unit_price_in_vat_cents: int
    unit_discount_amount_in_vat_cents: int
    price_in_vat_cents: int
    discount_percentage: float
    vat_code: int
    vat_percentage: int
    vat_amount_cents: int
    item_status_id: int
    item_status_text: str
    unit_work_time_minutes: int
    assigned_to_customer_id: NotRequired[int]
    invoice_number: NotRequired[int]


class Order(TypedDict):
    """A workshop order. Its times are Dutch wall times without a zone, `2023-03-07 12:13:47`."""

    workshop_order_id: int
    sales_order_id: int
    customer_id: int
    store_id: int
    repair_object_id: int
    is_active: bool
    reference_text: str
    datetime_scheduled_start: str
    datetime_scheduled_finished: str
    datetime_created: str
    datetime_modified: str
    mechanic_employee_id: int
    created_by_employee_id: int
    last_update_employee_id: int
    phone_number_id: str
    repair_description: str
    status_id: int
    status_text: str
    invoice_number: int
    borrowed_object_reference: str
    total_repair_time_minutes: int
    custom_repair_time_minutes: int
    delivery_method_id: int
    workshop_order_type_id: int
    order_items: list[Line]
