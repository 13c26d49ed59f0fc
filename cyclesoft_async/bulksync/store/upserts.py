"""Orders and their lines into the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct
from sqlalchemy import Connection, bindparam

from cyclesoft_async.models import WorkshopOrder

from .backend import Backend
from .rows import RawOrder, utc_text
from .tables import workshop_orders


class Misfit(Struct, frozen=True):
    """A row that can't be stored as an order."""

    raw: bytes
    path: str
    """Where in the row the fault is; "$" is the row as a whole."""
    reason: str


Put: TypeAlias = Callable[[Connection, Backend, Sequence[RawOrder], int | None], Sequence[Misfit]]
"""A way to write orders: all at once, or one by one."""


def put_all(
    connection: Connection, backend: Backend, orders: Sequence[RawOrder], run_id: int | None
) -> Sequence[Misfit]:
    """Insert or update orders with their lines; an older copy never overwrites a newer one.

    Raises:
        Exception: One of `backend.misfits`: the database has no room for a value. Which order it is of can't
            be told, and the transaction is lost; try again with `put_each`.
    """
    backend.put_orders(connection, _newest_copies(orders), run_id)
    return ()


def put_each(
    connection: Connection, backend: Backend, orders: Sequence[RawOrder], run_id: int | None
) -> Sequence[Misfit]:
    """The same one by one, which is slow.

    Returns:
        The orders with a value that the database has no room for; they are not written, the others are.
    """
    misfits: list[Misfit] = []
    for order, raw in _newest_copies(orders):
        try:
            with connection.begin_nested():
                backend.put_orders(connection, [(order, raw)], run_id)
        except backend.misfits:
            misfits.append(Misfit(raw, "$", "a value is too large for the database"))
    return misfits


def _newest_copies(orders: Sequence[RawOrder]) -> list[RawOrder]:
    newest: dict[int, RawOrder] = {}
    for order, raw in orders:
        before = newest.get(order.workshop_order_id)
        if before is None or not _is_older(order, before[0]):
            newest[order.workshop_order_id] = order, raw
    # By id: processes that write the same orders lock them in the same order, and so never each other out.
    return [newest[key] for key in sorted(newest)]


def _is_older(order: WorkshopOrder, than: WorkshopOrder) -> bool:
    mine, others = _modified(order), _modified(than)
    return mine is not None and others is not None and mine < others


def _modified(order: WorkshopOrder) -> str | None:
    try:
        return utc_text(order.datetime_modified)
    except OverflowError:  # no database has room for it: which copy is newer does not matter
        return None


def mark_deleted(connection: Connection, workshop_order_ids: Sequence[int]) -> None:
    """Note that the server has no such orders any more."""
    if workshop_order_ids:
        connection.execute(_DELETED, [{"key": key} for key in sorted(workshop_order_ids)])


_DELETED = (
    workshop_orders.update()
    .where(workshop_orders.c.workshop_order_id == bindparam("key"))
    .values(is_active=False)
)
