"""The workshop: trading hours and repair codes. Vendor page: "Workshop".

Durations do not add up in the vendor's examples: take the numbers as given.
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.never_null import NULL, NeverNullList

Day: TypeAlias = date  # inside TradingDay, `date` is a field


class TradingSpan(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a day."""

    start: str | None = None
    """Clock time, such as "07:30"."""
    finish: str | None = None
    """Clock time; can be "24:00"."""
    duration_minutes: int | None = None
    """Minutes; not always the difference of the two."""


class EmployeeAvailability(Struct, frozen=True, kw_only=True, gc=False):
    """A mechanic's room on a day."""

    employee_id: int | None = None
    """The mechanic."""
    capacity_minutes: int | None = None
    """Minutes of work on that day."""
    scheduled_minutes: int | None = None
    """Minutes that are planned already."""
    available_minutes: int | None = None
    """Minutes that are left: what to plan by."""
    available_slots: NeverNullList[TradingSpan] = []
    """Not availability: a mechanic without a free minute still has a slot for the whole day."""

    def __post_init__(self) -> None:
        if self.available_slots is NULL:
            force_setattr(self, "available_slots", [])


class TradingDay(Struct, frozen=True, kw_only=True, gc=False):
    """The workshop's room on a day. Vendor page: "Workshop", "Trading hours"."""

    date: Day | None = None
    """The day."""
    capacity_minutes: int | None = None
    """Minutes of work of all mechanics."""
    scheduled_minutes: int | None = None
    """Minutes that are planned already."""
    available_minutes: int | None = None
    """Minutes that are left: what to plan by."""
    day_id: int | None = None
    """Day of the week; 0 is Sunday."""
    week_no: int | None = None
    """ISO week."""
    is_closed: bool | None = None
    """Whether the workshop is closed."""
    workshop_trading_hours: NeverNullList[TradingSpan] = []
    """When the workshop is open."""
    availability_per_employee: NeverNullList[EmployeeAvailability] = []
    """The room of each mechanic."""

    def __post_init__(self) -> None:
        if self.workshop_trading_hours is NULL:
            force_setattr(self, "workshop_trading_hours", [])
        if self.availability_per_employee is NULL:
            force_setattr(self, "availability_per_employee", [])


class StoreTradingDays(Struct, frozen=True, kw_only=True, gc=False):
    """The days of one store. Vendor page: "Workshop", "Trading hours per store"."""

    store_id: int
    """The store."""
    store_name: str | None = None
    """Name of the store."""
    trading_hours: NeverNullList[TradingDay] = []
    """The days."""

    def __post_init__(self) -> None:
        if self.trading_hours is NULL:
            force_setattr(self, "trading_hours", [])


class RepairCode(Struct, frozen=True, kw_only=True, gc=False):
    """An entry of the workshop's price list. Vendor page: "Workshop", "Repair codes"."""

    code: str
    """Key of the entry: what `WorkshopOrderCreate.repair_codes` takes."""
    code_id: int | None = None
    """Not unique."""
    category: str | None = None
    """Category in the price list."""
    description: str | None = None
    """Text of the work."""
    extra_text: str | None = None
    """More text of the work."""
    price_cents: int | None = None
    """Price with VAT; None if it follows from rate and time."""
    time_minutes: int | None = None
    """Minutes of work."""
    workshop_rate_id: int | None = None
    """Enum `workshop_rates`."""
    vat_code: int | None = None
    """Enum `vat_codes`."""
