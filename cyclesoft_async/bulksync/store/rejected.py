"""Rejected rows: stored as they came, because they cannot be read, and tried again by a later version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Row, delete, func, or_, select

from cyclesoft_async.bulksync.resources import BY_NAME
from cyclesoft_async.bulksync.resources.mirrored import Key, Mirrored, key_text
from cyclesoft_async.bulksync.resources.workshop_orders import WORKSHOP_ORDERS
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import RejectedRow

from .queries import mark_seen
from .slices import next_slice
from .tables import rejected_rows, seen_orders
from .transaction import Transaction
from .upserts import UnstorableRow, upsert, upsert_orders

_row = rejected_rows.c
_seen = seen_orders.c


class RetriedRows(Struct, frozen=True, kw_only=True):
    """Outcome of a new attempt at the rejected rows."""

    stored: int
    """Rows that this version can read, and that left the table. An order of which a newer copy is stored, or
    came later, stays as it is."""
    rejected: int
    """Rows that still cannot be read; they stay in the table."""


class _Identified(Struct, frozen=True):
    """The part of an order that identifies it."""

    workshop_order_id: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


def unstorable(row: RejectedRow) -> UnstorableRow:
    """Return a row that a page has rejected as one to be stored here."""
    return UnstorableRow(row.raw, row.path, row.reason)


def reject(tx: Transaction, rows: Sequence[UnstorableRow], run_id: int | None) -> None:
    """Store rows that are no orders, each once for a run, which then has seen the orders."""
    if not rows:
        return
    now = datetime.now(UTC)
    keys = {row.raw: _order_id(row.raw) for row in rows}
    identified = [key for key in keys.values() if key is not None]
    unidentified = [raw for raw, key in keys.items() if key is None]
    # A window that was interrupted is listed again, and has the same rows again.
    again = or_(_row.workshop_order_id.in_(identified), _row.raw.in_(unidentified))
    tx.connection.execute(delete(rejected_rows).where(_row.run_id == run_id, again))
    values = [
        {
            "seen_at": now,
            "reason": row.reason,
            "raw": row.raw,
            "path": row.path,
            "run_id": run_id,
            "workshop_order_id": keys[row.raw],
        }
        for row in {row.raw if keys[row.raw] is None else keys[row.raw]: row for row in rows}.values()
    ]
    tx.connection.execute(rejected_rows.insert(), values)
    mark_seen(tx, set(identified), run_id)


def reject_listed(
    tx: Transaction, kind: Mirrored[Any], rows: Sequence[UnstorableRow], *, readable: Collection[Key]
) -> None:
    """Store rows of a page of a list that cannot be read, and forget earlier ones that the page has again.

    Args:
        tx: The transaction.
        kind: What they should be.
        rows: The rows.
        readable: The keys of the page's other rows.
    """
    now = datetime.now(UTC)
    keys = {row.raw: key_text(identity) if (identity := kind.identify(row.raw)) else None for row in rows}
    again = or_(
        _row.row_key.in_([*map(key_text, readable), *(key for key in keys.values() if key is not None)]),
        _row.raw.in_(list(keys)),
    )
    if tx.connection.execute(select(_row.id).where(_row.resource == kind.name).limit(1)).first() is not None:
        tx.connection.execute(delete(rejected_rows).where(_row.resource == kind.name, again))
    if rows:
        values = [
            {
                "seen_at": now,
                "reason": row.reason,
                "raw": row.raw,
                "path": row.path,
                "resource": kind.name,
                "row_key": keys[row.raw],
            }
            for row in {row.raw: row for row in rows}.values()
        ]
        tx.connection.execute(rejected_rows.insert(), values)


def forget_listed(tx: Transaction, kind: Mirrored[Any], started_at: datetime) -> None:
    """Delete rows from before a run that has read the whole list."""
    earlier = (_row.resource == kind.name) & (_row.seen_at < started_at)
    tx.connection.execute(delete(rejected_rows).where(earlier))


def count(tx: Transaction, run_id: int) -> int:
    """Return how many rows a run has rejected that are in the table."""
    of_run = select(func.count()).select_from(rejected_rows).where(_row.run_id == run_id)
    return tx.connection.execute(of_run).scalar_one()


def forget_outdated(tx: Transaction, run_id: int, started_at: datetime) -> None:
    """Delete rows from before a run that it has received again, readable or not.

    Rows of orders that left the days of the run meanwhile stay: there is no other copy.
    """
    again = rejected_rows.alias().c
    came_again = or_(
        _row.workshop_order_id.in_(select(_seen.workshop_order_id).where(_seen.run_id >= run_id)),
        # Of a row whose id cannot be read, only the same bytes are known to be the same order.
        _row.raw.in_(select(again.raw).where(again.run_id == run_id, again.workshop_order_id.is_(None))),
    )
    is_earlier = _row.run_id.is_distinct_from(run_id) & (_row.seen_at < started_at)
    tx.connection.execute(delete(rejected_rows).where(is_earlier, came_again))


def identify(tx: Transaction, after: int | None) -> Sequence[int]:
    """Note which orders the next rows are; versions of the schema before 3 did not. Return their numbers."""
    keys = next_slice(tx, _row.id, _row.raw, after)
    for row in tx.connection.execute(select(_row.id, _row.raw).where(_row.id.in_(keys))).all():
        noted = rejected_rows.update().where(_row.id == row.id)
        tx.connection.execute(noted.values(workshop_order_id=_order_id(row.raw)))
    return keys


class Retry:
    """A pass over the rejected rows, a slice of them at a time."""

    def __init__(self) -> None:
        self.stored: int = 0
        self.rejected: int = 0
        self._after: int | None = None

    def next_slice(self, tx: Transaction) -> bool:
        """Try the next rows again; return whether there were any."""
        stored = rejected = 0
        keys = next_slice(tx, _row.id, _row.raw, self._after)
        for key in keys:  # one in memory at a time
            locked = select(rejected_rows).where(_row.id == key).with_for_update()
            row = tx.connection.execute(locked).one_or_none()
            if row is None:  # another process has stored it meanwhile
                continue
            if _store(tx, row):
                tx.connection.execute(delete(rejected_rows).where(_row.id == key))
                stored += 1
            else:
                rejected += 1
        self.stored += stored
        self.rejected += rejected
        self._after = keys[-1] if keys else self._after
        return bool(keys)


def _store(tx: Transaction, row: Row[tuple[object, ...]]) -> bool:
    if row.resource != WORKSHOP_ORDERS.name:
        return _store_listed(tx, row)
    if _order_id(row.raw) is None:
        return False
    try:
        order = decode(row.raw, WorkshopOrder)
    except msgspec.DecodeError:
        return False
    seen = select(_seen.arrived_at).where(_seen.workshop_order_id == order.workshop_order_id)
    arrived_at = tx.connection.execute(seen).scalar_one_or_none()
    if arrived_at is not None and row.seen_at <= arrived_at:
        return True
    one_by_one = Transaction(tx.connection, tx.backend, one_by_one=True)
    return not upsert_orders(one_by_one, [(order, row.raw)], row.run_id, arrived_at=row.seen_at)


def _store_listed(tx: Transaction, row: Row[tuple[object, ...]]) -> bool:
    kind = BY_NAME.get(row.resource)
    if kind is None:
        return False
    try:
        item = decode(row.raw, kind.model)
        kind.key_of(item)
    except msgspec.DecodeError:
        return False
    one_by_one = Transaction(tx.connection, tx.backend, one_by_one=True)
    return not upsert(one_by_one, kind, [(item, row.raw)], asked_at=row.seen_at)


def _order_id(raw: bytes) -> int | None:
    try:
        return decode(raw, _Identified).workshop_order_id
    except msgspec.DecodeError:
        return None
