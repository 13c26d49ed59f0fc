"""Store in a PostgreSQL database, which several processes may write at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import psycopg
from sqlalchemy import Connection, Date, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.exc import DataError

from cyclesoft_async._postgres.dsn import TRANSACTION_SETTINGS, Dsn
from cyclesoft_async._postgres.migrations import FOREIGN_OWNERS, LOCK
from cyclesoft_async.bulksync.resources.columns import ExactDecimal, UtcDateTime
from cyclesoft_async.bulksync.resources.mirrored import Key, Mirrored, Row, is_text
from cyclesoft_async.errors import StoreError

from .backend import ConvertedOrder, StoredVersion

# Per transaction: a pooler refuses settings when a client connects, and gives every transaction another
# connection. A lock timeout of the URL, the role or the database stays.
_SETTINGS: Final = (
    f"{TRANSACTION_SETTINGS}; "
    "SELECT set_config('lock_timeout', '30s', true) WHERE current_setting('lock_timeout') = '0'"
)
_DIALECT: Final = make_url("postgresql+psycopg://").get_dialect()()


class Postgres:
    """Backend of PostgreSQL.

    Args:
        url: See `Dsn`.

    Raises:
        UsageError: The URL cannot be read.
    """

    errors: tuple[type[Exception], ...] = (psycopg.Error, UnicodeError)  # the latter for the name of a host
    value_errors: tuple[type[Exception], ...] = (OverflowError, psycopg.DataError, DataError)
    is_missing = False
    shown: str = "unreadable"  # see Dsn

    def __init__(self, url: str) -> None:
        try:
            self._dsn = Dsn(url)
        finally:
            del url  # see Dsn
        self.shown = self._dsn.shown

    @property
    def postgres_url(self) -> str:
        """The URL with the password."""
        return self._dsn.url

    def engine(self) -> Engine:
        """Return an engine whose transactions are READ COMMITTED and in UTC."""
        return self._engine(_begin)

    def reading_engine(self) -> Engine:
        """Return an engine whose transactions are REPEATABLE READ, READ ONLY and in UTC."""
        return self._engine(_begin_reading)

    def _engine(self, begin: Callable[[Connection], None]) -> Engine:
        # A prepared statement belongs to a connection, which a pooler does not keep.
        connect = partial(
            psycopg.connect, self._dsn.pooler_conninfo("cyclesoft-store"), prepare_threshold=None
        )
        # Parameters are hidden from errors: they are people's data.
        engine = create_engine("postgresql+psycopg://", creator=connect, hide_parameters=True)
        event.listen(engine, "begin", begin)
        return engine

    def lock_schema(self, connection: Connection) -> None:
        """Take an advisory lock: there may be no table yet that could be locked."""
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))

    def foreign_owners(
        self, connection: Connection, names: Collection[str], *, use_only: bool
    ) -> Collection[str]:
        """Return the roles whose triggers and views could run code as this one; see `Backend`."""
        schema = connection.execute(select(func.current_schema())).scalar_one()
        asked = {"schema": schema, "tables": list(names), "use_only": use_only}
        return sorted(connection.exec_driver_sql(FOREIGN_OWNERS, asked).scalars())

    def wall_time(self, column: str) -> str:
        """Follow the zone's own rules."""
        return f"({column} AT TIME ZONE 'Europe/Amsterdam')"

    def stored_versions(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], *, lock: bool
    ) -> Mapping[Key, StoredVersion]:
        """Return the stored versions; see `Backend`."""
        statement = _statements(kind).stored + " FOR UPDATE" * lock
        found = connection.exec_driver_sql(statement, _columns(len(kind.key), keys))
        width = len(kind.key)
        return {row[:width]: StoredVersion(*row[width:]) for row in map(tuple, found)}

    def insert_rows(
        self,
        connection: Connection,
        kind: Mirrored[Any],
        keys: Sequence[Key],  # noqa: ARG002 - of the protocol
        rows: Iterable[Row],
    ) -> Collection[Key]:
        """Insert rows; see `Backend`."""
        columns = _columns(len(kind.table.columns), rows)
        return {tuple(key) for key in connection.exec_driver_sql(_statements(kind).insert_new, columns)}

    def update_rows(self, connection: Connection, kind: Mirrored[Any], rows: Iterable[Row]) -> None:
        """Replace rows; see `Backend`."""
        connection.exec_driver_sql(_statements(kind).update, _columns(len(kind.table.columns), rows))

    def replace_lines(
        self, connection: Connection, kind: Mirrored[Any], keys: Sequence[Key], lines: Iterable[Row]
    ) -> None:
        """Replace lines; see `Backend`."""
        if kind.lines is None:
            return
        statements = _statements(kind)
        connection.exec_driver_sql(statements.delete_lines, _columns(len(kind.key), keys))
        connection.exec_driver_sql(statements.insert_lines, _columns(len(kind.lines.table.columns), lines))

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note the newest run and arrival; see `Backend`."""
        connection.exec_driver_sql(_MARK_SEEN, (run_id, arrived_at, list(keys)))

    def begin_retyping(self, connection: Connection) -> Sequence[str]:
        """Add a column of jsonb beside the text: a changed type would lock the table for a rewrite."""
        connection.exec_driver_sql(_ADD_JSONB)
        return ()

    def raw_orders(
        self, connection: Connection, keys: Sequence[int]
    ) -> Sequence[tuple[int, str, bool | None]]:
        """Return stored orders; see `Backend`."""
        found = connection.exec_driver_sql(_RAW_ORDERS, (list(keys),))
        return [(key, raw, is_active) for key, raw, is_active in found]

    def write_converted(self, connection: Connection, orders: Sequence[ConvertedOrder]) -> None:
        """Fill the new column; see `Backend`."""
        connection.exec_driver_sql(_WRITE_CONVERTED, _columns(len(ConvertedOrder._fields), orders))

    def unconverted(self, connection: Connection, since: datetime) -> Sequence[int]:
        """Return orders to convert again; see `Backend`."""
        connection.exec_driver_sql("LOCK TABLE workshop_orders IN ACCESS EXCLUSIVE MODE")
        return connection.exec_driver_sql(_UNCONVERTED, (since,)).scalars().all()

    def release_raw(self, connection: Connection, own: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Drop the views that read `workshop_orders.raw`, our own included; see `Backend`."""
        found = connection.exec_driver_sql(_DEPENDENTS, (list(own),)).all()
        blocking = sorted({each.name for each in found if not each.is_plain_view})
        if blocking:
            raise StoreError(
                f"workshop_orders.raw becomes jsonb, and {', '.join(blocking)} would be lost with the old"
                " column: drop these, open the store again, and create them again with raw as jsonb"
            )
        granted = connection.exec_driver_sql(_GRANTS, ([*own, *(each.name for each in found)],)).all()
        restore = [(each.name, each.definition) for each in found if each.name not in own]
        for each in reversed(found):
            connection.exec_driver_sql(f"DROP VIEW {each.name}")
        return [*restore, *((each.name, each.grant) for each in granted)]

    def finish_retyping(self, connection: Connection) -> None:
        """Put jsonb in the place of the text."""
        connection.exec_driver_sql("ALTER TABLE workshop_orders DROP COLUMN raw")
        connection.exec_driver_sql("ALTER TABLE workshop_orders RENAME COLUMN raw_jsonb TO raw")
        connection.exec_driver_sql("ALTER TABLE workshop_orders ALTER COLUMN raw SET NOT NULL")

    def reason(self, error: BaseException | None) -> str:
        """Return the server's message without its details, which can hold values."""
        if isinstance(error, UnicodeError):
            return "the host name is invalid"
        message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return message or str(error).partition("\n")[0]


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(_SETTINGS)


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql(TRANSACTION_SETTINGS)
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _columns(width: int, rows: Iterable[Row]) -> tuple[str, ...]:
    """Turn rows into one array for each column, as text.

    psycopg's own arrays escape every quote by a regular expression, which for the 180 quotes of an order's
    JSON took two thirds of the sync's CPU time.
    """
    return tuple(map(_array, zip(*rows, strict=True))) or ("{}",) * width


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


class _Statements(NamedTuple):
    stored: str
    insert_new: str
    update: str
    delete_lines: str
    insert_lines: str


@lru_cache
def _statements(kind: Mirrored[Any]) -> _Statements:
    """Return the statements of a kind of row."""
    names = ", ".join(column.name for column in kind.key)
    keys = ", ".join(f"{column.name}::text" if is_text(column) else column.name for column in kind.key)
    arrays = ", ".join(f"%s::{'text' if is_text(column) else 'bigint'}[]" for column in kind.key)
    condition = f"WHERE ({keys}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608 - names of our own
    modified, asked_at = (
        "NULL" if name is None else f"to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        for name in (kind.modified, "asked_at")
    )
    replaced = ", ".join(
        f"{column.name} = excluded.{column.name}"
        for column in kind.table.columns
        if not column.primary_key and column.name != "first_seen_at"
    )
    insert = _insert(kind.table)
    lines = kind.lines
    return _Statements(
        stored=f"SELECT {keys}, raw_hash, {modified}, {asked_at}, deleted_at IS NOT NULL"  # noqa: S608
        f" FROM {kind.name} {condition} ORDER BY {names}",
        insert_new=f"{insert} ON CONFLICT DO NOTHING RETURNING {keys}",
        update=f"{insert} ON CONFLICT ({names}) DO UPDATE SET {replaced}",
        delete_lines="" if lines is None else f"DELETE FROM {lines.table.name} {condition}",  # noqa: S608
        insert_lines="" if lines is None else _insert(lines.table),
    )


def _insert(table: Table) -> str:
    """Return the INSERT of arrays, one for each column.

    COPY would need a temporary table, which a role may lack the right to create, and refuses tables with
    row-level security.
    """
    names: list[str] = []
    arrays: list[str] = []
    values: list[str] = []
    for column in table.columns:
        kind = str(column.type.compile(dialect=_DIALECT))
        names.append(column.name)
        is_written = isinstance(column.type, UtcDateTime | ExactDecimal | Date) or kind == "JSONB"
        arrays.append("%s::text[]" if is_written else f"%s::{kind}[]")
        if isinstance(column.type, UtcDateTime):
            values.append(f"{column.name}::timestamp AT TIME ZONE 'UTC'")
        else:
            values.append(f"{column.name}::{kind}")
    columns = ", ".join(names)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {', '.join(values)}"  # noqa: S608 - names of our own
        f" FROM unnest({', '.join(arrays)}) AS given ({columns})"
    )


_ADD_JSONB: Final = "ALTER TABLE workshop_orders ADD COLUMN IF NOT EXISTS raw_jsonb jsonb"
_RAW_ORDERS: Final = """
    SELECT workshop_order_id, raw, is_active FROM workshop_orders
    WHERE workshop_order_id = ANY(%s) FOR UPDATE"""
_WRITE_CONVERTED: Final = """
    UPDATE workshop_orders AS stored SET raw_jsonb = given.raw::jsonb, raw_hash = given.raw_hash,
        first_seen_at = seen.arrived_at, synced_at = seen.arrived_at, asked_at = seen.arrived_at,
        deleted_at = CASE WHEN given.was_deleted THEN coalesce(seen.refetched_at, seen.arrived_at) END
    FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::boolean[])
        AS given (workshop_order_id, raw, raw_hash, was_deleted)
    LEFT JOIN cyclesoft_seen AS seen USING (workshop_order_id)
    WHERE stored.workshop_order_id = given.workshop_order_id"""
_UNCONVERTED: Final = (
    "SELECT workshop_order_id FROM workshop_orders LEFT JOIN cyclesoft_seen USING (workshop_order_id)"
    " WHERE raw_jsonb IS NULL OR arrived_at >= %s"
)
_DEPENDENTS: Final = """
    WITH RECURSIVE dependent (oid, depth) AS (
        SELECT coalesce(rule.ev_class, link.objid), 1
        FROM pg_depend AS link
        LEFT JOIN pg_rewrite AS rule ON link.classid = 'pg_rewrite'::regclass AND rule.oid = link.objid
        WHERE link.classid IN ('pg_rewrite'::regclass, 'pg_class'::regclass)
            AND link.refclassid = 'pg_class'::regclass AND link.refobjid = 'workshop_orders'::regclass
            AND link.refobjsubid = (SELECT attnum FROM pg_attribute
                WHERE attrelid = 'workshop_orders'::regclass AND attname = 'raw')
        UNION
        SELECT rule.ev_class, dependent.depth + 1
        FROM dependent
        JOIN pg_depend AS link ON link.refclassid = 'pg_class'::regclass AND link.refobjid = dependent.oid
        JOIN pg_rewrite AS rule ON link.classid = 'pg_rewrite'::regclass AND rule.oid = link.objid
        WHERE rule.ev_class <> dependent.oid AND dependent.depth < 100
    )
    SELECT relation.oid::regclass::text AS name,
        relation.relname = ANY(%s) OR (relation.relkind = 'v' AND relation.reloptions IS NULL
            AND pg_get_userbyid(relation.relowner) = current_user) AS is_plain_view,
        format('CREATE VIEW %%s AS %%s', relation.oid::regclass, pg_get_viewdef(relation.oid)) AS definition
    FROM dependent JOIN pg_class AS relation ON relation.oid = dependent.oid
    WHERE relation.relkind IN ('v', 'm', 'i')
    GROUP BY relation.oid, relation.relname, relation.relkind, relation.reloptions, relation.relowner
    ORDER BY max(dependent.depth), relation.oid"""
_GRANTS: Final = """
    SELECT oid::regclass::text AS name, format('GRANT %%s ON %%s TO %%s%%s', privilege_type, oid::regclass,
        CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS "grant"
    FROM pg_class, aclexplode(relacl)
    WHERE relkind = 'v' AND oid::regclass::text = ANY(%s) AND grantee <> relowner"""
_MARK_SEEN: Final = (
    "INSERT INTO cyclesoft_seen AS seen (workshop_order_id, run_id, arrived_at)"
    " SELECT key, %s::bigint, %s::timestamp AT TIME ZONE 'UTC' FROM unnest(%s::bigint[]) AS key"
    " ON CONFLICT (workshop_order_id) DO UPDATE SET"
    " run_id = greatest(seen.run_id, excluded.run_id),"
    " arrived_at = greatest(seen.arrived_at, excluded.arrived_at),"
    " refetched_at = CASE WHEN excluded.run_id IS NULL THEN seen.refetched_at END"
)
