"""Sales at the counter: an order of articles for every three workshop orders, computed from its index."""

from __future__ import annotations

from typing import Final

from cyclesoft_async.sandbox.orders import places
from cyclesoft_async.sandbox.orders.catalogue import PARTS, part_line
from cyclesoft_async.sandbox.orders.schema import Line
from cyclesoft_async.sandbox.orders.seeded import SeededOrders, mix

from .overlay import Record

FIRST: Final = 700_001
EVERY: Final = 3  # workshop orders
PENDING, READY, DONE, CANCELLED = 2, 4, 9, 10
STATUSES: Final = {
    PENDING: "In behandeling",
    READY: "Staat klaar",
    8: "Nog niet besteld",
    DONE: "Afgerond",
    CANCELLED: "Geannuleerd",
}
"""Statuses of sales orders."""
ORDER, E_COMMERCE, REPAIR = 0, 1, 6
TYPES: Final = {ORDER: "Bestelling", E_COMMERCE: "E-commerce", REPAIR: "Reparatie"}
"""Types of sales orders."""
DELIVERY_METHODS: Final = {0: "Afhalen in winkel", 3: "Bezorgen"}
CANCELLATIONS: Final = {1: "Klant heeft geannuleerd", 2: "Artikel niet leverbaar"}

_STATUSES: Final = (*[DONE] * 12, READY, PENDING, PENDING, CANCELLED)
_EMPTY: Final = 50  # one order in fifty has no items yet
_BARCODES: Final = tuple(PARTS)


class CounterOrders:
    """Orders at the counter, in the order of their days."""

    def __init__(self, seeded: SeededOrders, seed: int) -> None:
        self.count: int = seeded.count // EVERY
        self.ids: range = range(FIRST, FIRST + self.count)
        self._seeded = seeded
        self._seed = seed

    def between(self, first: str, last: str) -> range:
        """Return the indices of the orders of these days, both inclusive."""
        found = self._seeded.between(first, last)
        return range(-(-found.start // EVERY), min(self.count, -(-found.stop // EVERY)))

    def of_customer(self, customer_id: int) -> list[int]:
        """Return the indices of a customer's orders."""
        found = self._seeded.of_customer(customer_id)
        return [index // EVERY for index in found if index % EVERY == 0 and index // EVERY < self.count]

    def status(self, index: int) -> int:
        """Return the status of the order at this index."""
        return PENDING if index % _EMPTY == 1 else _STATUSES[self._dice(index) & 15]

    def day_of(self, index: int) -> str:
        """Return the day of the order at this index."""
        return self._seeded.day_of(EVERY * index)

    def order(self, index: int) -> Record:
        """Return the order at this index, without its invoice."""
        dice = self._dice(index)
        customer = self._seeded.customer_of(EVERY * index)
        store, status = places.store_of(customer), self.status(index)
        at = f"{self.day_of(index)} {9 + (dice >> 4) % 8:02}:{(dice >> 8) % 60:02}:{(dice >> 16) % 60:02}"
        kind = E_COMMERCE if (dice >> 24) % 4 == 0 else ORDER
        return blank_sales_order(FIRST + index) | {
            "store_id": store,
            "sales_employee_id": store,
            "last_update_employee_id": store,
            "customer_id": customer,
            "order_type_id": kind,
            "order_type_text": TYPES[kind],
            "order_reference_id": str(10_000 + index) if kind == E_COMMERCE else "",
            "datetime_created": at,
            "datetime_modified": at,
            "status_id": status,
            "status_text": STATUSES[status],
            "cancellation_type_id": int(status == CANCELLED),
            "cancellation_description": CANCELLATIONS[1] if status == CANCELLED else None,
            "order_items": [] if index % _EMPTY == 1 else _lines(dice, customer),
        }

    def _dice(self, index: int) -> int:
        return mix(self._seed * 0x9E37_79B9 + FIRST + index)


def _lines(dice: int, customer: int) -> list[Line]:
    lines: list[Line] = []
    for number in range(1, 2 + (dice >> 32) % 3):
        barcode = _BARCODES[(dice >> 34 + 4 * number) % len(_BARCODES)]
        line = part_line(
            number, barcode, 1 + (dice >> 50 + number) % 2, 10 * ((dice >> 54 + number) % 8 == 0)
        )
        line["assigned_to_customer_id"] = customer
        lines.append(line)
    return lines


def blank_sales_order(sales_order_id: int) -> Record:
    """Return a sales order with default values, keys in the order of the vendor's examples."""
    return {
        "sales_order_id": sales_order_id,
        "store_id": 1,
        "sales_employee_id": 1,
        "last_update_employee_id": 1,
        "customer_id": 0,
        "order_type_id": ORDER,
        "order_type_text": TYPES[ORDER],
        "order_reference_id": "",
        "order_reference_text": "",
        "datetime_created": "",
        "datetime_modified": "",
        "datetime_preferred_delivery": None,
        "datetime_preferred_pickup": None,
        "status_id": PENDING,
        "status_text": STATUSES[PENDING],
        "cancellation_type_id": 0,
        "cancellation_description": None,
        "remarks": "",
        "has_invoice": False,
        "invoice_number": 0,
        "ship_to_customer": False,
        "delivery_method_id": 0,
        "delivery_method_description": DELIVERY_METHODS[0],
        "shipment_method_description": "",
        "payment_method_description": "",
        "order_items": [],
    }
