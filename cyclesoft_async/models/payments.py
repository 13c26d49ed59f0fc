"""Payments of invoices and sales orders: links, bookings, and events of them.

Vendor pages: "Payments"; "Webhooks", Payments created. On read every property may be null or absent, also
against its table, so all but the identity default to None.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.never_null import NULL, NeverNullList

from ._base import Model
from ._base64 import from_base64


class Payment(Model, frozen=True, kw_only=True, gc=False):
    """One payment; it has no id of its own. Vendor page: "Webhooks", `payments[]`."""

    payment_method_id: int | None = None
    """Enum `payment_methods`."""
    payment_method_name: str | None = None
    """Text of the method, in Dutch."""
    amount_cents: int | None = None
    """In hundredths of `currency`."""
    currency: str | None = None
    """ISO 4217 code, such as "EUR"."""
    book_date: datetime | None = None
    """When the payment was booked, aware, in Amsterdam time."""

    def __post_init__(self) -> None:
        if (moment := self.book_date) is not None:
            force_setattr(self, "book_date", in_amsterdam(moment))


class RegisteredPayments(Model, frozen=True, kw_only=True, gc=False):
    """Payments of one invoice or sales order. Vendor page: "Webhooks", Payments created."""

    entity_type_id: int
    """5 is a sales transaction, 7 a sales order."""
    entity_id: int
    """The invoice's number or the sales order's id."""
    payments: NeverNullList[Payment] = []
    """The payments."""

    def __post_init__(self) -> None:
        if self.payments is NULL:
            force_setattr(self, "payments", [])


class PaymentLink(Model, frozen=True, kw_only=True, gc=False):
    """A page where the customer pays online. Amounts are in cents.

    Anyone with `payment_url` can open it. Vendor page: "Payments", "Payment links".
    """

    sales_order_id: int | None = None
    """The order that is paid; None for an invoice without one."""
    customer_id: int | None = None
    """The customer who pays."""
    sales_transaction_number: int | None = None
    """The invoice that is paid; None for an order."""
    payment_url: str | None = None
    """Address of the page."""
    total_amount_cents: int | None = None
    """Total of the order or invoice."""
    already_payed_cents: int | None = None
    """What was paid before; the vendor's spelling."""
    payment_link_amount_cents: int | None = None
    """What the page asks for."""
    dynamic_payment_amount: bool | None = None
    """Whether the page asks for what is unpaid at the moment that it is opened."""
    qr_code: str | None = None
    """The address as a QR code: a `data:` address of a PNG. See `qr_png`."""

    @property
    def qr_png(self) -> bytes:
        """The QR code as a PNG.

        Raises:
            ResponseDecodeError: The server sent no base64.
        """
        _, _, encoded = (self.qr_code or "").partition(",")
        return from_base64("the QR code", encoded)


class PaymentInput(Model, frozen=True, kw_only=True):
    """A payment to book. Only what you set is sent. Vendor page: "Payments", "Bulk payments"."""

    payment_method_id: int
    """Enum `payment_methods`. 5 is a voucher."""
    payment_amount_cents: int
    """Amount in cents."""
    voucher_code: str | UnsetType | None = UNSET
    """Code of the voucher, for method 5."""
    payment_for_customer_id: int | UnsetType | None = UNSET
    """The payer, for a split order."""


class AddedPayment(Model, frozen=True, kw_only=True, gc=False):
    """A payment that was booked. Vendor page: "Payments", "Bulk payments"."""

    book_date: datetime | None = None
    """When it was booked, aware, in Amsterdam time."""
    payment_method_id: int | None = None
    """Enum `payment_methods`."""
    payment_amount_cents: int | None = None
    """Amount in cents."""
    payment_for_customer_id: int | None = None
    """The payer of a split order."""

    def __post_init__(self) -> None:
        if (moment := self.book_date) is not None:
            force_setattr(self, "book_date", in_amsterdam(moment))


class AddedPayments(Struct, frozen=True, kw_only=True, gc=False):
    """The payments that were booked, and what is left to pay. Amounts are in cents.

    Vendor page: "Payments", "Bulk payments".
    """

    payments: NeverNullList[AddedPayment] = []
    """The payments."""
    total_amount_cents: int | None = None
    """Total of the order or invoice."""
    unpaid_amount_cents: int | None = None
    """What is still to be paid."""

    def __post_init__(self) -> None:
        if self.payments is NULL:
            force_setattr(self, "payments", [])
