"""Rows of the sales data: invoices in full, and the items of orders.

Vendor page: "Sales data".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cyclesoft_async.sandbox.orders.catalogue import LABOUR, LINE_STATUSES, REPAIR_CODE, blank_line
from cyclesoft_async.sandbox.orders.schema import Line

from .goods import SUPPLIERS, Article
from .invoices import Invoice
from .notices import ACCOUNT, sales_item_id
from .overlay import Record
from .people import EMPLOYEES, full_name

if TYPE_CHECKING:
    from .world import World

POS_GROUPS: Final = {
    0: "Geen",
    1: "Fietsen",
    2: "Reparatie",
    5: "Banden",
    8: "Kleding",
    11: "Accessoires",
    20: "Occasions",
    21: "Onderdelen",
}
"""Groups at the till."""
ITEM_TYPES: Final = {1: "Artikelregel", 2: "Fiets", REPAIR_CODE: "Reparatiecode", LABOUR: "Arbeid"}
"""Types of the items of orders and invoices."""
_NO_IDENTIFICATION: Final = dict.fromkeys(
    (
        "battery_number",
        "battery_number_2",
        "engine_number",
        "frame_number",
        "imei_number",
        "key_number",
        "key_number_2",
        "license_plate_number",
        "lock_number",
        "lock_number_2",
        "serial_number",
        "velopass_code",
    )
)


def transaction(world: World, invoice: Invoice) -> Record:
    """Return an invoice as in the sales data. Its amounts are those of its items."""
    is_repair = world.sales_orders.is_repair(invoice.sales_order_id)
    employee = {"name": EMPLOYEES.get(invoice.employee_id, ""), "id": invoice.employee_id}
    linked = ({"debit_sales_transaction_number": invoice.credits} if invoice.credits else {}) | (
        {"credit_sales_transaction_number": invoice.credited_by} if invoice.credited_by else {}
    )
    return {
        "account_id": ACCOUNT,
        "store_id": invoice.store_id,
        "sales_transaction_number": invoice.number,
        "type_name": "reparatie" if is_repair else "normaal",
        "is_final": invoice.is_final,
        "book_location_id": invoice.store_id,
        "transaction_date": invoice.created_at[:10],
        "created_at": invoice.created_at,
        "modified_at": invoice.created_at,
        "booked_at": invoice.created_at if invoice.is_final else None,
        "vat_number": None,
        "vat_country_code": None,
        "total_amount_cents": invoice.total_cents,
        "gross_total_amount_cents": sum(
            line["unit_price_in_vat_cents"] * line["quantity"] for line in invoice.lines
        ),
        "unpaid_amount_cents": world.payments.unpaid_cents(invoice),
        "sales_employee_name": employee["name"],
        "sales_employee_id": employee["id"],
        "booked_by_employee_name": employee["name"],
        "booked_by_employee_id": employee["id"],
        "last_update_by_employee_name": employee["name"],
        "last_update_by_employee_id": employee["id"],
        "customer_phone_number_id": "mob",
        "customer": _buyer(world.customer(invoice.customer_id)),
        **linked,
        "sales_order": _sales_order(world.sales_order(invoice.sales_order_id)),
        "workshop_order": _workshop_order(world, invoice.sales_order_id) if is_repair else None,
        "sales_items": [_item(world, invoice, line) for line in invoice.lines],
    }


def order_rows(order: Record) -> Iterator[Record]:
    """Yield the items of an order, one a row; an order without items has one row with the text "-"."""
    lines: list[Line] = order["order_items"] or [_placeholder()]
    for line in lines:
        yield {
            "account_id": ACCOUNT,
            **{name: order[name] for name in _OF_ORDER},
            "order_item_id": line["item_id"],
            "order_item_status": LINE_STATUSES[line["item_status_id"]],
            "assigned_to_customer_id": line.get("assigned_to_customer_id", order["customer_id"]),
            "item_type": ITEM_TYPES.get(line["item_type_id"], ITEM_TYPES[1]),
            "barcode": line["barcode"],
            "object_id": 0,
            "pos_group_id": line["pos_group_id"],
            "quantity": line["quantity"],
            "description": line["description"],
            "gross_unit_price_in_vat_in_cents": line["unit_price_in_vat_cents"],
            "unit_discount_in_vat_in_cents": line["unit_discount_amount_in_vat_cents"],
            "nett_line_price_in_vat_in_cents": line["price_in_vat_cents"],
            "vat_amount_cents": line["vat_amount_cents"],
            "vat_percentage": line["vat_percentage"],
        }


_OF_ORDER: Final = (
    "store_id",
    "sales_order_id",
    "customer_id",
    "order_type_id",
    "order_type_text",
    "order_reference_id",
    "order_reference_text",
    "datetime_created",
    "datetime_modified",
    "datetime_preferred_delivery",
    "sales_employee_id",
    "last_update_employee_id",
    "status_id",
    "status_text",
    "cancellation_type_id",
    "cancellation_description",
    "has_invoice",
    "invoice_number",
    "delivery_method_id",
    "delivery_method_description",
)


def _placeholder() -> Line:
    line = blank_line(0)
    line["description"], line["quantity"] = "-", 0
    return line


def _buyer(customer: Record) -> Record:
    return {
        "customer_id": customer["customer_id"],
        "customer_full_name": full_name(customer),
        "street": customer["street"],
        "housenumber": customer["house_number"],
        "housenumber_postfix": customer["house_number_postfix"],
        "city": customer["city"],
        "postcode": customer["postcode"],
        "country": customer["country_code_iso_3166"],
        "loyalty_points": 0,
        "email": customer["email"],
        "global_discount": customer["discount_percentage"],
        "country_code": customer["country_code_iso_3166"],
        "iban": "",
        "date_of_birth": None,
        "phone_numbers": [
            {name: number[name] for name in ("phone_number_id", "phone_number", "name")}
            for number in customer["phone_numbers"]
        ],
        "language_code": "nl_NL",
    }


def _sales_order(order: Record) -> Record:
    return {
        "sales_order_id": order["sales_order_id"],
        "sales_order_type_id": order["order_type_id"],
        "sales_order_status_id": order["status_id"],
        "reference_id": order["order_reference_id"],
        "reference_text": order["order_reference_text"],
        "delivery_method_id": order["delivery_method_id"],
        "track_trace_reference": "",
        "created_at": order["datetime_created"],
        "quote_converted_at": None,
    }


def _workshop_order(world: World, order_id: int) -> Record | None:
    order = world.orders.find(order_id)
    if order is None:
        return None
    bike = world.objects.find(order["repair_object_id"])
    return {
        "workshop_order_id": order_id,
        "repair_object_id": order["repair_object_id"],
        "workshop_order_type_id": order["workshop_order_type_id"],
        "workshop_order_status_id": order["status_id"],
        "workshop_rate_id": 1,
        "mechanic_employee_id": order["mechanic_employee_id"],
        "mechanic_employee_name": EMPLOYEES.get(order["mechanic_employee_id"], ""),
        "delivery_method_id": order["delivery_method_id"],
        "reference_text": order["reference_text"],
        "km_age": None,
        "object": None
        if bike is None
        else {
            "brand_name": bike["brand"],
            "color": bike["color"],
            "category_name": bike["category"],
            "model_name": bike["model"],
            "object_id": bike["object_id"],
            "size": "",
            "year": int(bike["model_year"]) if bike["model_year"].isdecimal() else None,
        },
        "identification": _NO_IDENTIFICATION
        if bike is None
        else _NO_IDENTIFICATION
        | {"frame_number": bike["frame_id"], "battery_number": bike["battery_id"] or None},
    }


def _item(world: World, invoice: Invoice, line: Line) -> Record:
    percentage, quantity = line["vat_percentage"], line["quantity"]
    discount = line["unit_discount_amount_in_vat_cents"] * quantity
    article = world.goods.article(line["barcode"])
    nett = line["price_in_vat_cents"]
    return {
        "sales_item_id": sales_item_id(invoice, line),
        "sales_transaction_number": invoice.number,
        "item_type_id": line["item_type_id"],
        "pos_group_id": line["pos_group_id"],
        "pos_group_name": POS_GROUPS.get(line["pos_group_id"], ""),
        "barcode": line["barcode"] or None,
        "quantity": quantity,
        "gross_unit_price_in_vat_cents": line["unit_price_in_vat_cents"],
        "gross_unit_price_ex_vat_cents": _without_vat(line["unit_price_in_vat_cents"], percentage),
        "unit_discount_in_vat_cents": line["unit_discount_amount_in_vat_cents"],
        "unit_discount_ex_vat_cents": _without_vat(line["unit_discount_amount_in_vat_cents"], percentage),
        "line_discount_in_vat_cents": _without_vat(discount, percentage),  # without VAT in the vendor's (E4)
        "line_discount_ex_vat_cents": _without_vat(discount, percentage),
        "nett_line_price_in_vat_cents": nett,
        "nett_line_price_ex_vat_cents": nett - line["vat_amount_cents"],
        "ex_vat_based_prices": False,
        "discount_percentage": line["discount_percentage"] or None,
        "vat_code": line["vat_code"],
        "vat_percentage": percentage,
        "vat_amount_cents": line["vat_amount_cents"],
        "purchase_price_ex_vat_cents": None if article is None else article.purchase_cents,
        "description": line["description"],
        "description_extended": None,
        "sales_order_item_id": line["item_id"],
        "unit_work_time_minutes": line["unit_work_time_minutes"],
        "article": None if article is None else _article(article),
        "object": None,
        "identification": None,
    }


def _article(article: Article) -> Record:
    return {
        "brand_name": article.description.split()[0],
        "description": article.description,
        "dst_main_id": "2",
        "dst_main_name": "O&A",
        "dst_sub_id": "I",
        "dst_sub_name": POS_GROUPS[article.pos_group_id],
        "dst_sub_sub_id": 1,
        "dst_sub_sub_name": POS_GROUPS[article.pos_group_id],
        "sales_price_cents": article.price_cents,
        "purchase_price_ex_vat_cents": article.purchase_cents,
        "suppliers": [
            {
                "supplier_id": article.supplier_id,
                "supplier_name": SUPPLIERS[article.supplier_id],
                "article_id": article.barcode[-6:],
                "purchase_price_cents": article.purchase_cents,
                "rrp_cents": article.price_cents,
            }
        ],
    }


def _without_vat(cents: int, percentage: int) -> int:
    return cents - round(cents * percentage / (100 + percentage))
