"""Creation and updates of orders: strict bodies, read-only fields ignored, derived fields computed.

Vendor page: "Workshop orders", Create workshop order, Update workshop order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

from cyclesoft_async.sandbox.responses import bad_request
from cyclesoft_async.sandbox.times import read_wall

from .catalogue import (
    LINE_STATUSES,
    ORDER_STATUSES,
    REPAIRS,
    VAT_PERCENTAGES,
    blank_line,
    priced,
    repair_line,
    service_line,
    work_minutes,
)
from .schema import Line, Order

_Body = TypeVar("_Body", bound=Struct)
_Integer: TypeAlias = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
_Percentage: TypeAlias = Annotated[int, Meta(ge=-1000, le=1000)] | Annotated[float, Meta(ge=-1000, le=1000)]


class _LineBody(Struct, omit_defaults=True):
    item_id: _Integer | None = None
    item_type_id: _Integer | None = None
    special_type_id: _Integer | None = None
    quantity: _Integer | None = None
    barcode: str | None = None
    pos_group_id: _Integer | None = None
    description: str | None = None
    unit_price_in_vat_cents: _Integer | None = None
    unit_discount_amount_in_vat_cents: _Integer | None = None
    price_in_vat_cents: _Integer | None = None
    discount_percentage: _Percentage | None = None
    vat_code: _Integer | None = None
    item_status_id: _Integer | None = None
    unit_work_time_minutes: _Integer | None = None
    assigned_to_customer_id: _Integer | None = None


class _UpdateBody(Struct, omit_defaults=True):
    """Fields marked PUT in the vendor's table. null leaves a field unchanged."""

    is_active: bool | None = None
    datetime_scheduled_start: str | None = None
    mechanic_employee_id: _Integer | None = None
    repair_description: str | None = None
    status_id: _Integer | None = None
    borrowed_object_reference: str | None = None
    delivery_method_id: _Integer | None = None
    order_items: list[_LineBody] | None = None


class _CreateBody(_UpdateBody, omit_defaults=True):
    """Fields marked POST in the vendor's table. null takes the default."""

    customer_id: _Integer | None = None
    store_id: _Integer | None = None
    repair_object_id: _Integer | None = None
    reference_text: str | None = None
    created_by_employee_id: _Integer | None = None
    last_update_employee_id: _Integer | None = None
    phone_number_id: str | None = None
    custom_repair_time_minutes: _Integer | None = None
    repair_codes: list[str] | None = None
    service_card_codes: list[str] | None = None


ServiceItem: TypeAlias = Mapping[str, Any]


def create(
    raw: bytes,
    *,
    customer_id: int,
    order_id: int,
    now: str,
    service_item: Callable[[str], ServiceItem | None],
) -> Order:
    """Return the order that the body describes, with the lines of its repair codes and service items.

    Args:
        raw: The body.
        customer_id: The customer in the path.
        order_id: Id of the new order.
        now: The Dutch wall time.
        service_item: Finds a service item by its barcode.

    Raises:
        ApiError: The body is not JSON, a field has a wrong type, or a code or status does not exist.
    """
    body = _read(raw, _CreateBody)
    if body.customer_id not in {None, customer_id}:
        raise bad_request("customer_id is not the customer in the path")
    lines = [_changed(blank_line(number), item) for number, item in enumerate(body.order_items or (), 1)]
    for code in body.repair_codes or ():
        if code not in REPAIRS:
            raise bad_request(f"Unknown repair code: {code}")
        lines.append(repair_line(len(lines) + 1, code))
    for code in body.service_card_codes or ():
        item = service_item(code)
        if item is None or item["customer_id"] != customer_id:
            raise bad_request(f"Unknown service card code: {code}")
        if not item["is_open"]:
            raise bad_request(f"Service card code is closed: {code}")
        lines.append(service_line(len(lines) + 1, item))
    creator = body.created_by_employee_id or 1
    order: Order = {
        "workshop_order_id": order_id,
        "sales_order_id": order_id,
        "customer_id": customer_id,
        "store_id": 1,
        "repair_object_id": 0,
        "is_active": True,
        "reference_text": "",
        "datetime_scheduled_start": now,
        "datetime_scheduled_finished": "",
        "datetime_created": now,
        "datetime_modified": now,
        "mechanic_employee_id": 0,
        "created_by_employee_id": creator,
        "last_update_employee_id": creator,
        "phone_number_id": "tel",
        "repair_description": "",
        "status_id": 10,  # the vendor's own client gives it to orders made online
        "status_text": "",
        "invoice_number": 0,
        "borrowed_object_reference": "",
        "total_repair_time_minutes": 0,
        "custom_repair_time_minutes": 0,
        "delivery_method_id": 0,
        "workshop_order_type_id": 1,
        "order_items": [],
    }
    return _merged(order, body, lines)


def update(order: Order, raw: bytes, *, now: str) -> Order:
    """Return the order with the body's changes.

    Lines are matched by `item_id`. A line without one is added, omitted lines stay unchanged.

    Raises:
        ApiError: The body is not JSON, a field has a wrong type, or a line or status does not exist.
    """
    body = _read(raw, _UpdateBody)
    lines = {line["item_id"]: line for line in order["order_items"]}
    for item in body.order_items or ():
        if item.item_id is None:
            added = blank_line(max(lines, default=0) + 1)
            lines[added["item_id"]] = _changed(added, item)
        elif item.item_id in lines:
            lines[item.item_id] = _changed(lines[item.item_id], item)
        else:
            raise bad_request(f"Unknown item_id: {item.item_id}")
    changed = _merged(order, body, list(lines.values()))
    return with_modification_time(changed, now)


def with_modification_time(order: Order, now: str) -> Order:
    """Set the time of modification. It never goes back: a seeded order may be planned later than now."""
    order["datetime_modified"] = max(now, order["datetime_modified"])
    return order


def set_status(order: Order, status_id: int) -> None:
    """Set the order's status.

    Raises:
        ApiError: The status does not exist.
    """
    if status_id not in ORDER_STATUSES:
        raise bad_request(f"Unknown workshop order status: {status_id}")
    order["status_id"], order["status_text"] = status_id, ORDER_STATUSES[status_id]


def write_response(order: Order) -> Order:
    """Return the response of create and update: lines name a payer only if it is another customer."""
    lines = [line.copy() for line in order["order_items"]]
    for line in lines:
        if line.get("assigned_to_customer_id") == order["customer_id"]:
            del line["assigned_to_customer_id"]
    return {**order, "order_items": lines}


def _read(raw: bytes, body: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(raw, type=body)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request("The body is not valid JSON") from error


def _given(body: Struct) -> dict[str, object]:
    return cast("dict[str, object]", msgspec.to_builtins(body))


def _merged(order: Order, body: _UpdateBody, lines: list[Line]) -> Order:
    """Return the order with the body's fields, these lines, and the fields derived from them."""
    given = _given(body)
    merged = cast("Order", {name: given.get(name, value) for name, value in order.items()})
    set_status(merged, merged["status_id"])
    for line in lines:
        line.setdefault("assigned_to_customer_id", merged["customer_id"])
    merged["order_items"] = lines
    total = work_minutes(lines) + merged["custom_repair_time_minutes"]
    merged["total_repair_time_minutes"] = total
    try:
        start = read_wall(merged["datetime_scheduled_start"])
        merged["datetime_scheduled_start"] = _text(start)
        merged["datetime_scheduled_finished"] = _text(start + timedelta(minutes=total))
    except (ValueError, OverflowError) as error:
        raise bad_request(f"datetime_scheduled_start: {error}") from error
    return merged


def _changed(line: Line, item: _LineBody) -> Line:
    """Return the line with the body's fields and a recomputed price. Prices in the body are ignored."""
    if item.vat_code is not None and item.vat_code not in VAT_PERCENTAGES:
        raise bad_request(f"Unknown vat_code: {item.vat_code}")
    if item.item_status_id is not None and item.item_status_id not in LINE_STATUSES:
        raise bad_request(f"Unknown item_status_id: {item.item_status_id}")
    changed = cast("Line", {**line, **_given(item), "item_id": line["item_id"]})
    if not changed.get("assigned_to_customer_id", 1):
        del changed["assigned_to_customer_id"]  # 0: the order's own customer pays
    if item.discount_percentage is not None and item.unit_discount_amount_in_vat_cents is None:
        discount = round(changed["unit_price_in_vat_cents"] * item.discount_percentage / 100)
        changed["unit_discount_amount_in_vat_cents"] = discount
    return priced(changed)


def _text(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")
