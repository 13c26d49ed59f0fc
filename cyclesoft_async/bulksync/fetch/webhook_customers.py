"""Customers whom webhooks name: read, as the payload lacks properties that the API returns."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Raw

from cyclesoft_async.bulksync.resources import Batch
from cyclesoft_async.bulksync.resources.customers import KIND
from cyclesoft_async.bulksync.resources.listed import decoded
from cyclesoft_async.bulksync.store import list_runs
from cyclesoft_async.bulksync.store.open_store import StoreWriter
from cyclesoft_async.errors import NotFoundError
from cyclesoft_async.models import Customer
from cyclesoft_async.session import CycleSoftSession

from .list_reader import date_of
from .readers import bulk_session


async def is_stored_since(writer: StoreWriter, customer_id: int, moment: datetime) -> bool:
    """Whether a copy of a customer is stored that was requested after a moment."""
    asked_at = await writer.run(list_runs.asked_at, KIND, (customer_id,))
    return asked_at is not None and asked_at > moment


async def refetch_customer(cs: CycleSoftSession, writer: StoreWriter, customer_id: int) -> None:
    """Request a customer and store the answer.

    The payload of the customer events has no `company_name`, `vat_number` and `coc_number`: stored, it would
    erase them. Vendor page: "Webhooks", Customers.

    Raises:
        QuotaExhausted: The quota is used up.
        RequestError: A call went wrong for good.
    """

    async def read(bulk: CycleSoftSession) -> Raw:
        return await bulk.request("GET", f"/api/v1/customers/{customer_id}.json", type=Raw)

    batch: Batch[Customer] = Batch(rows=(), rejected=())
    try:
        raw, response = await bulk_session(cs).with_raw_response(read)
    except NotFoundError:
        gone = [(customer_id,)]
        await writer.run(list_runs.settle_missing, KIND, found=batch, gone=gone, asked_at=datetime.now(UTC))
    else:
        batch = decoded([raw], Customer)
        asked_at = date_of(response)
        await writer.run(list_runs.settle_missing, KIND, found=batch, gone=(), asked_at=asked_at)
