"""A store in a PostgreSQL database, which several processes may write at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, cast

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError

from .rows import RawOrder, Row, line_rows, order_row
from .seen import mark_seen
from .tables import workshop_order_items, workshop_orders

_SCHEMA_LOCK: Final = 0x6379636C65  # any number, as long as it stays the same

_PATIENCE: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "60000",
}  # in s and ms; the user's count first


class Postgres:
    """What a store does its own way in PostgreSQL."""

    errors = (psycopg.Error,)
    misfits = (OverflowError, psycopg.DataError, DataError)

    def engine(self, url: URL) -> Engine:
        """The engine; sessions speak UTC."""
        # The last option wins: how long to wait for a lock is the user's to say, how times look is not.
        options = f"-c lock_timeout=30s {url.query.get('options', '')} -c timezone=UTC -c datestyle=ISO"
        return create_engine(
            url.set(drivername="postgresql+psycopg", query={**_PATIENCE, **url.query, "options": options}),
            # Parameters are hidden from errors: they are people's data.
            hide_parameters=True,
            isolation_level="READ COMMITTED",
        )

    def lock_schema(self, connection: Connection) -> None:
        """By an advisory lock: there may be no table yet that could be locked."""
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    def wall_time(self, column: str) -> str:
        """By the zone's own rules."""
        return f"({column} AT TIME ZONE 'Europe/Amsterdam')"

    def put_orders(self, connection: Connection, orders: Sequence[RawOrder], run_id: int | None) -> None:
        """Insert or update orders with their lines; see `Backend`."""
        connection.exec_driver_sql(_MAKE_INCOMING)
        connection.execute(_incoming.delete())
        _copy(connection, _incoming, (order_row(order, raw, run_id) for order, raw in orders))
        # This locks every one of the orders, also those that stay as they are: their lines are ours, too.
        written = set(connection.scalars(_UPSERT))
        connection.exec_driver_sql(_DELETE_LINES, (list(written),))
        newer = (pair for pair in orders if pair[0].workshop_order_id in written)
        _copy(
            connection,
            workshop_order_items,
            chain.from_iterable(line_rows(order, raw) for order, raw in newer),
        )
        mark_seen(connection, {order.workshop_order_id for order, _ in orders} - written, run_id)

    def reason(self, error: BaseException | None) -> str:
        """The server's words without its details, which can hold values."""
        said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return said or str(error).partition("\n")[0]


def _copy(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    columns = ", ".join(table.columns.keys())
    driver = connection.connection.driver_connection
    statement = f"COPY {table.name} ({columns}) FROM STDIN"
    with cast("psycopg.Connection", driver).cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)


_incoming: Final = workshop_orders.to_metadata(MetaData(), name="incoming_workshop_orders")
# Our columns alone, and nothing of what they are bound to: what users add to the table is theirs to fill.
_MAKE_INCOMING: Final = " ".join(
    (
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_workshop_orders ON COMMIT DELETE ROWS",
        "AS SELECT",
        ", ".join(workshop_orders.columns.keys()),
        "FROM workshop_orders WITH NO DATA",
    )
)
_by_id: Final = select(_incoming).order_by(_incoming.c.workshop_order_id)
_INSERT: Final = insert(workshop_orders).from_select(workshop_orders.columns.keys(), _by_id)
_stored: Final = workshop_orders.c
_UPSERT: Final = _INSERT.on_conflict_do_update(
    index_elements=[_stored.workshop_order_id],
    set_={
        **{column.name: column for column in _INSERT.excluded if not column.primary_key},
        "seen_run_id": func.greatest(_INSERT.excluded.seen_run_id, _stored.seen_run_id),
    },
    where=or_(
        _stored.datetime_modified.is_(None),
        _INSERT.excluded.datetime_modified.is_(None),
        _INSERT.excluded.datetime_modified >= _stored.datetime_modified,
    ),
).returning(_stored.workshop_order_id)
_DELETE_LINES: Final = "DELETE FROM workshop_order_items WHERE workshop_order_id = ANY(%s)"
