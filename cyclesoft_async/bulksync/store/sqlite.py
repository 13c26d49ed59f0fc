"""Store in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice, starmap
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ClauseElement

from cyclesoft_async.errors import UsageError

from .backend import StoredVersion
from .rows import RawOrder, Row, line_rows, order_row
from .tables import workshop_order_items, workshop_orders

_ROWS_AT_ONCE: Final = 64
_BUSY_SECONDS: Final = 5.0
_BUSY_POLL_SECONDS: Final = 0.01


class Sqlite:
    """Backend of SQLite.

    Args:
        url: `sqlite:///orders.db`, with four slashes for an absolute path.

    Raises:
        UsageError: The URL cannot be read, or names no file.
    """

    errors = (sqlite3.Error,)
    value_errors = (OverflowError,)
    postgres_url = None

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url).set(drivername="sqlite+pysqlite")
            self.engine()  # connects to nothing yet, but reads the parameters
        except (ArgumentError, ValueError):
            raise UsageError("a SQLite URL must look like sqlite:///orders.db") from None
        if self._url.database in {None, "", ":memory:"}:
            raise UsageError("a store in memory would be lost at the end; name a file: sqlite:///orders.db")
        self.shown = self._url.set(drivername="sqlite").render_as_string()

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file yet."""
        return not Path(self._url.database or "").exists()

    def engine(self) -> Engine:
        """Return an engine whose transactions take the write lock when they begin."""
        # Parameters are hidden from errors: they are people's data.
        engine = create_engine(self._url, hide_parameters=True)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def lock_schema(self, connection: Connection) -> None:
        """Do nothing: the transaction holds the write lock."""

    def foreign_owners(
        self,
        connection: Connection,  # noqa: ARG002 - of the protocol
        names: Collection[str],  # noqa: ARG002
        *,
        use_only: bool,  # noqa: ARG002
    ) -> Collection[str]:
        """Return nothing: what is in the file runs as its reader in any case."""
        return ()

    def wall_time(self, column: str) -> str:
        """Follow the rule of the European Union, which began in 1996; SQLite itself knows no zones."""
        return _WALL_TIME.format(column=column)

    def stored_versions(
        self, connection: Connection, keys: Sequence[int], *, lock: bool
    ) -> Mapping[int, StoredVersion]:
        """Return the stored versions; see `Backend`."""
        del lock  # the transaction holds the lock of the whole file
        found = connection.exec_driver_sql(_STORED, (_json(keys),))
        return {
            key: StoredVersion(modified, raw, None if is_active is None else bool(is_active))
            for key, modified, raw, is_active in found
        }

    def insert_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> Collection[int]:
        """Insert orders with their lines; see `Backend`."""
        self.update_orders(connection, orders)
        return {order.workshop_order_id for order, _ in orders}

    def update_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> None:
        """Insert or replace orders with their lines; see `Backend`."""
        _insert(connection, _UPSERT, starmap(order_row, orders))
        # Of new orders, too: rows that were deleted by hand leave their lines behind.
        connection.exec_driver_sql(_DELETE_LINES, (_json(order.workshop_order_id for order, _ in orders),))
        _insert(connection, _INSERT_LINES, chain.from_iterable(starmap(line_rows, orders)))

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note the newest run and arrival; see `Backend`."""
        connection.exec_driver_sql(_MARK_SEEN, (run_id, arrived_at, _json(keys)))

    def reason(self, error: BaseException | None) -> str:
        """Return SQLite's words, which hold no values."""
        return str(error)


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # By default the driver begins transactions only before the first write, and then without the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    # For a new file. An order with its JSON takes about 2 KB, of which a page of 4 KB holds one.
    cursor.execute("PRAGMA page_size=16384")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    # When several processes open a new file at once, SQLite refuses this to some without its usual wait.
    give_up_at = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            # In a thread. SQLite does not report when another process unlocks the file.
            time.sleep(_BUSY_POLL_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _insert(connection: Connection, statement: str, rows: Iterable[Row]) -> None:
    """Insert many rows with each statement.

    While a statement runs the event loop holds the interpreter. Getting it back for the next statement takes
    longer than inserting a row.
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
_UPSERT: Final = _sql(
    _INSERT_ORDER.on_conflict_do_update(
        index_elements=[workshop_orders.c.workshop_order_id],
        set_={column.name: column for column in _INSERT_ORDER.excluded if not column.primary_key},
    )
)
_INSERT_LINES: Final = _sql(workshop_order_items.insert())
_STORED: Final = (
    "SELECT workshop_order_id, datetime_modified, raw, is_active FROM workshop_orders"
    " WHERE workshop_order_id IN (SELECT value FROM json_each(?))"
)
_MARK_SEEN: Final = (
    "INSERT INTO cyclesoft_seen AS seen (workshop_order_id, run_id, arrived_at)"
    " SELECT key.value, given.run_id, given.arrived_at FROM (SELECT ? AS run_id, ? AS arrived_at) AS given"
    " JOIN json_each(?) AS key WHERE true"
    " ON CONFLICT (workshop_order_id) DO UPDATE SET"
    " run_id = max(coalesce(seen.run_id, excluded.run_id), coalesce(excluded.run_id, seen.run_id)),"
    " arrived_at = max(coalesce(seen.arrived_at, excluded.arrived_at),"
    " coalesce(excluded.arrived_at, seen.arrived_at)),"
    " refetched_at = CASE WHEN excluded.run_id IS NULL THEN seen.refetched_at END"
)
_DELETE_LINES: Final = (
    "DELETE FROM workshop_order_items WHERE workshop_order_id IN (SELECT value FROM json_each(?))"
)

# Summer time begins and ends on the last Sunday of March and of October, at 01:00 UTC.
_WALL_TIME: Final = """datetime({column}, CASE
    WHEN {column} >= date(substr({column}, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND {column} < date(substr({column}, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END)"""
