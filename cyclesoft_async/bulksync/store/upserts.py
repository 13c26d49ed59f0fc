"""Upserts: orders and their lines into the tables, and never an older copy over a newer one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import StoreError
from cyclesoft_async.models import WorkshopOrder

from .backend import StoredVersion
from .queries import mark_seen
from .rows import RawOrder, modified_text, raw_text
from .slices import next_slice
from .tables import workshop_orders
from .transaction import Transaction

_ATTEMPTS: Final = 5
_SUNDAY: Final = 6


class UnstorableRow(Struct, frozen=True):
    """A row that cannot be stored as an order."""

    raw: bytes
    path: str
    """Where in the row the fault is; "$" is the row as a whole."""
    reason: str


def upsert(
    tx: Transaction,
    orders: Sequence[RawOrder],
    run_id: int | None,
    *,
    arrived_at: datetime | None = None,
) -> Sequence[UnstorableRow]:
    """Insert or update orders with their lines, and note that a run has seen them.

    An unchanged order is not written.

    Args:
        tx: The transaction.
        orders: Of several copies of an order the newest counts.
        run_id: None is no run.
        arrived_at: When they came; now by default.

    Returns:
        Orders with a value that the database cannot store, when the transaction writes one by one. They are
        not written, the others are.

    Raises:
        Exception: One of `backend.value_errors`, when the transaction writes a batch.
    """
    newest = _newest_copies(orders)
    if not tx.one_by_one:
        upsert_batch(tx, newest)
        unstorable: list[UnstorableRow] = []
    else:
        unstorable = upsert_one_by_one(tx, newest)
    refused = {row.raw for row in unstorable}
    mark_seen(
        tx,
        [order.workshop_order_id for order, raw in newest if raw not in refused],
        run_id,
        arrived_at=arrived_at or datetime.now(UTC),
    )
    return unstorable


def upsert_batch(tx: Transaction, orders: Sequence[RawOrder]) -> None:
    """Upsert orders, each of them once and by ascending id."""
    left = orders
    for _ in range(_ATTEMPTS):
        stored = _stored(tx, left, lock=False)
        new = [pair for pair in left if pair[0].workshop_order_id not in stored]
        changed = _newer(left, stored)
        if new:
            inserted = tx.backend.insert_orders(tx.connection, new)
            # Another process may have inserted some of them since they were looked for.
            new = [pair for pair in new if pair[0].workshop_order_id not in inserted]
        if changed:
            changed = _newer(changed, _stored(tx, changed, lock=True))
            tx.backend.update_orders(tx.connection, changed)
        if not new:
            return
        left = new
    raise StoreError("orders cannot be inserted: another process inserts and deletes the same ones")


def upsert_one_by_one(tx: Transaction, orders: Sequence[RawOrder]) -> list[UnstorableRow]:
    """Upsert orders one at a time, which is slow; return those that cannot be stored."""
    unstorable: list[UnstorableRow] = []
    for order, raw in orders:
        try:
            with tx.connection.begin_nested():
                upsert_batch(tx, [(order, raw)])
        except tx.backend.value_errors:
            unstorable.append(UnstorableRow(raw, "$", "a value is too large for the database"))
    return unstorable


def rewrite_lines(tx: Transaction) -> None:
    """Write the lines of all stored orders anew, from their JSON."""
    after: int | None = None
    while keys := next_slice(tx, workshop_orders.c.workshop_order_id, workshop_orders.c.raw, after):
        after = keys[-1]
        stored = tx.backend.stored_versions(tx.connection, keys, lock=True)
        raws = [stored[key].raw.encode() for key in keys]
        tx.backend.update_orders(tx.connection, [(decode(raw, WorkshopOrder), raw) for raw in raws])


def mark_deleted(tx: Transaction, workshop_order_ids: Sequence[int]) -> None:
    """Note that the server has no such orders any more: `is_active` becomes false."""
    if workshop_order_ids:
        tx.connection.execute(_DELETED, [{"key": key} for key in sorted(workshop_order_ids)])


def is_older(modified: str | None, than: str | None) -> bool:
    """Whether a copy of an order was surely modified before another one.

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


def _stored(tx: Transaction, orders: Sequence[RawOrder], *, lock: bool) -> Mapping[int, StoredVersion]:
    keys = [order.workshop_order_id for order, _ in orders]
    return tx.backend.stored_versions(tx.connection, keys, lock=lock)


def _newer(orders: Sequence[RawOrder], stored: Mapping[int, StoredVersion]) -> list[RawOrder]:
    """Return the orders that are stored, differ, and are not older than their stored version."""
    return [
        (order, raw)
        for order, raw in orders
        if (version := stored.get(order.workshop_order_id)) is not None
        and (raw_text(raw), order.is_active) != (version.raw, version.is_active)
        and not is_older(modified_text(order), version.modified)
    ]


def _newest_copies(orders: Sequence[RawOrder]) -> list[RawOrder]:
    newest: dict[int, RawOrder] = {}
    for order, raw in orders:
        earlier = newest.get(order.workshop_order_id)
        if earlier is None or not _is_older_copy(order, earlier[0]):
            newest[order.workshop_order_id] = order, raw
    # By id: processes that write the same orders lock them in one sequence, so they cannot deadlock.
    return [newest[key] for key in sorted(newest)]


def _is_older_copy(order: WorkshopOrder, than: WorkshopOrder) -> bool:
    try:
        return is_older(modified_text(order), modified_text(than))
    except OverflowError:  # no database can store it: which copy is newer does not matter
        return False


_DELETED = (
    workshop_orders.update()
    .where(workshop_orders.c.workshop_order_id == bindparam("key"), workshop_orders.c.is_active.is_not(False))
    .values(is_active=False)
)
