"""Store in a PostgreSQL database, which several processes may write at the same time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, starmap
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError

from cyclesoft_async._postgres.dsn import TRANSACTION_SETTINGS, Dsn
from cyclesoft_async._postgres.migrations import FOREIGN_OWNERS, LOCK

from .backend import StoredVersion
from .rows import RawOrder, Row, line_rows, order_row
from .tables import ExactDecimal, UtcDateTime, workshop_order_items, workshop_orders

# Per transaction: a pooler refuses settings when a client connects, and gives every transaction another
# connection. A lock timeout of the URL, the role or the database stays.
_SETTINGS: Final = (
    f"{TRANSACTION_SETTINGS}; "
    "SELECT set_config('lock_timeout', '30s', true) WHERE current_setting('lock_timeout') = '0'"
)
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


class Postgres:
    """Backend of PostgreSQL.

    Args:
        url: See `Dsn`.

    Raises:
        UsageError: The URL cannot be read.
    """

    errors = (psycopg.Error, UnicodeError)  # the latter for the name of a host
    value_errors = (OverflowError, psycopg.DataError, DataError)
    is_missing = False
    shown = "unreadable"  # see Dsn

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
        # A prepared statement belongs to a connection, which a pooler does not keep.
        connect = partial(
            psycopg.connect, self._dsn.pooler_conninfo("cyclesoft-store"), prepare_threshold=None
        )
        # Parameters are hidden from errors: they are people's data.
        engine = create_engine("postgresql+psycopg://", creator=connect, hide_parameters=True)
        event.listen(engine, "begin", _begin)
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
        if isinstance(error, UnicodeError):
            return "the host name is invalid"
        message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return message or str(error).partition("\n")[0]


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(_SETTINGS)


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
