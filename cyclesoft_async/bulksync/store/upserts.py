"""Upserts: rows and their lines into the tables, and never an older copy over a newer one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, Final, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, bindparam

from cyclesoft_async.bulksync.resources.mirrored import Key, Mirrored, Received, Row, Stamp, hash_of
from cyclesoft_async.bulksync.resources.values import utc_text
from cyclesoft_async.bulksync.resources.workshop_orders import WORKSHOP_ORDERS
from cyclesoft_async.errors import StoreError
from cyclesoft_async.models import WorkshopOrder

from .backend import StoredVersion
from .queries import mark_seen
from .transaction import Transaction

T = TypeVar("T")

_ATTEMPTS: Final = 5
_SUNDAY: Final = 6
_NO_JSON: Final[tuple[type[Exception], ...]] = (ValueError,)
"""Raised for JSON that cannot be written anew."""


class UnstorableRow(Struct, frozen=True):
    """A row that cannot be stored as what it should be."""

    raw: bytes
    path: str
    """Where in the row the fault is; "$" is the row as a whole."""
    reason: str


def upsert_orders(
    tx: Transaction,
    orders: Sequence[Received[WorkshopOrder]],
    run_id: int | None,
    *,
    arrived_at: datetime | None = None,
) -> Sequence[UnstorableRow]:
    """Insert or update orders with their lines, and note that a run has seen them.

    Args:
        tx: The transaction.
        orders: Of several copies of an order the newest counts.
        run_id: None is no run.
        arrived_at: When they came; now by default.

    Returns:
        As `upsert` does.
    """
    arrived_at = arrived_at or datetime.now(UTC)
    unstorable = upsert(tx, WORKSHOP_ORDERS, orders, asked_at=arrived_at)
    keys = {order.workshop_order_id for order, _ in orders}
    if unstorable:
        refused = {row.raw for row in unstorable}
        keys = {order.workshop_order_id for order, raw in orders if raw not in refused}
    mark_seen(tx, keys, run_id, arrived_at=arrived_at)
    return unstorable


def upsert(
    tx: Transaction, kind: Mirrored[T], rows: Sequence[Received[T]], *, asked_at: datetime
) -> Sequence[UnstorableRow]:
    """Insert or update rows with their lines. An unchanged row is not written.

    Args:
        tx: The transaction.
        kind: The kind of row.
        rows: Of several copies of a row the newest counts.
        asked_at: When they were requested.

    Returns:
        Rows with a value that the database cannot store, when the transaction writes one by one. They are not
        written, the others are.

    Raises:
        Exception: One of `backend.value_errors`, when the transaction writes a batch.
    """
    newest = _newest_copies(kind, rows)
    stamp = Stamp(utc_text(asked_at), utc_text(datetime.now(UTC)))
    if not tx.one_by_one:
        upsert_batch(tx, kind, newest, stamp)
        return []
    return upsert_one_by_one(tx, kind, newest, stamp)


def upsert_batch(tx: Transaction, kind: Mirrored[T], rows: Mapping[Key, Received[T]], stamp: Stamp) -> None:
    """Upsert rows by ascending key."""
    left = rows
    for _ in range(_ATTEMPTS):
        stored = tx.backend.stored_versions(tx.connection, kind, list(left), lock=False)
        new = {key: row for key, row in left.items() if key not in stored}
        changed = _newer(kind, left, stored, stamp)
        if new:
            inserted = tx.backend.insert_rows(tx.connection, kind, list(new), _rows(tx, kind, new, stamp))
            _replace_lines(tx, kind, {key: new[key] for key in new if key in inserted})
            # Another process may have inserted some of them since they were looked for.
            new = {key: row for key, row in new.items() if key not in inserted}
        if changed:
            locked = tx.backend.stored_versions(tx.connection, kind, list(changed), lock=True)
            changed = _newer(kind, changed, locked, stamp)
            tx.backend.update_rows(tx.connection, kind, _rows(tx, kind, changed, stamp))
            _replace_lines(tx, kind, changed)
        if not new:
            return
        left = new
    raise StoreError("rows cannot be inserted: another process inserts and deletes the same ones")


def upsert_one_by_one(
    tx: Transaction, kind: Mirrored[T], rows: Mapping[Key, Received[T]], stamp: Stamp
) -> list[UnstorableRow]:
    """Upsert rows one at a time, which is slow; return those that cannot be stored."""
    unstorable: list[UnstorableRow] = []
    for key, row in rows.items():
        try:
            with tx.connection.begin_nested():
                upsert_batch(tx, kind, {key: row}, stamp)
        except (*_NO_JSON, *tx.backend.value_errors):
            unstorable.append(UnstorableRow(row[1], "$", "a value is too large for the database"))
    return unstorable


def mark_deleted(tx: Transaction, kind: Mirrored[Any], keys: Collection[Key]) -> None:
    """Note that the server has no such rows any more."""
    if not keys:
        return
    condition: ColumnElement[bool] = kind.table.c.deleted_at.is_(None)
    for place, column in enumerate(kind.key):
        condition &= column == bindparam(f"key_{place}")
    deleted = kind.table.update().where(condition)
    tx.connection.execute(
        deleted.values(deleted_at=datetime.now(UTC), **kind.when_deleted),
        [{f"key_{place}": value for place, value in enumerate(key)} for key in sorted(keys)],
    )


def is_older(modified: str | None, than: str | None) -> bool:
    """Whether a copy of a row was surely modified before another one.

    Within the hour that a Dutch clock shows twice in October the order of two times is not known.
    """
    if modified is None or than is None or modified >= than:
        return False
    return not (_in_doubled_hour(modified) and _in_doubled_hour(than))


def _in_doubled_hour(utc_text: str) -> bool:
    day, _, clock = utc_text.partition(" ")
    if day[5:8] != "10-" or day[8:] < "25" or clock >= "02":
        return False
    return date.fromisoformat(day).weekday() == _SUNDAY


def _rows(tx: Transaction, kind: Mirrored[T], rows: Mapping[Key, Received[T]], stamp: Stamp) -> Iterable[Row]:
    return (kind.row(item, raw, stamp, careful=tx.one_by_one) for item, raw in rows.values())


def _replace_lines(tx: Transaction, kind: Mirrored[T], rows: Mapping[Key, Received[T]]) -> None:
    # Of new rows, too: rows that were deleted by hand can leave their lines behind.
    if kind.lines is not None and rows:
        lines = chain.from_iterable(kind.line_rows(item, raw) for item, raw in rows.values())
        tx.backend.replace_lines(tx.connection, kind, list(rows), lines)


def _newer(
    kind: Mirrored[T],
    rows: Mapping[Key, Received[T]],
    stored: Mapping[Key, StoredVersion],
    stamp: Stamp,
) -> dict[Key, Received[T]]:
    """Return the rows that are stored, differ, and are not older than their stored version."""
    return {
        key: (item, raw)
        for key, (item, raw) in rows.items()
        if (version := stored.get(key)) is not None
        and (version.is_deleted or hash_of(raw) != version.raw_hash)
        and not _is_outdated(kind, item, stamp, version)
    }


def _is_outdated(kind: Mirrored[T], item: T, stamp: Stamp, stored: StoredVersion) -> bool:
    if kind.modified is not None:
        return is_older(kind.modified_text(item), stored.modified)
    return stamp.asked_at is not None and stored.asked_at is not None and stamp.asked_at < stored.asked_at


def _newest_copies(kind: Mirrored[T], rows: Sequence[Received[T]]) -> dict[Key, Received[T]]:
    newest: dict[Key, Received[T]] = {}
    for item, raw in rows:
        key = kind.key_of(item)
        earlier = newest.get(key)
        if earlier is None or not _is_older_copy(kind, item, earlier[0]):
            newest[key] = item, raw
    # By key: processes that write the same rows lock them in one sequence, so they cannot deadlock.
    return {key: newest[key] for key in sorted(newest)}


def _is_older_copy(kind: Mirrored[T], item: T, than: T) -> bool:
    try:
        return is_older(kind.modified_text(item), kind.modified_text(than))
    except OverflowError:  # no database can store it: which copy is newer does not matter
        return False
