"""Invoices: those of the seeded orders, each a function of its number, and created ones.

Vendor pages: "Sales data", "Workshop orders" (Create invoices).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from cyclesoft_async.sandbox.orders.catalogue import priced
from cyclesoft_async.sandbox.orders.schema import Line, Order
from cyclesoft_async.sandbox.orders.seeded import FIRST_INVOICE, SeededOrders

from . import counter as at_counter
from .counter import CounterOrders

InvoiceKey: TypeAlias = tuple[str, int]
"""Sort key of an invoice: its day, then its number."""
_CREDITED: Final = 50  # one workshop order in fifty has its invoice credited
_CREDIT_TIME: Final = " 18:30:00"


class Invoice(NamedTuple):
    """An invoice or, with negative amounts, a credit note. Its times are Dutch wall times."""

    number: int
    sales_order_id: int
    customer_id: int
    store_id: int
    employee_id: int
    created_at: str
    is_final: bool
    lines: list[Line]
    credits: int = 0
    """Number of the invoice that it credits; 0 if it is no credit note."""
    credited_by: int = 0
    is_seeded: bool = True

    @property
    def key(self) -> InvoiceKey:
        """Its sort key."""
        return self.created_at[:10], self.number

    @property
    def total_cents(self) -> int:
        """The total, VAT included."""
        return sum(line["price_in_vat_cents"] for line in self.lines)


class Invoices:
    """Finds, lists and adds invoices.

    Numbers are those of workshop orders (two for each), of counter orders, of credit notes, of created ones.
    """

    def __init__(self, seeded: SeededOrders, counter: CounterOrders) -> None:
        self._seeded = seeded
        self._counter = counter
        workshop = FIRST_INVOICE + 2 * seeded.count
        credit = workshop + counter.count
        created = credit + -(-seeded.count // _CREDITED)
        self._of_workshop = range(FIRST_INVOICE, workshop)
        self._of_counter = range(workshop, credit)
        self._credit_notes = range(credit, created)
        self._numbers = count(created)
        self._created: dict[int, Invoice] = {}
        self._created_keys: list[InvoiceKey] = []

    def next_number(self) -> int:
        """Return an unused number."""
        return next(self._numbers)

    def add(self, invoice: Invoice) -> None:
        """Store a created invoice."""
        self._created[invoice.number] = invoice
        insort(self._created_keys, invoice.key)

    def find(self, number: int) -> Invoice | None:
        """Return the invoice with this number."""
        if number in self._of_workshop:
            index, half = divmod(number - FIRST_INVOICE, 2)
            return next((made for made in self._workshop(index) if made.number % 2 == half), None)
        if number in self._of_counter:
            return self._at_counter(number - self._of_counter.start)
        if number in self._credit_notes:
            return self._credit_note(number - self._credit_notes.start)
        return self._created.get(number)

    def of_counter_order(self, sales_order_id: int) -> int:
        """Return the invoice number of a seeded counter order; 0 if there is none."""
        index = sales_order_id - at_counter.FIRST
        is_invoiced = self._counter.status(index) in {at_counter.DONE, at_counter.READY}
        return self._of_counter[index] if is_invoiced else 0

    def of_order(self, sales_order_id: int) -> list[Invoice]:
        """Return the invoices and credit notes of a sales order, ascending."""
        found: list[Invoice] = []
        index = self._seeded.index_of(sales_order_id)
        if index is not None:
            found += self._workshop(index)
            found += [note for note in [self._credit_of(index)] if note]
        elif sales_order_id in self._counter.ids:
            made = self._at_counter(sales_order_id - at_counter.FIRST)
            found += [made] if made else []
        return found + [made for made in self._created.values() if made.sales_order_id == sales_order_id]

    def between(self, first: str, last: str, after: InvoiceKey | None = None) -> Iterator[Invoice]:
        """Yield the invoices of these days, both inclusive, and after a key, by day and number."""
        start = first if after is None else max(first, after[0])
        indices = self._seeded.between(start, last)
        created = (self._created[number] for day, number in self._created_keys if start <= day <= last)
        everything: Iterable[Invoice] = merge(
            (made for index in indices for made in self._workshop(index)),
            _present(map(self._at_counter, self._counter.between(start, last))),
            _present(map(self._credit_of, indices)),
            created,
            key=_key,
        )
        return (made for made in everything if after is None or made.key > after)

    def _workshop(self, index: int) -> list[Invoice]:
        if not self._seeded.is_done(index):
            return []
        order = self._seeded.order(index)
        by_number: dict[int, list[Line]] = {}
        for line in order["order_items"]:
            by_number.setdefault(line.get("invoice_number", 0), []).append(line)
        credit = self._credit_number(index)
        return [
            _of_order(order, number, lines, credited_by=credit if number % 2 == 0 else 0)
            for number, lines in sorted(by_number.items())
        ]

    def _at_counter(self, index: int) -> Invoice | None:
        number = self.of_counter_order(at_counter.FIRST + index)
        if not number:
            return None
        order = self._counter.order(index)
        return Invoice(
            number=number,
            sales_order_id=order["sales_order_id"],
            customer_id=order["customer_id"],
            store_id=order["store_id"],
            employee_id=order["sales_employee_id"],
            created_at=order["datetime_created"],
            is_final=order["status_id"] == at_counter.DONE,
            lines=order["order_items"],
        )

    def _credit_number(self, index: int) -> int:
        number, rest = divmod(index, _CREDITED)
        return 0 if rest or not self._seeded.is_done(index) else self._credit_notes[number]

    def _credit_note(self, number: int) -> Invoice | None:
        return self._credit_of(number * _CREDITED)

    def _credit_of(self, index: int) -> Invoice | None:
        number = self._credit_number(index)
        if not number:
            return None
        original = self._workshop(index)[0]
        return original._replace(
            number=number,
            created_at=original.created_at[:10] + _CREDIT_TIME,
            lines=[_returned(line) for line in original.lines],
            credits=original.number,
            credited_by=0,
        )


def _of_order(order: Order, number: int, lines: list[Line], *, credited_by: int) -> Invoice:
    return Invoice(
        number=number,
        sales_order_id=order["sales_order_id"],
        customer_id=lines[0].get("assigned_to_customer_id", order["customer_id"]),
        store_id=order["store_id"],
        employee_id=order["last_update_employee_id"],
        created_at=order["datetime_scheduled_finished"],
        is_final=True,
        lines=lines,
        credited_by=credited_by,
    )


def _returned(line: Line) -> Line:
    returned = line.copy()
    returned["quantity"] = -line["quantity"]
    return priced(returned)


def _present(found: Iterable[Invoice | None]) -> Iterator[Invoice]:
    return (made for made in found if made is not None)


def _key(invoice: Invoice) -> InvoiceKey:
    return invoice.key
