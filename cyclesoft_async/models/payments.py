"""Payments that were registered for an invoice or a sales order.

Vendor page: "Webhooks", Payments created. On read every property may be null or absent, also against its
table, so all but the identity default to None.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.codec.lists import NULL, NeverNullList

from ._base import Model


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
