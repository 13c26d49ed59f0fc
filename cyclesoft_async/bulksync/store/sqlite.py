"""Store in a SQLite file."""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, Dialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ClauseElement

from cyclesoft_async._private_files import create_private_file, is_open_to_others
from cyclesoft_async.bulksync.resources.mirrored import Key, Mirrored, Row
from cyclesoft_async.errors import UsageError

from .backend import ConvertedOrder, StoredVersion

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

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

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    value_errors: tuple[type[Exception], ...] = (OverflowError,)
    postgres_url = None

    def __init__(self, url: str) -> None:
        self._has_warned = False
        try:
            parsed = _parse(url)
        finally:
            del url  # a traceback can show it, and it may hold a password
        if parsed is None:
            raise UsageError("a SQLite URL must look like sqlite:///orders.db")
        self._url = parsed
        if self._url.database in {None, "", ":memory:"}:
            raise UsageError("a store in memory would be lost at the end; name a file: sqlite:///orders.db")
        self.shown: str = self._url.set(drivername="sqlite").render_as_string()

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file yet."""
        return not Path(self._url.database or "").exists()

    def engine(self) -> Engine:
        """Return an engine whose transactions take the write lock when they begin."""
        # Parameters are hidden from errors: they are people's data.
        engine = create_engine(self._url, hide_parameters=True)
        event.listen(engine, "do_connect", self._keep_private)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def reading_engine(self) -> Engine:
        """Return an engine whose transactions take no lock that a writer waits for."""
        engine = create_engine(self._url, hide_parameters=True)
        event.listen(engine, "connect", _set_up_reading)
        event.listen(engine, "begin", _begin_reading)
        return engine

    def _keep_private(
        self, _: Dialect, __: ConnectionPoolEntry, arguments: list[str], options: dict[str, object]
    ) -> None:
        # SQLite would create the file readable by others, and gives its mode to the files beside it.
        path = _path_of_uri(arguments[0]) if options.get("uri") else arguments[0]
        if path is None:
            return
        create_private_file(path)
        if not self._has_warned and is_open_to_others(path):
            self._has_warned = True
            logger.warning("other users may read or write %s: chmod 600 it and the files beside it", path)

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
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], *, lock: bool
    ) -> Mapping[Key, StoredVersion]:
        """Return the stored versions; see `Backend`."""
        del lock  # the transaction holds the lock of the whole file
        found = connection.exec_driver_sql(_statements(kind).stored, (_json(keys),))
        width = len(kind.key)
        return {row[:width]: StoredVersion(*row[width:]) for row in map(tuple, found)}

    def insert_rows(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], rows: Iterable[Row]
    ) -> Collection[Key]:
        """Insert rows; see `Backend`."""
        self.update_rows(connection, kind, rows)
        return set(keys)

    def update_rows(self, connection: Connection, kind: Mirrored[Any], rows: Iterable[Row]) -> None:
        """Insert or replace rows; see `Backend`."""
        _insert(connection, _statements(kind).upsert, rows)

    def replace_lines(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], lines: Iterable[Row]
    ) -> None:
        """Replace lines; see `Backend`."""
        statements = _statements(kind)
        connection.exec_driver_sql(statements.delete_lines, (_json(keys),))
        _insert(connection, statements.insert_lines, lines)

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note the newest run and arrival; see `Backend`."""
        connection.exec_driver_sql(_MARK_SEEN, (run_id, arrived_at, msgspec.json.encode(keys).decode()))

    def begin_retyping(self, connection: Connection) -> Sequence[str]:
        """Declare decimals as REAL.

        Only the table's text changes: it keeps the columns, triggers and indexes that users added, which
        a copy would lose. SQLite documents this way for changes that leave the rows as they are. Writing
        a row again then turns its values into numbers.
        """
        declared = connection.exec_driver_sql(_DECLARED, (_LINES,)).scalar_one_or_none()
        if declared is None or not _TEXT_DECIMAL.search(declared):
            return ()
        indexes = connection.exec_driver_sql(_INDEXES, (_LINES,)).all()
        on_decimals = [row for row in indexes if any(name in row.sql for name in _DECIMALS)]
        for index in on_decimals:
            connection.exec_driver_sql(f'DROP INDEX "{index.name}"')
        version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        redeclared = _TEXT_DECIMAL.sub(r"\1 REAL", declared)
        connection.exec_driver_sql("UPDATE sqlite_master SET sql = ? WHERE name = ?", (redeclared, _LINES))
        connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
        connection.exec_driver_sql("PRAGMA writable_schema = OFF")
        return [row.sql for row in on_decimals]

    def raw_orders(
        self, connection: Connection, keys: Sequence[int]
    ) -> Sequence[tuple[int, str, bool | None]]:
        """Return stored orders; see `Backend`."""
        found = connection.exec_driver_sql(_RAW_ORDERS, (msgspec.json.encode(keys).decode(),))
        return [(key, raw, None if is_active is None else bool(is_active)) for key, raw, is_active in found]

    def write_converted(self, connection: Connection, orders: Sequence[ConvertedOrder]) -> None:
        """Write converted orders and lines; see `Backend`."""
        connection.exec_driver_sql(
            _WRITE_CONVERTED,
            [(each.raw, each.raw_hash, each.was_deleted, each.workshop_order_id) for each in orders],
        )
        keys = [each.workshop_order_id for each in orders]
        connection.exec_driver_sql(_CONVERT_LINES, (msgspec.json.encode(keys).decode(),))

    def unconverted(self, connection: Connection, since: datetime) -> Sequence[int]:
        """Return orders that have no hash yet."""
        del since  # the earlier version and this one write the same JSON
        return connection.exec_driver_sql(_UNCONVERTED).scalars().all()

    def release_raw(self, connection: Connection, own: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Drop our own views, which are made anew; those of users refer to names."""
        for name in own:
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        return ()

    def finish_retyping(self, connection: Connection) -> None:
        """Do nothing: the columns are in their places."""

    def reason(self, error: BaseException | None) -> str:
        """Return SQLite's words, which hold no values."""
        return str(error)


def _parse(url: str) -> URL | None:
    """Return the URL, or None if it cannot be read. It raises nothing: a frame would show the text."""
    try:
        parsed = make_url(url).set(drivername="sqlite+pysqlite")
        create_engine(parsed)  # connects to nothing yet, but reads the parameters
    except (ArgumentError, ValueError):
        return None
    return parsed


def _path_of_uri(uri: str) -> str | None:
    """Return the file that SQLite may create for a URI. None: its mode is not one that creates."""
    parts = urlsplit(uri)
    mode = parse_qs(parts.query).get("mode", ["rwc"])[0]
    return unquote(parts.path) if mode == "rwc" else None


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


def _set_up_reading(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # see _set_up
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
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
            # In the store's own thread. SQLite does not report when another process unlocks the file.
            time.sleep(_BUSY_POLL_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


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


def _json(keys: Iterable[Key]) -> str:
    return msgspec.json.encode(list(keys)).decode()


class _Statements(NamedTuple):
    stored: str
    upsert: str
    delete_lines: str
    insert_lines: str


@lru_cache
def _statements(kind: Mirrored[Any]) -> _Statements:
    """Return the statements of a kind of row."""
    keys = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(kind.key)))
    names = ", ".join(column.name for column in kind.key)
    condition = f"WHERE ({names}) IN (SELECT {keys} FROM json_each(?))"  # noqa: S608 - names of our own
    insert = sqlite.insert(kind.table)
    replaced = {
        column.name: column
        for column in insert.excluded
        if not column.primary_key and column.name != "first_seen_at"
    }
    lines = kind.lines
    return _Statements(
        stored=f"SELECT {names}, raw_hash, {kind.modified or 'NULL'}, asked_at, deleted_at IS NOT NULL"  # noqa: S608 - names of our own
        f" FROM {kind.name} {condition}",
        upsert=_sql(insert.on_conflict_do_update(index_elements=kind.key, set_=replaced)),
        delete_lines="" if lines is None else f"DELETE FROM {lines.table.name} {condition}",  # noqa: S608
        insert_lines="" if lines is None else _sql(lines.table.insert()),
    )


def _sql(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


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

_LINES: Final = "workshop_order_items"
_DECIMALS: Final = ("quantity", "discount_percentage", "vat_percentage")
_TEXT_DECIMAL: Final = re.compile(rf"\b({'|'.join(_DECIMALS)}) TEXT\b")
_DECLARED: Final = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
_INDEXES: Final = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
)
_RAW_ORDERS: Final = (
    "SELECT workshop_order_id, raw, is_active FROM workshop_orders"
    " WHERE workshop_order_id IN (SELECT value FROM json_each(?))"
)
_UNCONVERTED: Final = "SELECT workshop_order_id FROM workshop_orders WHERE raw_hash IS NULL"
_WRITE_CONVERTED: Final = """
    UPDATE workshop_orders SET raw = given.raw, raw_hash = given.raw_hash,
        (first_seen_at, synced_at, asked_at, deleted_at) = (
            SELECT arrived_at, arrived_at, arrived_at,
                CASE WHEN given.was_deleted THEN coalesce(refetched_at, arrived_at) END
            FROM cyclesoft_seen AS seen WHERE seen.workshop_order_id = given.workshop_order_id
        )
    FROM (SELECT ? AS raw, ? AS raw_hash, ? AS was_deleted, ? AS workshop_order_id) AS given
    WHERE workshop_orders.workshop_order_id = given.workshop_order_id"""
_CONVERT_LINES: Final = """
    UPDATE workshop_order_items SET quantity = quantity, discount_percentage = discount_percentage,
        vat_percentage = vat_percentage
    WHERE workshop_order_id IN (SELECT value FROM json_each(?))"""

# Summer time begins and ends on the last Sunday of March and of October, at 01:00 UTC.
_WALL_TIME: Final = """datetime({column}, CASE
    WHEN {column} >= date(substr({column}, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND {column} < date(substr({column}, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END)"""
