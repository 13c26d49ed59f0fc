"""A store in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Final

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, func
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ClauseElement

from cyclesoft_async.models import WorkshopOrder

from .rows import RawOrder, Row, line_rows, order_row, utc_text
from .seen import mark_seen
from .tables import workshop_order_items, workshop_orders

_ROWS_AT_ONCE: Final = 64
_PATIENCE: Final = 5.0
_MOMENT: Final = 0.01


class Sqlite:
    """What a store does its own way in SQLite."""

    errors = (sqlite3.Error,)
    misfits = (OverflowError,)

    def engine(self, url: URL) -> Engine:
        """The engine; every transaction takes the write lock when it begins."""
        # Parameters are hidden from errors: they are people's data.
        engine = create_engine(url.set(drivername="sqlite+pysqlite"), hide_parameters=True)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def lock_schema(self, connection: Connection) -> None:
        """Nothing is left to do: the transaction holds the write lock."""

    def wall_time(self, column: str) -> str:
        """By the rule of the European Union, which began in 1996; SQLite itself knows no zones."""
        return _WALL_TIME.format(column=column)

    def put_orders(self, connection: Connection, orders: Sequence[RawOrder], run_id: int | None) -> None:
        """Insert or update orders with their lines; see `Backend`."""
        # Nobody writes in between: the transaction holds the lock. To ask beforehand is far cheaper than to
        # have every upsert tell what it did.
        keys = _json(order.workshop_order_id for order, _ in orders)
        known: dict[int, str | None] = dict(connection.exec_driver_sql(_KNOWN, (keys,)).all())
        older = {order.workshop_order_id for order, _ in orders if _is_older(order, known)}
        newer = [(order, raw) for order, raw in orders if order.workshop_order_id not in older]
        _insert(connection, _UPSERT, (order_row(order, raw, run_id) for order, raw in newer))
        if known.keys() - older:
            connection.exec_driver_sql(_DELETE_LINES, (_json(known.keys() - older),))
        _insert(connection, _INSERT_LINES, chain.from_iterable(line_rows(order, raw) for order, raw in newer))
        mark_seen(connection, older, run_id)

    def reason(self, error: BaseException | None) -> str:
        """SQLite's words, which hold no values."""
        return str(error)


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # Left to itself the driver begins transactions only before the first write, and then without the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    # For a new file. An order with its JSON takes about 2 KB, of which a page of 4 KB holds one.
    cursor.execute("PRAGMA page_size=16384")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    # When several open a new file at once, SQLite refuses this to some without its usual wait.
    give_up_at = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(_MOMENT)  # in a thread; nothing tells when another process lets go of the file
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _is_older(order: WorkshopOrder, known: Mapping[int, str | None]) -> bool:
    stored = known.get(order.workshop_order_id)
    modified = utc_text(order.datetime_modified) if stored else None
    return modified is not None and stored is not None and modified < stored


def _insert(connection: Connection, statement: str, rows: Iterable[Row]) -> None:
    """Insert many rows with each statement.

    While a statement runs the event loop has the interpreter to itself; to get it back for the next one takes
    longer than to insert a row.
    """
    left = iter(rows)
    while chunk := list(islice(left, _ROWS_AT_ONCE)):
        while chunk:
            count = 1 << len(chunk).bit_length() - 1  # few different statements, so that they stay compiled
            connection.exec_driver_sql(_many(statement, count), tuple(chain.from_iterable(chunk[:count])))
            del chunk[:count]


@lru_cache
def _many(statement: str, rows: int) -> str:
    row = f"({', '.join('?' * statement.count('?'))})"
    return statement.replace(row, ", ".join([row] * rows))


def _json(keys: Iterable[int]) -> str:
    return msgspec.json.encode(list(keys)).decode()


def _sql(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


_INSERT_ORDER: Final = sqlite.insert(workshop_orders)
_SEEN: Final = (_INSERT_ORDER.excluded.seen_run_id, workshop_orders.c.seen_run_id)
_NEW: Final = {
    **{column.name: column for column in _INSERT_ORDER.excluded if not column.primary_key},
    "seen_run_id": func.coalesce(func.max(*_SEEN), *_SEEN),  # of NULL and a number the maximum is NULL
}
_UPSERT: Final = _sql(
    _INSERT_ORDER.on_conflict_do_update(index_elements=[workshop_orders.c.workshop_order_id], set_=_NEW)
)
_INSERT_LINES: Final = _sql(workshop_order_items.insert())
_KNOWN: Final = (
    "SELECT workshop_order_id, datetime_modified FROM workshop_orders"
    " WHERE workshop_order_id IN (SELECT value FROM json_each(?))"
)
_DELETE_LINES: Final = (
    "DELETE FROM workshop_order_items WHERE workshop_order_id IN (SELECT value FROM json_each(?))"
)

# Summer time begins and ends on the last Sunday of March and of October, at 01:00 UTC.
_WALL_TIME: Final = """datetime({column}, CASE
    WHEN {column} >= date(substr({column}, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND {column} < date(substr({column}, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END)"""
