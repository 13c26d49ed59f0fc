"""Payments that were registered for an invoice or a sales order.

Vendor page: "Webhooks", Payments created. On read every property may be null or absent, whatever its table
says, so all but the identity default to None.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from cyclesoft_async.codec.datetimes import from_wire


class Payment(Struct, frozen=True, kw_only=True, gc=False):
    """One payment; it has no id of its own. Vendor page: "Webhooks", `payments[]`."""

    payment_method_id: int | None = None
    payment_method_name: str | None = None
    amount_cents: int | None = None
    """In hundredths of `currency`."""
    currency: str | None = None

    _book_date: datetime | None = field(default=None, name="book_date")

    @property
    def book_date(self) -> datetime | None:
        """When the payment was booked, aware, in Amsterdam time."""
        return from_wire(self._book_date)


class RegisteredPayments(Struct, frozen=True, kw_only=True, gc=False):
    """Payments of one invoice or sales order. Vendor page: "Webhooks", Payments created."""

    entity_type_id: int
    """5 is a sales transaction, 7 a sales order."""
    entity_id: int
    """The invoice's number or the sales order's id."""

    _payments: list[Payment] | None = field(default=None, name="payments")

    @property
    def payments(self) -> list[Payment]:
        """The payments; empty when the server sends null or leaves them out."""
        return self._payments or []
