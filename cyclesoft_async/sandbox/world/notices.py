"""Notices: the events that a change causes, with their documented payloads.

Vendor page: "Webhooks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from cyclesoft_async.sandbox.orders.catalogue import CANCELLED_LINE
from cyclesoft_async.sandbox.orders.schema import Line, Order

from .invoices import Invoice
from .overlay import Record
from .payments import METHODS, SALES_ORDER, Payment

if TYPE_CHECKING:
    from .world import World

NoticeListener: TypeAlias = Callable[[str, Record], None]
"""Called with the name of an event and its payload."""
ACCOUNT: Final = 1
STORE_ORDER_TYPES: Final = {0: "regulier", 1: "via warehouse", 2: "regulier via warehouse"}
# The vendor documents only the text of 1. The others translate its list of statuses.
STORE_ORDER_STATUSES: Final = {
    0: "Open",
    1: "Verwerkt",
    2: "Geannuleerd",
    3: "Gefactureerd",
    5: "Vergrendeld",
}
_CUSTOMER_TEXTS: Final = (
    "customer_type_name",
    "customer_reference",
    "postcode",
    "house_number",
    "house_number_postfix",
    "attn",
    "title",
    "initials",
    "insertion",
    "first_name",
    "name",
    "street",
    "city",
    "country_code_iso_3166",
    "email",
    "discount_percentage",
    "datetime_created",
    "phone_numbers",
)
_WORKSHOP: Final = (
    "workshop_order_id",
    "repair_object_id",
    "reference_text",
    "datetime_scheduled_start",
    "datetime_scheduled_finished",
    "mechanic_employee_id",
    "repair_description",
    "status_id",
    "status_text",
    "borrowed_object_reference",
    "total_repair_time_minutes",
    "custom_repair_time_minutes",
)


class Notices:
    """Tells listeners of the changes in a world.

    Attributes:
        listeners: Called with every event, in the vendor's order.
    """

    def __init__(self, world: World) -> None:
        self.listeners: list[NoticeListener] = []
        self._world = world

    def order_changed(self, before: Order | None, after: Order) -> None:
        """Tell of a created, updated, deleted or invoiced workshop order, and of its sales order (K19)."""
        if not self.listeners:
            return
        sales_order = self.sales_order(self._world.sales_orders.of_workshop(after))
        if before is None:
            self._tell("workshop_order.created", _workshop_order(after, sales_order))
            self._tell("sales_order.created", sales_order)
        elif before["is_active"] and not after["is_active"]:
            # The vendor reports deleted items once (K7).
            gone = sales_order | {"deleted_order_items": sales_order["order_items"]}
            self._tell("workshop_order.deleted", _workshop_order(after, gone))
            self._tell("sales_order.deleted", gone)
        else:
            # The vendor's example nests a sales order from before the change (D13).
            stale = sales_order | {"datetime_modified": before["datetime_modified"]}
            self._tell("workshop_order.updated", _workshop_order(after, stale))
            if _invoices(after["order_items"]) - _invoices(before["order_items"]):
                self._tell("sales_order.invoiced", sales_order)
            self._tell("sales_order.updated", sales_order)

    def sales_order_changed(self, name: str, record: Record) -> None:
        """Tell of a sales order of the counter. Invoicing is an update, too."""
        if not self.listeners:
            return
        payload = self.sales_order(record)
        if name == "sales_order.deleted":
            payload["deleted_order_items"] = payload["order_items"]
        self._tell(name, payload)
        if name == "sales_order.invoiced":
            self._tell("sales_order.updated", payload)

    def invoices_created(self, made: Iterable[Invoice]) -> None:
        """Tell of new invoices."""
        for invoice in made:
            self._tell("sales_transaction.created", self.transaction(invoice))

    def invoice_updated(self, invoice: Invoice) -> None:
        """Tell of a changed invoice."""
        self._tell("sales_transaction.updated", self.transaction(invoice))

    def payments_created(self, payments: list[Payment]) -> None:
        """Tell of payments of one order or invoice."""
        self._tell("payments.created", self.payments(payments))

    def customer_changed(self, record: Record, *, is_new: bool) -> None:
        """Tell of a created or updated customer."""
        self._tell(f"customer.{'created' if is_new else 'updated'}", self.customer(record))

    def store_order_created(self, store_order_id: int, order: Record, *, to_store: int) -> None:
        """Tell of the delivery that an order's move to another store needs."""
        self._tell("store_order.created", self.store_order(store_order_id, order, to_store=to_store))

    def payments(self, payments: list[Payment]) -> Record:
        """Return the payload of payments of one order or invoice."""
        return {
            "entity_type_id": payments[0].entity_type_id,
            "entity_id": payments[0].entity_id,
            "payments": [
                {
                    "payment_method_id": payment.method_id,
                    "payment_method_name": METHODS[payment.method_id],
                    "book_date": payment.at,
                    "amount_cents": payment.amount_cents,
                    "currency": "EUR",
                }
                for payment in payments
            ],
        }

    def customer(self, record: Record) -> Record:
        """Return the payload of a customer."""
        return {"customer": _of_order(record) | _additions(record) | {"date_of_birth": None}}

    def workshop_order(self, order: Order) -> Record:
        """Return the payload of a workshop order."""
        return _workshop_order(order, self.sales_order(self._world.sales_orders.of_workshop(order)))

    def store_order(self, store_order_id: int, order: Record, *, to_store: int) -> Record:
        """Return the payload of a delivery between stores."""
        return {
            "store_order_id": store_order_id,
            "store_id_from": order["store_id"],
            "dealer_id_from": dealer_id(order["store_id"]),
            "store_id_to": to_store,
            "dealer_id_to": dealer_id(to_store),
            "store_order_type": STORE_ORDER_TYPES[0],
            "store_order_type_id": 0,
            "status_id": 1,
            "status": STORE_ORDER_STATUSES[1],
            "remarks": f"Filiaal naar filiaal levering #{store_order_id}",
            "processed_at": self._world.now(),
            "related_to_sales_order_ids": [order["sales_order_id"]],
            "related_to_supplier_order_ids": [],
            "items": [
                {
                    "store_order_item_id": number,
                    "barcode": line["barcode"],
                    "quantity": line["quantity"],
                    "item_type_id": 1,
                    "object_id": None,
                    "description": line["description"],
                }
                for number, line in enumerate(order["order_items"], 1)
            ],
        }

    def sales_order(self, record: Record) -> Record:
        """Return the payload of a sales order."""
        world = self._world
        customer = world.customers.find(record["customer_id"])
        lines = [line for line in record["order_items"] if line["item_status_id"] != CANCELLED_LINE]
        cancelled = [line for line in record["order_items"] if line["item_status_id"] == CANCELLED_LINE]
        order_id = record["sales_order_id"]
        return (
            record
            | {"order_items": lines}
            | ({"cancelled_order_items": cancelled} if cancelled else {})
            | {
                "customer": None if customer is None else _additions(customer) | _of_order(customer),
                "delivery_address": world.delivery_addresses.get(order_id),
                "labels": world.labels.of(SALES_ORDER, order_id),
            }
        )

    def transaction(self, invoice: Invoice) -> Record:
        """Return the payload of an invoice."""
        is_repair = self._world.sales_orders.is_repair(invoice.sales_order_id)
        linked = ({"debit_sales_transaction_number": invoice.credits} if invoice.credits else {}) | (
            {"credit_sales_transaction_number": invoice.credited_by} if invoice.credited_by else {}
        )
        return {
            "invoice_number": invoice.number,
            "is_final": invoice.is_final,
            "customer_id": invoice.customer_id,
            "store_id": invoice.store_id,
            "sales_employee_id": invoice.employee_id,
            "sales_order_id": invoice.sales_order_id,
            "workshop_order_id": invoice.sales_order_id if is_repair else None,
            "total_amount_cents": invoice.total_cents,
            "unpayed_amount_cents": self._world.payments.unpaid_cents(invoice),
            **linked,
            "invoice_date": invoice.created_at[:10],
            "book_date": invoice.created_at[:10],
            "sales_items": [_sales_item(invoice, line) for line in invoice.lines],
        }

    def _tell(self, name: str, payload: Record) -> None:
        for listener in self.listeners:
            listener(name, payload)


def dealer_id(store_id: int) -> int:
    """Return the dealer id of a store. The vendor's examples have the store in the upper 16 bits (K13)."""
    return ACCOUNT + 65_536 * (store_id - 1)


def sales_item_id(invoice: Invoice, line: Line) -> int:
    """Return the id of an invoice's line."""
    return invoice.number * 100 + line["item_id"]


def _workshop_order(order: Order, sales_order: Record) -> Record:
    found: Record = {**order}
    return {name: found[name] for name in _WORKSHOP} | {"sales_order": sales_order}


def _additions(customer: Record) -> Record:
    """Return what the vendor's events tell of a customer beyond the API."""
    return {
        "customer_barcode": customer["customer_reference"],
        "prefix": customer["title"],
        "country": customer["country_code_iso_3166"],
        "name_prefix": None,
        "iban": "",
    }


def _of_order(customer: Record) -> Record:
    return {name: customer[name] for name in ("customer_id", *_CUSTOMER_TEXTS)}


def _invoices(lines: list[Line]) -> set[int]:
    return {line.get("invoice_number", 0) for line in lines}


def _sales_item(invoice: Invoice, line: Line) -> Record:
    return {
        "sales_item_id": sales_item_id(invoice, line),
        **{
            name: value
            for name, value in line.items()
            if name
            not in {
                "item_id",
                "item_status_id",
                "item_status_text",
                "unit_work_time_minutes",
                "assigned_to_customer_id",
                "invoice_number",
            }
        },
        "identification": None,
    }
