"""Queries: which orders a run has seen, which it has to refetch, and how many there are on each day.

Runs can overlap. An order that a later run sees was there after the earlier one began, and so counts for
both; therefore an order keeps the newest run that has seen it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Text, cast, column, func, literal_column, or_, select, table

from cyclesoft_async.bulksync.resources.values import utc_text
from cyclesoft_async.bulksync.resources.workshop_orders import workshop_orders
from cyclesoft_async.models import AMSTERDAM

from .tables import rejected_rows, runs, seen_orders, windows
from .transaction import Transaction

ANONYMOUS: Final = 0
"""Not a customer: what the vendor writes for an order that has none."""

_REFETCH_AGAIN: Final = timedelta(days=7)

_order = workshop_orders.c
_seen = seen_orders.c
_with_seen = workshop_orders.outerjoin(seen_orders, _seen.workshop_order_id == _order.workshop_order_id)


class OrderKey(Struct, frozen=True):
    """The ids by which the API returns one order."""

    customer_id: int
    workshop_order_id: int


class MissingOrders(Struct, frozen=True, kw_only=True):
    """Known orders of a run's days that its lists do not have."""

    vanished: Sequence[OrderKey]
    """Those that an earlier list had."""
    hidden: Sequence[OrderKey]
    """Those that only single requests showed, the last one a week ago or longer."""


class Pickup(Struct, frozen=True, kw_only=True):
    """A row of the view `ready_for_pickup`."""

    workshop_order_id: int
    status_text: str | None
    customer_name: str | None
    phone_number: str | None
    bike: str | None
    mechanic: str | None


def ready_for_pickup(tx: Transaction, most: int) -> tuple[int, Sequence[Pickup]]:
    """Return how many repairs are ready, and some of them."""
    ready = table("ready_for_pickup", *map(column, Pickup.__struct_fields__))
    count = tx.connection.execute(select(func.count()).select_from(ready)).scalar_one()
    some = select(ready).order_by(ready.c.workshop_order_id).limit(most)
    return count, [Pickup(**row) for row in tx.connection.execute(some).mappings()]


def mark_seen(
    tx: Transaction, keys: Collection[int], run_id: int | None, *, arrived_at: datetime | None = None
) -> None:
    """Note that a run has seen these orders, and when a readable copy of them came; None is not noted."""
    if keys and (run_id is not None or arrived_at is not None):
        tx.backend.mark_seen(tx.connection, sorted(keys), run_id, utc_text(arrived_at))


def forget_runs_since(tx: Transaction, run_id: int) -> None:
    """Forget what runs of this number and later ones have read and seen, when such a run begins.

    Numbers begin anew when a user drops or empties the table of runs. An order seen by a run with a higher
    number would never count as missing again.
    """
    tx.connection.execute(windows.delete().where(windows.c.run_id >= run_id))
    tx.connection.execute(seen_orders.update().where(_seen.run_id >= run_id).values(run_id=None))
    tx.connection.execute(rejected_rows.update().where(rejected_rows.c.run_id >= run_id).values(run_id=None))


def note_refetched(tx: Transaction, keys: Collection[int], run_id: int) -> None:
    """Note that a run has requested these orders one by one just now."""
    if keys:
        mark_seen(tx, keys, run_id)
        refetched = seen_orders.update().where(_seen.workshop_order_id.in_(list(keys)))
        tx.connection.execute(refetched.values(refetched_at=datetime.now(UTC)))


def missing(tx: Transaction, run_id: int) -> MissingOrders:
    """Return the orders of the run's days that neither this run has seen, nor a later one.

    Without those that are deleted already, and without anonymous ones, which the API returns by a customer.
    """
    of_run = select(runs.c.date_from, runs.c.date_until).where(runs.c.run_id == run_id)
    days = tx.connection.execute(of_run).one_or_none()
    if days is None:
        return MissingOrders(vanished=(), hidden=())
    not_seen = or_(_seen.run_id.is_(None), _seen.run_id < run_id)
    found = tx.connection.execute(
        select(_order.customer_id, _order.workshop_order_id, _seen.refetched_at)
        .select_from(_with_seen)
        .where(not_seen, _can_be_refetched(days.date_from, days.date_until))
        .order_by(_order.workshop_order_id)
    ).all()
    return MissingOrders(
        vanished=[
            OrderKey(customer, order) for customer, order, refetched_at in found if refetched_at is None
        ],
        hidden=[
            OrderKey(customer, order) for customer, order, refetched_at in found if _is_due(refetched_at)
        ],
    )


def count_hidden(tx: Transaction, first: date, last: date) -> int:
    """Return how many orders of these days a run would request although no list has shown them lately."""
    times = tx.connection.scalars(
        select(_seen.refetched_at)
        .select_from(_with_seen)
        .where(_seen.refetched_at.is_not(None), _can_be_refetched(first, last))
    )
    return sum(map(_is_due, times))


def orders_per_day(tx: Transaction, first: date, last: date) -> Mapping[date, int]:
    """Return how many orders are planned to start on each day; days without any are left out."""
    wall = literal_column(tx.backend.wall_time(_order.datetime_scheduled_start.name), Text)
    day = func.substr(cast(wall, Text), 1, len("2025-07-01"))
    counted = select(day, func.count()).where(_within(first, last)).group_by(day).order_by(day)
    return {date.fromisoformat(day): count for day, count in tx.connection.execute(counted)}


def start_days(tx: Transaction, keys: Collection[int]) -> Mapping[int, date]:
    """Return the day in Amsterdam that each of these orders starts on, as far as it is stored."""
    starts = tx.connection.execute(
        select(_order.workshop_order_id, _order.datetime_scheduled_start).where(
            _order.workshop_order_id.in_(list(keys)), _order.datetime_scheduled_start.is_not(None)
        )
    )
    return {key: start.astimezone(AMSTERDAM).date() for key, start in starts}


def _is_due(refetched_at: datetime | None) -> bool:
    return refetched_at is not None and refetched_at < datetime.now(UTC) - _REFETCH_AGAIN


def _can_be_refetched(first: date, last: date) -> ColumnElement[bool]:
    # The comparison is NULL, and so not true, of an order without a customer.
    return _within(first, last) & _order.is_active.is_not(False) & (_order.customer_id != ANONYMOUS)


def _within(first: date, last: date) -> ColumnElement[bool]:
    """Return the condition that an order starts on these days of Amsterdam, both included."""
    # In UTC the first day that there is begins a day too early.
    first = max(first, date.min + timedelta(days=1))
    begin, end = datetime.combine(first, time.min, AMSTERDAM), datetime.combine(last, time.max, AMSTERDAM)
    return _order.datetime_scheduled_start.between(begin, end)
