"""Upgrade: stored rows of earlier versions, a slice in each transaction, so that no lock is held for long.

The table `cyclesoft_upgrade` has a row for each task that is left, and how far it is. An interrupted upgrade
is resumed by the next process that opens the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Text, cast, delete, inspect, select
from sqlalchemy.exc import DBAPIError

from cyclesoft_async.bulksync.resources import BY_NAME
from cyclesoft_async.bulksync.resources.mirrored import Mirrored, hash_of
from cyclesoft_async.bulksync.resources.values import raw_text
from cyclesoft_async.bulksync.resources.workshop_orders import workshop_orders
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import StoreError

from . import rejected, views
from .backend import ConvertedOrder
from .slices import next_slice
from .tables import upgrades
from .transaction import Transaction

_order = workshop_orders.c
_LINES_OF: Final = "lines of "
_ROWS_AT_ONCE: Final = 500
# Between the clocks of this process and of one that still runs an earlier version.
_CLOCK_ERROR: Final = timedelta(minutes=5)


class _IsActive(Struct, frozen=True):
    is_active: object = None


def plan(tx: Transaction, *, identify: bool) -> None:
    """Begin an upgrade from an earlier version: note what there is to do.

    Args:
        tx: The transaction.
        identify: Whether the keys of rejected rows are to be noted.
    """
    rebuild = tx.backend.begin_retyping(tx.connection)
    _add_tasks(tx, ["identify"] * identify + ["orders", "finish", *rebuild])


def plan_lines(tx: Transaction, kind: Mirrored[Any]) -> None:
    """Note that the lines of all rows of a kind are to be made from their JSON."""
    _add_tasks(tx, [f"{_LINES_OF}{kind.name}"])


def _add_tasks(tx: Transaction, tasks: Sequence[str]) -> None:
    now = datetime.now(UTC)
    tx.connection.execute(upgrades.insert(), [{"task": task, "started_at": now} for task in tasks])


def is_pending(tx: Transaction) -> bool:
    """Whether an upgrade has begun and not ended."""
    if not inspect(tx.connection).has_table(upgrades.name):
        return False
    return tx.connection.execute(select(upgrades.c.id).limit(1)).first() is not None


def next_step(tx: Transaction) -> bool:
    """Do the next slice of an upgrade; return whether there was one.

    Raises:
        StoreError: Views or indexes of the user's prevent it; it names them.
    """
    tx.backend.lock_schema(tx.connection)
    task = tx.connection.execute(select(upgrades).order_by(upgrades.c.id).limit(1)).one_or_none()
    if task is None:
        return False
    done = _step(tx, task.task, task.after, task.started_at)
    if done:
        tx.connection.execute(upgrades.update().where(upgrades.c.id == task.id).values(after=done[-1]))
    else:
        tx.connection.execute(delete(upgrades).where(upgrades.c.id == task.id))
    return True


def _step(tx: Transaction, task: str, after: int | None, started_at: datetime) -> Sequence[int]:
    """Do a slice of a task; return the keys that it has done, none at the end."""
    if task == "identify":
        return rejected.identify(tx, after)
    if task == "orders":
        keys = next_slice(tx, _order.workshop_order_id, _order.raw, after)
        _convert(tx, keys)
        return keys
    if task == "finish":
        _finish(tx, started_at)
    elif task.startswith(_LINES_OF):
        return _write_lines(tx, BY_NAME[task.removeprefix(_LINES_OF)], after)
    else:  # the SQL of a user's index
        tx.connection.exec_driver_sql(task)
    return ()


def _convert(tx: Transaction, keys: Sequence[int]) -> None:
    if keys:
        stored = tx.backend.raw_orders(tx.connection, keys)
        converted = [_converted(key, raw, is_active) for key, raw, is_active in stored]
        tx.backend.write_converted(tx.connection, converted)


def _converted(key: int, raw: str, is_active: bool | None) -> ConvertedOrder:
    received = raw.encode()
    was_active = decode(received, _IsActive).is_active is not False
    try:
        msgspec.json.decode(received)
        careful = False
    except msgspec.DecodeError:
        careful = True
    return ConvertedOrder(
        key, raw_text(received, careful=careful), hash_of(received), is_active is False and was_active
    )


def _write_lines(tx: Transaction, kind: Mirrored[Any], after: int | None) -> Sequence[int]:
    [key] = kind.key
    raw = cast(kind.table.c.raw, Text)
    keys = next_slice(tx, key, raw, after)
    found = tx.connection.execute(select(raw).where(key.in_(keys)).order_by(key)).scalars()
    items = [(decode(raw.encode(), kind.model), raw.encode()) for raw in found]
    lines = [line for item, raw in items for line in kind.line_rows(item, raw)]
    tx.backend.replace_lines(tx.connection, kind, [(key,) for key in keys], lines)
    return keys


def _finish(tx: Transaction, started_at: datetime) -> None:
    # A process of an earlier version may have written some of them meanwhile.
    late = tx.backend.unconverted(tx.connection, started_at - _CLOCK_ERROR)
    for start in range(0, len(late), _ROWS_AT_ONCE):
        _convert(tx, late[start : start + _ROWS_AT_ONCE])
    restore = tx.backend.release_raw(tx.connection, sorted(views.NAMES))
    tx.backend.finish_retyping(tx.connection)
    views.create_missing(tx, set(inspect(tx.connection).get_view_names()))
    for name, statement in restore:
        try:
            tx.connection.exec_driver_sql(statement)
        except DBAPIError as error:
            failure = tx.backend.reason(error.orig)
            raise StoreError(
                f"workshop_orders.raw becomes jsonb, with which the view {name} does not work: {failure}."
                " Drop the view, open the store again, and create it again"
            ) from None
