"""Payments: links to pay online, and bookings of money that came otherwise.

Vendor page: "Payments" (scope `e-commerce`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct

from cyclesoft_async._arguments import check_all, check_id
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import AddedPayments, PaymentInput, PaymentLink, PaymentMethod
from cyclesoft_async.transport import under, whole

from .resource import Endpoint, Resource, flag

_NO_LIST_OF_LINKS = "no call lists links; a second link is for the same order or invoice"
_LOOK = (
    "look for it in salesdata.payments(today, today), or wait for the event payments.created, before you "
    "repeat the call"
)

ORDER_LINK = Endpoint(
    path="/api/v1/payments/order/{sales_order_id}/payment-link.json",
    answer=under("data", PaymentLink),
    scope="e-commerce",
    creates=True,
    how_to_check=_NO_LIST_OF_LINKS,
)
INVOICE_LINK = Endpoint(
    path="/api/v1/payments/invoice/{invoice_number}/payment-link.json",
    answer=under("data", PaymentLink),
    scope="e-commerce",
    creates=True,
    how_to_check=_NO_LIST_OF_LINKS,
)
ADD_TO_ORDER = Endpoint(
    method="POST",
    path="/api/v1/payments/order/{sales_order_id}/add.json",
    answer=whole(AddedPayments),
    scope="e-commerce",
    how_to_check=_LOOK,
)
ADD_TO_INVOICE = Endpoint(
    method="POST",
    path="/api/v1/payments/invoice/{invoice_number}/add.json",
    answer=whole(AddedPayments),
    scope="e-commerce",
    how_to_check=_LOOK,
)


class _Bookings(Struct):
    employee_id: int
    payments: list[PaymentInput]


class Payments(Resource):
    """Payments of sales orders and invoices. Every method can raise any `errors.RequestError`."""

    async def order_link(
        self,
        sales_order_id: int,
        *,
        payment_amount_cents: int | None = None,
        dynamic_payment_amount: bool | None = None,
        payment_for_customer_id: int | None = None,
    ) -> PaymentLink:
        """Create a link to pay a sales order, in advance or what is left. It is a GET that creates something.

        Args:
            sales_order_id: The order. A workshop order has the same number in all that the vendor shows.
            payment_amount_cents: Amount of the link. It goes before `dynamic_payment_amount`.
            dynamic_payment_amount: Whether the link asks for what is unpaid when it is opened.
            payment_for_customer_id: The payer, for a split order.

        Raises:
            AmbiguousWriteError: The link may or may not have been created. The request is never repeated. No
                call lists links, and the vendor does not say what a second one does to the first. Both are
                for the same order: send the customer one of them only.
        """
        query = {
            "payment_amount_cents": payment_amount_cents,
            "dynamic_payment_amount": flag(dynamic_payment_amount),
            "payment_for_customer_id": payment_for_customer_id,
        }
        return await self._fetch(ORDER_LINK, sales_order_id, query=query)

    async def invoice_link(
        self,
        invoice_number: int,
        *,
        dynamic_payment_amount: bool | None = None,
        payment_for_customer_id: int | None = None,
    ) -> PaymentLink:
        """Create a link to pay an invoice. It is a GET that creates something.

        Args:
            invoice_number: The invoice.
            dynamic_payment_amount: Whether the link asks for what is unpaid when it is opened.
            payment_for_customer_id: The payer.

        Raises:
            AmbiguousWriteError: As for `order_link`.
        """
        query = {
            "dynamic_payment_amount": flag(dynamic_payment_amount),
            "payment_for_customer_id": payment_for_customer_id,
        }
        return await self._fetch(INVOICE_LINK, invoice_number, query=query)

    async def add_to_order(
        self, sales_order_id: int, employee_id: int, payments: Sequence[PaymentInput]
    ) -> AddedPayments:
        """Book payments of a sales order.

        Args:
            sales_order_id: The order.
            employee_id: Employee who took the money.
            payments: The payments. One by voucher has method 5 and the voucher's code.

        Raises:
            UsageError: There are no payments, or a voucher's code stands beside another method than 5.
            AmbiguousWriteError: The payments may or may not have been booked. The request is never repeated:
                it would book the money twice. `salesdata.payments` of the day lists them if they were, and so
                does the event `payments.created`.
        """
        for payment in check_all("payments", payments, PaymentInput):
            if payment.payment_method_id != PaymentMethod.VOUCHER and _has_code(payment):
                raise UsageError("voucher_code needs payment_method_id 5")
        bookings = _Bookings(check_id("employee_id", employee_id), list(payments))
        return await self._fetch(ADD_TO_ORDER, sales_order_id, json=bookings)

    async def add_to_invoice(
        self, invoice_number: int, employee_id: int, payments: Sequence[PaymentInput]
    ) -> AddedPayments:
        """Book payments of an invoice.

        Args:
            invoice_number: The invoice.
            employee_id: Employee who took the money.
            payments: The payments. Vouchers pay orders only.

        Raises:
            UsageError: There are no payments, or one is by voucher.
            AmbiguousWriteError: As for `add_to_order`.
        """
        for payment in check_all("payments", payments, PaymentInput):
            if payment.payment_method_id == PaymentMethod.VOUCHER or _has_code(payment):
                raise UsageError("an invoice cannot be paid by voucher: use add_to_order")
        bookings = _Bookings(check_id("employee_id", employee_id), list(payments))
        return await self._fetch(ADD_TO_INVOICE, invoice_number, json=bookings)


def _has_code(payment: PaymentInput) -> bool:
    return payment.voucher_code is not UNSET and payment.voucher_code is not None
