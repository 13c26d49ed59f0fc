"""Snapshot: one consistent state of the store's tables and views, read in batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Column, Connection, Integer, Row, Table, Text, cast, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement

from cyclesoft_async.errors import StoreError

from . import migrations
from .backend import Backend
from .transaction import Transaction

T = TypeVar("T")


class Snapshot:
    """An open transaction that only reads: writers do not wait for it, and it does not see their changes."""

    def __init__(self, connection: Connection, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend

    def batches(self, table: Table, size: int) -> Generator[Sequence[Row[Any]]]:
        """Yield the rows of a table or view in the order of its key. Close the generator before the snapshot.

        Args:
            table: The table or view.
            size: How many rows are in memory at a time.

        Raises:
            StoreError: The database is away or refuses, or a value cannot be read.
        """
        query = select(*map(_readable, table.columns)).order_by(*table.primary_key)
        with _store_errors(self._backend):
            # In PostgreSQL this is a cursor of the server.
            options = {"yield_per": size}
            with self._connection.execute(query, execution_options=options) as result:
                yield from _fitting(result.partitions(size), table)


@contextmanager
def open_snapshot(backend: Backend) -> Generator[Snapshot]:
    """Open a snapshot of a store. Nothing is created or upgraded.

    Raises:
        StoreError: The database can't be opened, or has no tables of this version.
    """
    with ExitStack() as stack:
        engine = backend.reading_engine()
        stack.callback(engine.dispose)
        with _store_errors(backend):
            connection = stack.enter_context(engine.connect())
            is_current = migrations.is_current(Transaction(connection, backend))
        if not is_current:
            raise StoreError(
                f"{backend.shown} has no tables of this version of the library:"
                " run `cyclesoft sync --to` with it once, which creates or upgrades them"
            )
        yield Snapshot(connection, backend)


def _readable(column: Column[Any]) -> ColumnElement[Any]:
    """Return JSON as text, and sums of integers, which are NUMERIC in PostgreSQL, as integers."""
    if isinstance(column.type, Integer):
        return cast(column, BigInteger).label(column.name)
    if isinstance(column.type, Text):
        return cast(column, Text).label(column.name)
    return column


def _fitting(batches: Iterable[T], table: Table) -> Iterable[T]:
    """Yield batches whose values fit their columns: SQLite takes any text into any of them."""
    try:
        yield from batches
    except (TypeError, ValueError):
        fits = False
    else:
        fits = True
    if not fits:  # out here: the exception shows the value
        raise StoreError(f"{table.name} has a value that is not of its column's type")


@contextmanager
def _store_errors(backend: Backend) -> Generator[None]:
    failure: BaseException | None = None
    try:
        yield
    except DBAPIError as error:
        failure = error.orig
    except backend.errors as error:
        failure = error
    # Raised out here: as its context the driver's error could show values of the tables.
    if failure is not None:
        raise StoreError(f"the database: {backend.reason(failure)}")
