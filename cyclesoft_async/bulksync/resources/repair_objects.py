"""Repair objects: the whole list every time, 1,000 in a page; it can be asked for nothing less."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, RowMapping, Table

from cyclesoft_async.models import RepairObject
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of, found_at
from .mirrored import Mirrored

repair_objects: Table = Table(
    "repair_objects",
    metadata,
    Column("object_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(
        RepairObject,
        "customer_id object_barcode is_active object_type_name category brand model model_year color variant"
        " phone_number_id license_plate km_mileage frame_id chip_id key_id engine_id battery_id lock_id"
        " workshop_rate_id service_level_id lease_fleet_customer_id lease_employer_customer_id"
        " lease_contract_number",
    ),
    *bookkeeping_columns(),
    comment="Bikes and other objects of customers.",
)

KIND = Mirrored(RepairObject, repair_objects, indexes=[repair_objects.c.customer_id])


async def _read(cs: CycleSoftSession, _: datetime | None, cursor: str | None) -> Batch[RepairObject]:
    return batch_of(await cs.repair_objects.list(cursor=cursor))


async def _find(cs: CycleSoftSession, row: RowMapping) -> bytes | None:
    path = f"/api/v1/workshop/repair-objects/{row['object_id']}.json"
    return await found_at(cs, path, under_data=True)


REPAIR_OBJECTS = Listed(kind=KIND, read=_read, find=_find)
