"""Rows that can't be read or stored: put aside as they came, to be tried again by a later version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, select

from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.models.tolerance import decode

from .backend import Backend
from .tables import rejected_rows
from .writing import Misfit, put_each

_AT_ONCE = 500


class RetriedRows(Struct, frozen=True, kw_only=True):
    """What came of rejected rows that were tried again."""

    stored: int
    """Rows that this version can read: they are orders now. Of an order that the store has in a newer version
    nothing is changed."""
    rejected: int
    """Rows that still can't be read; they stay in the table."""


def put_aside(connection: Connection, rows: Sequence[Misfit], run_id: int | None) -> None:
    """Store rows that are no orders."""
    now = datetime.now(UTC)
    values = [
        {"seen_at": now, "reason": row.reason, "raw": row.raw, "path": row.path, "run_id": run_id}
        for row in rows
    ]
    if values:
        connection.execute(rejected_rows.insert(), values)


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
