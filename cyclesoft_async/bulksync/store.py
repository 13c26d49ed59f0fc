"""The database that a sync writes to."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime

from anyio import to_thread
from sqlalchemy import NullPool, delete, event, or_
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from cyclesoft_async.errors import StoreError, UsageError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.paging import Page, RejectedRow

from .tables import item_rows, metadata, order_row, rejected_rows, workshop_order_items, workshop_orders


class Store:
    """A SQLite database with the tables `workshop_orders`, `workshop_order_items` and `rejected_rows`.

    Tables that are missing are created. The columns are described in `bulksync/tables.py`.

    Args:
        url: `sqlite:///orders.db` or `sqlite+aiosqlite:///orders.db`; four slashes for an absolute path.

    Raises:
        UsageError: It is not the URL of a SQLite database.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise UsageError("a database URL looks like sqlite:///orders.db") from None
        if parsed.drivername not in {"sqlite", "sqlite+aiosqlite"}:
            raise UsageError(f"a store is a SQLite database for now, not {parsed.drivername}")
        self._url = parsed.set(drivername="sqlite+aiosqlite")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[StoreWriter]:
        """Connect, and create the tables that are missing.

        Raises:
            StoreError: The database can't be opened or written.
        """
        # Tried in a thread of our own first: when aiosqlite can't open a file, its thread can outlive the
        # event loop and print a traceback.
        with _as_store_error():
            await to_thread.run_sync(_try_to_open, self._url.database or ":memory:")
        # Parameters are hidden from errors: they are people's data.
        engine = create_async_engine(self._url, poolclass=NullPool, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        async with AsyncExitStack() as stack:
            with _as_store_error():
                connection = await stack.enter_async_context(engine.connect())
                async with connection.begin():
                    await connection.run_sync(metadata.create_all)
            yield StoreWriter(connection)

    def __repr__(self) -> str:
        return f"Store({self._url.render_as_string(hide_password=True)!r})"


@contextmanager
def _as_store_error() -> Generator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"the database: {error.orig}") from error.orig
    except sqlite3.Error as error:
        raise StoreError(f"the database: {error}") from error


def _try_to_open(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA schema_version")


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


class StoreWriter:
    """Writes pages; each one is a transaction of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, page: Page[WorkshopOrder]) -> None:
        """Insert or update the page's orders with their lines; put rows that could not be read aside.

        An order that the store has in a newer version, by `datetime_modified`, stays as it is.

        Raises:
            StoreError: The database can't be written; nothing of the page is.
        """
        with _as_store_error():
            async with self._connection.begin():
                if page.items:
                    await self._write_orders(page)
                if page.rejected:
                    await self._put_aside(page.rejected)

    async def _write_orders(self, page: Page[WorkshopOrder]) -> None:
        # One statement can't upsert an order twice; of one that is in the page twice, the last copy counts.
        latest = {
            order.workshop_order_id: (order, raw)
            for order, raw in zip(page.items, page.raw_items, strict=True)
        }
        rows = [order_row(order, raw) for order, raw in latest.values()]
        written = set(await self._connection.scalars(_UPSERT, rows))
        await self._connection.execute(
            delete(workshop_order_items).where(workshop_order_items.c.workshop_order_id.in_(written))
        )
        lines = [
            row
            for order, _ in latest.values()
            if order.workshop_order_id in written
            for row in item_rows(order)
        ]
        if lines:
            await self._connection.execute(workshop_order_items.insert(), lines)

    async def _put_aside(self, rows: Sequence[RejectedRow]) -> None:
        now = datetime.now(UTC)
        await self._connection.execute(
            rejected_rows.insert(), [{"seen_at": now, "reason": row.reason, "raw": row.raw} for row in rows]
        )


_NEW = insert(workshop_orders)
_UPSERT = _NEW.on_conflict_do_update(
    index_elements=[workshop_orders.c.workshop_order_id],
    set_={column.name: column for column in _NEW.excluded if column.name != "workshop_order_id"},
    where=or_(
        workshop_orders.c.datetime_modified.is_(None),
        _NEW.excluded.datetime_modified.is_(None),
        _NEW.excluded.datetime_modified >= workshop_orders.c.datetime_modified,
    ),
).returning(workshop_orders.c.workshop_order_id)
