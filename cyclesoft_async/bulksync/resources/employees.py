"""Employees, former ones included: one request."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import Column, Table

from cyclesoft_async.models import Employee
from cyclesoft_async.session import CycleSoftSession

from .columns import Key, bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, batch_of
from .mirrored import Mirrored, Received

employees: Table = Table(
    "employees",
    metadata,
    Column("employee_id", Key, primary_key=True, autoincrement=False),
    *typed_columns(Employee, "employee_name sso_username is_active is_default is_administrator avatar"),
    *bookkeeping_columns(),
    comment="Employees of the shop, former ones included.",
)

KIND = Mirrored(Employee, employees)


async def _read(cs: CycleSoftSession, _: datetime | None, cursor: str | None) -> Batch[Employee]:
    page = await cs.paginate("GET", "/api/v1/common/employees.json", row=Employee, cursor=cursor)
    batch = batch_of(page)
    return replace(batch, rows=list(map(_without_hash, batch.rows)))


def _without_hash(received: Received[Employee]) -> Received[Employee]:
    """Leave out the hash of the employee's code, which is short enough to guess from it: a secret."""
    employee, raw = received
    if b"verification_hash" not in raw:
        return received
    row = msgspec.json.decode(raw)
    del row["verification_hash"]
    return employee, msgspec.json.encode(row)


EMPLOYEES = Listed(kind=KIND, read=_read)
