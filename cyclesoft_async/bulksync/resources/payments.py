"""Payments: of the days since the last run, and at first of two years. The scope `sales-export` is needed.

The server lists them by day, so a day is read again when something happened on it. One that is missing from
its day stays: the vendor names no way to take a payment back but another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Column, Table

from cyclesoft_async.models import AMSTERDAM, PaymentGroup
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed
from .mirrored import Mirrored

_AT_FIRST: Final = timedelta(days=730)
_AT_ONCE: Final = timedelta(days=31)


class MirroredPayment(Struct, frozen=True, kw_only=True, gc=False):
    """A payment, and what it paid."""

    payment_id: int
    """Id of the payment."""
    invoice_number: int | None
    """Invoice that was paid."""
    related_to_invoice_number: int | None
    """Invoice that this one corrects."""
    sales_order_id: int | None
    """Sales order that was paid."""
    customer_id: int | None
    """The customer who paid."""
    store_id: int | None
    """Store that took it."""
    book_location_id: int | None
    """The till."""
    method: str | None
    """Text of the method."""
    method_id: int | None
    """Enum `payment_methods`."""
    amount_cents: int | None
    """Amount; negative for a refund."""
    book_date: datetime | None
    """When it was booked."""
    created_at: datetime | None
    """When it was entered."""


payments: Table = Table(
    "payments",
    metadata,
    Column("payment_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(MirroredPayment, " ".join(MirroredPayment.__struct_fields__[1:])),
    *bookkeeping_columns(),
    comment="Payments of invoices and sales orders.",
)

KIND = Mirrored(MirroredPayment, payments, indexes=[payments.c.invoice_number, payments.c.book_date])


async def _read(cs: CycleSoftSession, since: datetime | None, cursor: str | None) -> Batch[MirroredPayment]:
    today = datetime.now(AMSTERDAM).date()
    if cursor is not None:
        first = date.fromisoformat(cursor)
    else:
        first = today - _AT_FIRST if since is None else min(since.astimezone(AMSTERDAM).date(), today)
    following = first + _AT_ONCE
    batch = await payments_of(cs, first, min(following - timedelta(days=1), today))
    return replace(batch, cursor=following.isoformat() if following <= today else None)


async def payments_of(cs: CycleSoftSession, first: date, last: date) -> Batch[MirroredPayment]:
    """Request the payments of some days, 31 at most."""
    groups = await cs.salesdata.payments(first, last)
    rows = [(row, msgspec.json.encode(row)) for group in groups for row in _rows(group)]
    return Batch(rows=rows, rejected=[])


def _rows(group: PaymentGroup) -> Iterable[MirroredPayment]:
    for payment in group.payments:
        values = asdict(group) | asdict(payment)
        if payment.payment_id is not None:
            yield MirroredPayment(**{name: values[name] for name in MirroredPayment.__struct_fields__})


PAYMENTS = Listed(kind=KIND, read=_read, is_incremental=True, shows_all=False)
