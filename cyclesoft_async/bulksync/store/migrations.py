"""The schema: made on first use, brought up to date when it is older, refused when it is newer."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Table, insert, inspect, select
from sqlalchemy.schema import CreateColumn

from cyclesoft_async.errors import StoreError

from . import rejected
from .backend import Backend
from .tables import (
    INDEXED_WHEN_FINISHED,
    metadata,
    rejected_rows,
    schema_version,
    windows,
    workshop_orders,
)

VERSION: Final = 3
_ADDED: Final = frozenset(
    {
        # In version 2; version 1 wrote no version down.
        workshop_orders.c.seen_run_id,
        rejected_rows.c.path,
        rejected_rows.c.run_id,
        # In version 3.
        rejected_rows.c.workshop_order_id,
        windows.c.reached,
    }
)
"""Columns that tables of earlier versions lack."""

VIEW: Final = "workshop_orders_amsterdam"


def prepare(connection: Connection, backend: Backend) -> None:
    """Make the database what this version works with.

    Raises:
        StoreError: Its schema is newer, or tables of somebody else's have the names of ours.
    """
    backend.lock_schema(connection)
    found = _version(connection)
    if found == VERSION:
        return
    if found is not None and found > VERSION:
        raise StoreError(
            f"the database has schema {found}, made by a newer version of this library,"
            f" which knows schemas up to {VERSION}: upgrade the library"
        )
    for table in metadata.sorted_tables:
        _bring_up_to_date(connection, table)
    metadata.create_all(connection)
    for index in workshop_orders.indexes:
        index.create(connection, checkfirst=True)  # on a table that was there
    if found is None:
        # What it shows has not changed since; and to make it anew would take away who may read it.
        _make_view(connection, backend)
    rejected.identify(connection)
    connection.execute(schema_version.delete())
    connection.execute(insert(schema_version).values(version=VERSION))


def make_indexes(connection: Connection) -> None:
    """Make those indexes that wait until the tables are full."""
    inspector = inspect(connection)
    for column in INDEXED_WHEN_FINISHED:
        table = column.table.name
        name = f"ix_{table}_{column.name}"
        # Asked beforehand: "IF NOT EXISTS" would wait for everybody who is writing.
        if not inspector.has_index(table, name):
            connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column.name})")


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(select(schema_version.c.version)).scalar_one_or_none()


def _bring_up_to_date(connection: Connection, table: Table) -> None:
    inspector = inspect(connection)
    if not inspector.has_table(table.name):
        return
    there = {column["name"] for column in inspector.get_columns(table.name)}
    missing = [column for column in table.columns if column.name not in there]
    strange = sorted(column.name for column in missing if column not in _ADDED)
    if strange:
        raise StoreError(
            f"the database has a table {table.name} that is not this library's:"
            f" it has no column {', '.join(strange)}"
        )
    for column in missing:
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _make_view(connection: Connection, backend: Backend) -> None:
    """The orders with their times as a Dutch clock showed them."""
    columns = [
        f"{backend.wall_time(name)} AS {name}" if name.startswith("datetime_") else name
        for name in (column.name for column in workshop_orders.columns)
    ]
    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {VIEW}")
    connection.exec_driver_sql(
        " ".join(("CREATE VIEW", VIEW, "AS SELECT", ", ".join(columns), "FROM workshop_orders"))
    )
