"""Payments and vouchers: one payment for nearly every seeded invoice, and those added since.

Vendor pages: "Payments", "Vouchers", "Sales data" (Payments).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from cyclesoft_async.sandbox.orders.seeded import FIRST_INVOICE, mix

from .invoices import Invoice, Invoices

PIN, CASH, VOUCHER, BANK, PSP = 1, 2, 5, 11, 12
METHODS: Final = {
    PIN: "Pin",
    CASH: "Contant",
    3: "Creditcard",
    VOUCHER: "Tegoedbon",
    BANK: "Bank",
    PSP: "PSP",
}
"""Payment methods."""
INVOICE, SALES_ORDER = 5, 7
"""Types of the entities that payments are for."""
_DRAWN: Final = (*[PIN] * 10, CASH, CASH, BANK, BANK, PSP, VOUCHER)
_FIRST: Final = 60_000_000
_UNPAID: Final = 20  # one invoice in twenty
_VOUCHERS: Final = 8


class Payment(NamedTuple):
    """A payment, `at` a Dutch wall time."""

    payment_id: int
    entity_type_id: int
    entity_id: int
    method_id: int
    amount_cents: int
    at: str
    customer_id: int | None = None


class Voucher(NamedTuple):
    """A voucher of a customer."""

    code: str
    initial_cents: int
    spent_cents: int

    @property
    def balance_cents(self) -> int:
        """What is left."""
        return self.initial_cents - self.spent_cents


class Payments:
    """Finds and adds payments.

    Args:
        invoices: The invoices.
        now: Returns the Dutch wall time.
    """

    def __init__(self, invoices: Invoices, now: Callable[[], str]) -> None:
        self._invoices = invoices
        self._now = now
        self._added: list[Payment] = []
        self._spent: dict[str, int] = {}

    def add(
        self, entity_type_id: int, entity_id: int, method_id: int, amount_cents: int, customer_id: int | None
    ) -> Payment:
        """Book a payment."""
        payment = Payment(
            payment_id=2 * _FIRST + len(self._added),
            entity_type_id=entity_type_id,
            entity_id=entity_id,
            method_id=method_id,
            amount_cents=amount_cents,
            at=self._now(),
            customer_id=customer_id,
        )
        self._added.append(payment)
        return payment

    def of_invoice(self, invoice: Invoice) -> list[Payment]:
        """Return the payments of an invoice. The first invoice of an order has the order's advances."""
        found = [payment for payment in [seeded_payment(invoice)] if payment]
        found += self._of(INVOICE, invoice.number)
        if not invoice.credits and self._is_first(invoice):
            found += self._of(SALES_ORDER, invoice.sales_order_id)
        return found

    def of_order(self, sales_order_id: int) -> list[Payment]:
        """Return the payments of an order and of its invoices."""
        invoices = self._invoices.of_order(sales_order_id)
        if not invoices:
            return self._of(SALES_ORDER, sales_order_id)
        return [payment for invoice in invoices for payment in self.of_invoice(invoice)]

    def unpaid_cents(self, invoice: Invoice) -> int:
        """Return what is still to be paid of an invoice."""
        return invoice.total_cents - sum(payment.amount_cents for payment in self.of_invoice(invoice))

    def added_between(self, first: str, last: str) -> Iterator[Payment]:
        """Yield the payments that were added from one day to another, both inclusive."""
        return (payment for payment in self._added if first <= payment.at[:10] <= last)

    def voucher(self, code: str) -> Voucher | None:
        """Return a voucher. The codes are 1000-2000-3000-0001 to 1000-2000-3000-0008."""
        start, _, number = code.rpartition("-")
        if start != "1000-2000-3000" or number not in {f"{n:04}" for n in range(1, _VOUCHERS + 1)}:
            return None
        initial = 1_000 * int(number)
        return Voucher(code, initial, initial // 4 + self._spent.get(code, 0))

    def spend(self, code: str, cents: int) -> None:
        """Spend some of a voucher."""
        self._spent[code] = self._spent.get(code, 0) + cents

    def _of(self, entity_type_id: int, entity_id: int) -> list[Payment]:
        wanted = entity_type_id, entity_id
        return [found for found in self._added if (found.entity_type_id, found.entity_id) == wanted]

    def _is_first(self, invoice: Invoice) -> bool:
        return self._invoices.of_order(invoice.sales_order_id)[0].number == invoice.number


def seeded_payment(invoice: Invoice) -> Payment | None:
    """Return the payment that a seeded, final invoice was paid with; None for one in twenty."""
    dice = mix(invoice.number)
    if not invoice.is_seeded or not invoice.is_final or dice % _UNPAID == 0:
        return None
    return Payment(
        payment_id=_FIRST + invoice.number - FIRST_INVOICE,
        entity_type_id=INVOICE,
        entity_id=invoice.number,
        method_id=_DRAWN[(dice >> 8) & 15],
        amount_cents=invoice.total_cents,
        at=invoice.created_at,
        customer_id=invoice.customer_id,
    )
