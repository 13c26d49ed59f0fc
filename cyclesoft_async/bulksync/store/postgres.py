"""Store in a PostgreSQL database, which several processes may write at the same time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, starmap
from typing import Final

import psycopg
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError

from cyclesoft_async._postgres.migrations import FOREIGN_OWNERS

from .backend import StoredVersion
from .rows import RawOrder, Row, line_rows, order_row
from .tables import ExactDecimal, UtcDateTime, workshop_order_items, workshop_orders

_SCHEMA_LOCK: Final = 0x6379636C65  # any number, as long as it stays the same

_TIMEOUTS: Final = {
    "connect_timeout": "10",  # seconds
    "tcp_user_timeout": "60000",  # milliseconds
}
# Per transaction, because a pooler like PgBouncer refuses them when it connects, and gives every transaction
# another connection.
_SETTINGS: Final = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"
_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '30s'"
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


class Postgres:
    """Backend of PostgreSQL."""

    errors = (psycopg.Error,)
    value_errors = (OverflowError, psycopg.DataError, DataError)

    def engine(self, url: URL) -> Engine:
        """Return an engine whose transactions speak UTC; parameters of the URL take precedence."""
        engine = create_engine(
            url.set(drivername="postgresql+psycopg", query={**_TIMEOUTS, **url.query}),
            # Parameters are hidden from errors: they are people's data.
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            # A prepared statement belongs to a connection, which a pooler does not keep.
            connect_args={"prepare_threshold": None},
        )
        own_lock_timeout = "lock_timeout" in str(url.query.get("options", ""))
        settings = _SETTINGS if own_lock_timeout else f"{_SETTINGS}; {_LOCK_TIMEOUT}"

        def set_up(connection: Connection) -> None:
            connection.exec_driver_sql(settings)

        event.listen(engine, "begin", set_up)
        return engine

    def lock_schema(self, connection: Connection) -> None:
        """Take an advisory lock: there may be no table yet that could be locked."""
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

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
        self, connection: Connection, keys: Sequence[int], *, lock: bool
    ) -> Mapping[int, StoredVersion]:
        """Return the stored versions; see `Backend`."""
        found = connection.exec_driver_sql(_STORED + " FOR UPDATE" * lock, (list(keys),))
        return {key: StoredVersion(*version) for key, *version in found}

    def insert_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> Collection[int]:
        """Insert orders with their lines; see `Backend`."""
        rows = _columns(workshop_orders, starmap(order_row, orders))
        inserted = set(connection.exec_driver_sql(_INSERT_NEW, rows).scalars())
        _replace_lines(connection, [pair for pair in orders if pair[0].workshop_order_id in inserted])
        return inserted

    def update_orders(self, connection: Connection, orders: Sequence[RawOrder]) -> None:
        """Replace orders with their lines; see `Backend`."""
        connection.exec_driver_sql(_UPDATE, _columns(workshop_orders, starmap(order_row, orders)))
        _replace_lines(connection, orders)

    def mark_seen(
        self, connection: Connection, keys: Sequence[int], run_id: int | None, arrived_at: str | None
    ) -> None:
        """Note the newest run and arrival; see `Backend`."""
        connection.exec_driver_sql(_MARK_SEEN, (run_id, arrived_at, list(keys)))

    def reason(self, error: BaseException | None) -> str:
        """Return the server's message without its details, which can hold values."""
        message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return message or str(error).partition("\n")[0]


def _replace_lines(connection: Connection, orders: Sequence[RawOrder]) -> None:
    # Of new orders, too: rows that were deleted by hand can leave their lines behind.
    connection.exec_driver_sql(_DELETE_LINES, ([order.workshop_order_id for order, _ in orders],))
    lines = _columns(workshop_order_items, chain.from_iterable(starmap(line_rows, orders)))
    connection.exec_driver_sql(_INSERT_LINES, lines)


def _columns(table: Table, rows: Iterable[Row]) -> tuple[list[object], ...]:
    """Turn rows into one list for each column."""
    columns: tuple[list[object], ...] = tuple(map(list, zip(*rows, strict=True)))
    empty: list[object] = []
    return columns or (empty,) * len(table.columns)


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
        arrays.append(
            "%s::text[]" if isinstance(column.type, UtcDateTime | ExactDecimal) else f"%s::{kind}[]"
        )
        if isinstance(column.type, UtcDateTime):
            values.append(f"{column.name}::timestamp AT TIME ZONE 'UTC'")
        else:
            values.append(f"{column.name}::{kind}")
    columns = ", ".join(names)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {', '.join(values)}"  # noqa: S608 - names of our own
        f" FROM unnest({', '.join(arrays)}) AS given ({columns})"
    )


_STORED: Final = (
    "SELECT workshop_order_id,"
    " to_char(datetime_modified AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), raw, is_active"
    " FROM workshop_orders WHERE workshop_order_id = ANY(%s) ORDER BY workshop_order_id"
)
_INSERT_ORDERS: Final = _insert(workshop_orders)
_INSERT_NEW: Final = f"{_INSERT_ORDERS} ON CONFLICT DO NOTHING RETURNING workshop_order_id"
_SET: Final = ", ".join(
    f"{column.name} = excluded.{column.name}" for column in workshop_orders.columns if not column.primary_key
)
_UPDATE: Final = f"{_INSERT_ORDERS} ON CONFLICT (workshop_order_id) DO UPDATE SET {_SET}"
_INSERT_LINES: Final = _insert(workshop_order_items)
_DELETE_LINES: Final = "DELETE FROM workshop_order_items WHERE workshop_order_id = ANY(%s)"
_MARK_SEEN: Final = (
    "INSERT INTO cyclesoft_seen AS seen (workshop_order_id, run_id, arrived_at)"
    " SELECT key, %s::bigint, %s::timestamp AT TIME ZONE 'UTC' FROM unnest(%s::bigint[]) AS key"
    " ON CONFLICT (workshop_order_id) DO UPDATE SET"
    " run_id = greatest(seen.run_id, excluded.run_id),"
    " arrived_at = greatest(seen.arrived_at, excluded.arrived_at),"
    " refetched_at = CASE WHEN excluded.run_id IS NULL THEN seen.refetched_at END"
)
