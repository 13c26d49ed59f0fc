"""Payments that webhooks report: the day is read again, as the event names no payment by its id."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from cyclesoft_async.bulksync.resources import Batch
from cyclesoft_async.bulksync.resources.payments import KIND, MirroredPayment, payments_of
from cyclesoft_async.bulksync.store import list_runs
from cyclesoft_async.bulksync.store.open_store import StoreWriter
from cyclesoft_async.models import AMSTERDAM, RegisteredPayments
from cyclesoft_async.session import CycleSoftSession

from .list_reader import date_of
from .readers import bulk_session

_LONGEST = timedelta(days=30)


async def are_mirrored(writer: StoreWriter) -> bool:
    """Whether a sync has filled the table of payments."""
    return (await writer.run(list_runs.state, KIND.name)).completed_at is not None


def days_of(registered: RegisteredPayments, occurred_at: datetime) -> tuple[date, date]:
    """Return the first and the last day of some payments, at most 31 days apart."""
    days = [each.book_date.date() for each in registered.payments if each.book_date is not None]
    last = max(days, default=occurred_at.astimezone(AMSTERDAM).date())
    return max(min(days, default=last), last - _LONGEST), last


async def refetch_payments(cs: CycleSoftSession, writer: StoreWriter, first: date, last: date) -> None:
    """Request the payments of some days and store them.

    Raises:
        QuotaExhausted: The quota is used up.
        RequestError: A call went wrong for good.
    """

    async def read(bulk: CycleSoftSession) -> Batch[MirroredPayment]:
        return await payments_of(bulk, first, last)

    batch, response = await bulk_session(cs).with_raw_response(read)
    await writer.run(list_runs.settle_missing, KIND, found=batch, gone=(), asked_at=date_of(response))
