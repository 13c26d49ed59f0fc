"""Repair codes, the workshop's price list: one request. The key is `code`: the vendor repeats `code_id`."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw
from sqlalchemy import Column, Table, Text

from cyclesoft_async.models import RepairCode
from cyclesoft_async.session import CycleSoftSession

from .columns import bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, decoded
from .mirrored import Mirrored

repair_codes: Table = Table(
    "repair_codes",
    metadata,
    Column("code", Text, primary_key=True),
    *typed_columns(
        RepairCode,
        "code_id category description extra_text price_cents time_minutes workshop_rate_id vat_code",
    ),
    *bookkeeping_columns(),
    comment="The workshop's price list.",
)

KIND = Mirrored(RepairCode, repair_codes)


async def _read(cs: CycleSoftSession, _: datetime | None, __: str | None) -> Batch[RepairCode]:
    codes = await cs.request("GET", "/api/v1/workshop/repair-codes.json", type=list[Raw])
    return decoded(codes, RepairCode)


REPAIR_CODES = Listed(kind=KIND, read=_read)
