"""Rows that can't be read or stored: put aside as they came, to be tried again by a later version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.models import WorkshopOrder

from .backend import Backend
from .seen import mark_seen
from .tables import rejected_rows, workshop_orders
from .upserts import Misfit, put_each

_AT_ONCE = 500


class RetriedRows(Struct, frozen=True, kw_only=True):
    """What came of rejected rows that were tried again."""

    stored: int
    """Rows that this version can read: they are orders now. Of an order that the store has in a newer version
    nothing is changed."""
    rejected: int
    """Rows that still can't be read; they stay in the table."""


class _Identified(Struct, frozen=True):
    """What is known of an order that can't be read."""

    workshop_order_id: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


def put_aside(connection: Connection, rows: Sequence[Misfit], run_id: int | None) -> None:
    """Store rows that are no orders; the run has seen the orders that they were to be."""
    if not rows:
        return
    now = datetime.now(UTC)
    keys = [_order_id(row.raw) for row in rows]
    values = [
        {
            "seen_at": now,
            "reason": row.reason,
            "raw": row.raw,
            "path": row.path,
            "run_id": run_id,
            "workshop_order_id": key,
        }
        for row, key in zip(rows, keys, strict=True)
    ]
    connection.execute(rejected_rows.insert(), values)
    mark_seen(connection, {key for key in keys if key is not None}, run_id)


def forget_outdated(connection: Connection, run_id: int, started_at: datetime) -> None:
    """Forget rows from before a run that it has come across again, whether or not they are orders by now.

    Those that left the days of the run meanwhile stay: nobody has another copy.
    """
    row, again, orders = rejected_rows.c, rejected_rows.alias().c, workshop_orders.c
    key, of_run = row.workshop_order_id, again.run_id == run_id
    came_again = or_(
        exists().where(orders.workshop_order_id == key, orders.seen_run_id >= run_id),
        key.in_(select(again.workshop_order_id).where(of_run)),
        # Of what not even the number can be read, only the same bytes are known to be the same.
        row.raw.in_(select(again.raw).where(of_run, again.workshop_order_id.is_(None))),
    )
    is_earlier = row.run_id.is_distinct_from(run_id) & (row.seen_at < started_at)
    connection.execute(rejected_rows.delete().where(is_earlier, came_again))


def identify(connection: Connection) -> None:
    """Note of which orders the rows are; versions of the schema before 3 did not."""
    found = connection.execute(select(rejected_rows.c.id, rejected_rows.c.raw)).all()
    if found:
        noted = rejected_rows.update().where(rejected_rows.c.id == bindparam("key"))
        values = [{"key": row.id, "order": _order_id(row.raw)} for row in found]
        connection.execute(noted.values(workshop_order_id=bindparam("order")), values)


def _order_id(raw: bytes) -> int | None:
    try:
        return decode(raw, _Identified).workshop_order_id
    except msgspec.DecodeError:
        return None


class Retry:
    """A pass over the rejected rows, some at a time."""

    def __init__(self) -> None:
        self.stored = self.rejected = 0
        self._after = 0

    def go_on(self, connection: Connection, backend: Backend) -> bool:
        """Try the next rows; answers whether there were any."""
        later = rejected_rows.c.id > self._after
        some = select(rejected_rows).where(later).order_by(rejected_rows.c.id).limit(_AT_ONCE)
        rows = connection.execute(some.with_for_update()).all()
        for row in rows:
            self._after = row.id
            if _store(connection, backend, row.raw, row.run_id):
                connection.execute(delete(rejected_rows).where(rejected_rows.c.id == row.id))
                self.stored += 1
            else:
                self.rejected += 1
        return bool(rows)


def _store(connection: Connection, backend: Backend, raw: bytes, run_id: int | None) -> bool:
    try:
        order = decode(raw, WorkshopOrder)
    except msgspec.DecodeError:
        return False
    return not put_each(connection, backend, [(order, raw)], run_id)
