"""Schema of a store: created on first use, upgraded when older, repaired when tables are missing.

Tables and columns are added at once, in one transaction. What takes long, such as new types of stored values,
is left to `upgrade.py`, slice by slice.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Inspector, Table, insert, inspect, select
from sqlalchemy.schema import CreateColumn

from cyclesoft_async.bulksync.resources import ALL
from cyclesoft_async.bulksync.resources.columns import BOOKKEEPING, metadata
from cyclesoft_async.bulksync.resources.workshop_orders import workshop_orders
from cyclesoft_async.errors import StoreError

from . import upgrade, views
from .tables import rejected_rows, runs, schema_version, windows
from .transaction import Transaction

VERSION: Final = 5
_IDENTIFIED: Final = 3  # since this version the order of a rejected row is noted
_TYPED: Final = 5  # since this version JSON is jsonb, and decimals are numbers in SQLite
_ADDED: Final = frozenset(
    {
        # In version 2; version 1 wrote no version down.
        rejected_rows.c.path,
        rejected_rows.c.run_id,
        # In version 3.
        rejected_rows.c.workshop_order_id,
        # In version 4.
        schema_version.c.account,
        runs.c.refetched,
        runs.c.suspicion,
        runs.c.accepts_missing,
        # In version 5.
        rejected_rows.c.resource,
        rejected_rows.c.row_key,
        *(workshop_orders.c[name] for name in BOOKKEEPING),
    }
)
"""Columns that tables of earlier versions lack."""


def prepare(tx: Transaction) -> None:
    """Create, upgrade or repair the tables.

    Raises:
        StoreError: The schema is newer, or another application's tables have the same names, or another role
            owns one.
    """
    tx.backend.lock_schema(tx.connection)
    inspector = inspect(tx.connection)
    tables = set(inspector.get_table_names())
    _require_own(tx, use_only=tables.issuperset(metadata.tables))
    found = _version(tx)
    if found is not None and found > VERSION:
        raise StoreError(
            f"the database has schema {found}, made by a newer version of this library,"
            f" which knows schemas up to {VERSION}: upgrade the library"
        )
    if (
        found != VERSION
        or not tables.issuperset(metadata.tables)
        or not views.NAMES.issubset(inspector.get_view_names())
    ):
        _bring_up_to_date(tx, inspector, found, tables)


def is_current(tx: Transaction) -> bool:
    """Whether the database has the schema of this version.

    Raises:
        StoreError: Another role owns a table.
    """
    _require_own(tx, use_only=True)
    if _version(tx) != VERSION or upgrade.is_pending(tx):
        return False
    return set(inspect(tx.connection).get_table_names()).issuperset(metadata.tables)


def build_indexes(tx: Transaction) -> None:
    """Build those indexes that wait until the tables are full."""
    inspector = inspect(tx.connection)
    for column in [column for kind in ALL for column in kind.indexes]:
        table = column.table.name
        name = f"ix_{table}_{column.name}"
        # Checked beforehand: "IF NOT EXISTS" would wait for every writer of the table.
        if not inspector.has_index(table, name):
            tx.connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column.name})")


def _require_own(tx: Transaction, *, use_only: bool) -> None:
    owners = tx.backend.foreign_owners(tx.connection, [*metadata.tables, *views.NAMES], use_only=use_only)
    if owners:
        raise StoreError(
            f"tables of the store belong to {', '.join(owners)}, a role that this one does not belong to;"
            " connect as the owner, or drop what it made"
        )


def _version(tx: Transaction) -> int | None:
    if not inspect(tx.connection).has_table(schema_version.name):
        return None
    return tx.connection.execute(select(schema_version.c.version)).scalar_one_or_none()


def _bring_up_to_date(tx: Transaction, inspector: Inspector, found: int | None, tables: set[str]) -> None:
    if windows.name in tables and "cursor" in _columns(inspector, windows):
        # Versions before 4 took days for read that were not.
        tx.connection.exec_driver_sql(f"DROP TABLE {windows.name}")
        tx.connection.execute(runs.delete().where(runs.c.finished_at.is_(None)))
        tables.discard(windows.name)
    for table in metadata.sorted_tables:
        if table.name in tables:
            _add_columns(tx, inspector, table)
    metadata.create_all(tx.connection)
    tx.connection.exec_driver_sql("DROP INDEX IF EXISTS ix_workshop_orders_start_seen")  # of version 3
    for index in workshop_orders.indexes:
        index.create(tx.connection, checkfirst=True)  # on a table that was there
    if workshop_orders.name in tables and (found is None or found < _TYPED):
        upgrade.plan(tx, identify=found is None or found < _IDENTIFIED)
    for kind in ALL:
        if kind.lines is not None and kind.name in tables and kind.lines.table.name not in tables:
            upgrade.plan_lines(tx, kind)
    views.create_missing(tx, set(inspector.get_view_names()))
    if found is None:
        tx.connection.execute(insert(schema_version).values(version=VERSION))
    else:
        tx.connection.execute(schema_version.update().values(version=VERSION))


def _columns(inspector: Inspector, table: Table) -> set[str]:
    return {column["name"] for column in inspector.get_columns(table.name)}


def _add_columns(tx: Transaction, inspector: Inspector, table: Table) -> None:
    there = _columns(inspector, table)
    missing = [column for column in table.columns if column.name not in there]
    foreign = sorted(column.name for column in missing if column not in _ADDED)
    if foreign:
        raise StoreError(
            f"the database has a table {table.name} that is not this library's:"
            f" it has no column {', '.join(foreign)}."
            " Keep the store in a database of its own, or in a schema of its own of PostgreSQL:"
            " CREATE SCHEMA mirror, then postgresql://user@host/name?options=-csearch_path%3Dmirror"
        )
    for column in missing:
        definition = CreateColumn(column).compile(dialect=tx.connection.dialect)
        tx.connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
