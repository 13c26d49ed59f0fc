"""What a sync asks about the orders that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Text, cast, func, literal_column, select

from cyclesoft_async.models import AMSTERDAM

from .backend import Backend
from .seen import not_seen_by
from .tables import runs, workshop_orders

ANONYMOUS: Final = 0
"""Not a customer: what the vendor writes for an order that has none."""

_start = workshop_orders.c.datetime_scheduled_start


class OrderKey(Struct, frozen=True):
    """What the API wants to know to give one order."""

    customer_id: int
    workshop_order_id: int


def unseen(connection: Connection, run_id: int) -> Sequence[OrderKey]:
    """Orders of the run's days that the run has not come across; nothing if there is no such run any more.

    Without those that are deleted already, or have no customer, by whom the API could be asked.
    """
    of_run = select(runs.c.date_from, runs.c.date_until).where(runs.c.run_id == run_id)
    days = connection.execute(of_run).one_or_none()
    if days is None:
        return []
    orders = workshop_orders.c
    missed = (
        select(orders.customer_id, orders.workshop_order_id)
        .where(
            _within(days.date_from, days.date_until),
            not_seen_by(run_id),
            orders.is_active.is_not(False),
            orders.customer_id != ANONYMOUS,  # nor is it NULL
        )
        .order_by(orders.workshop_order_id)
    )
    return [OrderKey(*row) for row in connection.execute(missed)]


def orders_per_day(connection: Connection, backend: Backend, first: date, last: date) -> Mapping[date, int]:
    """How many orders are planned to start on each day; days without any are left out."""
    wall = literal_column(backend.wall_time(_start.name), Text)
    day = func.substr(cast(wall, Text), 1, len("2025-07-01"))
    counted = select(day, func.count()).where(_within(first, last)).group_by(day).order_by(day)
    return {date.fromisoformat(day): count for day, count in connection.execute(counted)}


def _within(first: date, last: date) -> ColumnElement[bool]:
    """Days of Amsterdam, both included."""
    # In UTC the first day that there is begins a day too early.
    first = max(first, date.min + timedelta(days=1))
    begin, end = datetime.combine(first, time.min, AMSTERDAM), datetime.combine(last, time.max, AMSTERDAM)
    return _start.between(begin, end)
