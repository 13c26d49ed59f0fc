"""Service items: those that changed since the day of the last run. The scope `sales-export` is needed."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Column, RowMapping, Table

from cyclesoft_async.errors import NotFoundError
from cyclesoft_async.models import AMSTERDAM, ServiceItem
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of
from .mirrored import Mirrored

service_items: Table = Table(
    "service_items",
    metadata,
    Column("service_item_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(
        ServiceItem,
        "account_id store_id service_id service_barcode service_status_id invoice_number customer_id"
        " object_id is_open is_scheduled title description gross_unit_price_cents unit_discount_amount_cents"
        " amount_payed_in_advance_cents time_minutes scheduled_at scheduled_at_km_age modified_at",
    ),
    *bookkeeping_columns(),
    comment="Planned services of bikes.",
)

KIND = Mirrored(ServiceItem, service_items, indexes=[service_items.c.object_id, service_items.c.customer_id])


class _Id(Struct, frozen=True):
    service_item_id: int | None = None


async def _read(cs: CycleSoftSession, since: datetime | None, cursor: str | None) -> Batch[ServiceItem]:
    day = None if since is None else since.astimezone(AMSTERDAM).date()
    return batch_of(await cs.service_items.list(modified_start=day, cursor=cursor))


async def _find(cs: CycleSoftSession, row: RowMapping) -> bytes | None:
    path = f"/api/v1/customers/{row['customer_id'] or 0}/service-items.json"
    try:
        items = await cs.request("GET", path, type=list[Raw])
    except NotFoundError:
        return None
    same = (raw for raw in map(bytes, items) if _id(raw) == row["service_item_id"])
    return next(same, None)


def _id(raw: bytes) -> int | None:
    try:
        return msgspec.json.decode(raw, type=_Id, strict=False).service_item_id
    except msgspec.DecodeError:
        return None


SERVICE_ITEMS = Listed(kind=KIND, read=_read, is_incremental=True, find=_find)
