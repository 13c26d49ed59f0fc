"""Which runs have seen which orders.

Runs can overlap: what a later one sees was there after the earlier one began, and so counts for both.
Therefore an order keeps the newest run that has seen it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, or_

from .tables import workshop_orders

_orders = workshop_orders.c


def not_seen_by(run_id: int | BindParameter[int]) -> ColumnElement[bool]:
    """Orders that neither this run has come across, nor a later one."""
    return or_(_orders.seen_run_id.is_(None), _orders.seen_run_id < run_id)


def mark_seen(connection: Connection, workshop_order_ids: Iterable[int], run_id: int | None) -> None:
    """Note that the run has come across these orders, as far as they are stored; None is no run."""
    keys = sorted(workshop_order_ids)
    if keys and run_id is not None:
        connection.execute(_MARK, [{"key": key, "run": run_id} for key in keys])


_MARK = (
    workshop_orders.update()
    .where(_orders.workshop_order_id == bindparam("key"), not_seen_by(bindparam("run")))
    .values(seen_run_id=bindparam("run"))
)
