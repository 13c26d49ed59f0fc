"""Mechanic days: the room that each mechanic has on the days to come, which `workshop_agenda` needs.

Read whole, a row for each store, day and mechanic. Days that have passed are no longer listed, and stay.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, Date, Table

from cyclesoft_async.models import EmployeeAvailability, StoreTradingDays
from cyclesoft_async.session import CycleSoftSession

from .columns import bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed
from .mirrored import Mirrored, Received

_DAYS = 31


class MechanicDay(Struct, frozen=True, kw_only=True, gc=False):
    """A mechanic's room on a day, in one store."""

    store_id: int
    """The store."""
    date: str
    """The day."""
    employee_id: int
    """The mechanic."""
    capacity_minutes: int | None = None
    """Minutes of work on that day."""
    scheduled_minutes: int | None = None
    """Minutes that are planned already, as the server counts them."""
    available_minutes: int | None = None
    """Minutes that are left, as the server counts them."""


mechanic_days: Table = Table(
    "mechanic_days",
    metadata,
    Column("date", Date, primary_key=True),
    Column("store_id", BigInteger, primary_key=True, autoincrement=False),
    Column("employee_id", BigInteger, primary_key=True, autoincrement=False),
    *typed_columns(MechanicDay, "capacity_minutes scheduled_minutes available_minutes"),
    *bookkeeping_columns(),
    comment="Minutes of work that each mechanic has on a day.",
)


async def _read(cs: CycleSoftSession, _: dt.datetime | None, cursor: str | None) -> Batch[MechanicDay]:
    days = None if cursor else _DAYS
    page = await cs.workshop.trading_hours_per_store(day_count=days, cursor=cursor)
    rows = [row for store in page.items for row in _rows(store)]
    return Batch(rows=rows, rejected=page.rejected, cursor=page.cursor)


def _rows(store: StoreTradingDays) -> list[Received[MechanicDay]]:
    found = [
        _row(store.store_id, str(day.date), room)
        for day in store.trading_hours
        if day.date is not None
        for room in day.availability_per_employee
        if room.employee_id is not None
    ]
    return [(row, msgspec.json.encode(row)) for row in found]


def _row(store_id: int, day: str, room: EmployeeAvailability) -> MechanicDay:
    return MechanicDay(
        store_id=store_id,
        date=day,
        employee_id=room.employee_id or 0,
        capacity_minutes=room.capacity_minutes,
        scheduled_minutes=room.scheduled_minutes,
        available_minutes=room.available_minutes,
    )


MECHANIC_DAYS = Listed(kind=Mirrored(MechanicDay, mechanic_days), read=_read, shows_all=False)
