"""Sales orders: those of the workshop, seen as sales, and those of the counter.

Vendor pages: "Sales orders", "Webhooks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final

from cyclesoft_async.sandbox.orders.repository import OrderRepository
from cyclesoft_async.sandbox.orders.schema import Order
from cyclesoft_async.sandbox.orders.seeded import FIRST_ORDER, SeededOrders

from .counter import (
    CANCELLATIONS,
    CANCELLED,
    DELIVERY_METHODS,
    DONE,
    FIRST,
    PENDING,
    READY,
    REPAIR,
    STATUSES,
    TYPES,
    CounterOrders,
    blank_sales_order,
)
from .overlay import Record

_READY: Final = (6, 7)
_OFF: Final = (15, 16)


class SalesOrders:
    """Finds, lists and changes sales orders.

    Args:
        workshop: The workshop orders.
        seeded: Those of them that are seeded.
        counter: The orders at the counter.
        invoice_of: Returns the first invoice of a counter order; 0 if there is none.
    """

    def __init__(
        self,
        workshop: OrderRepository,
        seeded: SeededOrders,
        counter: CounterOrders,
        invoice_of: Callable[[int], int],
    ) -> None:
        self._workshop = workshop
        self._seeded = seeded
        self._counter = counter
        self._invoice_of = invoice_of
        self._changed: dict[int, Record] = {}
        self._sales_side: dict[int, Record] = {}  # of workshop orders

    def find(self, sales_order_id: int) -> Record | None:
        """Return a copy of the order, or None."""
        if sales_order_id in self._changed:
            return deepcopy(self._changed[sales_order_id])
        if sales_order_id in self._counter.ids:
            return self._seeded_at_counter(sales_order_id)
        order = self._workshop.find(sales_order_id)
        return None if order is None else self.of_workshop(order)

    def of_workshop(self, order: Order) -> Record:
        """Return a workshop order as a sales order."""
        status = _status(order)
        delivery = order["delivery_method_id"]
        record = blank_sales_order(order["sales_order_id"]) | {
            "store_id": order["store_id"],
            "sales_employee_id": order["created_by_employee_id"],
            "last_update_employee_id": order["last_update_employee_id"],
            "customer_id": order["customer_id"],
            "order_type_id": REPAIR,
            "order_type_text": TYPES[REPAIR],
            "order_reference_text": order["reference_text"],
            "datetime_created": order["datetime_created"],
            "datetime_modified": order["datetime_modified"],
            "status_id": status,
            "status_text": STATUSES[status],
            "cancellation_type_id": int(status == CANCELLED),
            "cancellation_description": CANCELLATIONS[1] if status == CANCELLED else None,
            "has_invoice": bool(order["invoice_number"]),
            "invoice_number": order["invoice_number"],
            "delivery_method_id": delivery,
            "delivery_method_description": DELIVERY_METHODS.get(delivery, ""),
            "order_items": order["order_items"],
        }
        return record | self._sales_side.get(order["sales_order_id"], {})

    def save_at_counter(self, record: Record) -> None:
        """Store an order of the counter."""
        self._changed[record["sales_order_id"]] = record

    def set_sales_side(self, sales_order_id: int, **properties: object) -> None:
        """Note what a workshop order does not have itself."""
        self._sales_side.setdefault(sales_order_id, {}).update(properties)

    def is_repair(self, sales_order_id: int) -> bool:
        """Return True if the order is one of the workshop."""
        return sales_order_id >= FIRST_ORDER

    def modified_between(self, first: str, last: str) -> Iterator[Record]:
        """Yield the orders changed from one day to another, both inclusive, by ascending id."""
        for record in self._around(first, last):
            if first <= record["datetime_modified"][:10] <= last:
                yield record

    def _around(self, first: str, last: str) -> Iterator[Record]:
        counter = {FIRST + index for index in self._counter.between(first, last)}
        for order_id in sorted(counter | self._changed.keys()):
            found = self.find(order_id)
            if found is not None:
                yield found
        for order in self._workshop.modified_between(first, last):
            yield self.of_workshop(order)

    def _seeded_at_counter(self, sales_order_id: int) -> Record:
        record = self._counter.order(sales_order_id - FIRST)
        number = self._invoice_of(sales_order_id)
        for line in record["order_items"]:
            if number:
                line["invoice_number"] = number
        return record | {"has_invoice": bool(number), "invoice_number": number}


def _status(order: Order) -> int:
    if not order["is_active"] or order["status_id"] in _OFF:
        return CANCELLED
    if order["invoice_number"]:
        return DONE
    return READY if order["status_id"] in _READY else PENDING
