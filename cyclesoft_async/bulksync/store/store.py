"""The database that a sync writes to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio import CancelScope, Lock, to_thread
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.errors import StoreError, UsageError
from cyclesoft_async.pagination import RejectedRow

from . import migrations, queries, rejected, runs, upserts
from .backend import Backend
from .queries import OrderKey
from .rejected import RetriedRows
from .rows import RawOrder
from .runs import StoredRun, StoredWindow, WindowPage
from .sqlite import Sqlite
from .upserts import Misfit, Put

logger = logging.getLogger("cyclesoft_async.bulksync")

R = TypeVar("R")


class Store:
    """A database with the tables `workshop_orders`, `workshop_order_items` and `rejected_rows`.

    Tables that are missing are created. The columns are described in `bulksync/tables.py`.

    Args:
        url: `sqlite:///orders.db`, with four slashes for an absolute path; or
            `postgresql://user:password@host/name`, for which the extra `postgres` is needed.

    Raises:
        UsageError: It is not the URL of a database that a store can lie in.
    """

    def __init__(self, url: str) -> None:
        with _told_as_usage():
            self._url = make_url(url)
        self._backend = _backend(self._url.drivername)
        if not self._is_file and url.count("@") > 1:  # a part of the password would be shown as the host
            raise UsageError("an @ in the password, or elsewhere in a database URL, is written %40")
        with _told_as_usage():
            self._backend.engine(self._url)  # connects to nothing yet, but reads the parameters
        if self._is_file and self._url.database in {None, "", ":memory:"}:
            raise UsageError("a store in memory would be lost at the end; name a file: sqlite:///orders.db")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[StoreWriter]:
        """Connect, and bring the schema up to date.

        Raises:
            StoreError: The database can't be opened or written, or has the schema of a newer version.
        """
        async with self._connected() as writer:
            await writer._run(partial(migrations.prepare, backend=self._backend))
            yield writer

    @asynccontextmanager
    async def open_if_there(self) -> AsyncGenerator[StoreWriter | None]:
        """Connect to what is there already, for reading: nothing is created or brought up to date.

        None if there is nothing yet, or not with the schema of this version.

        Raises:
            StoreError: The database can't be opened.
        """
        if self._is_missing_file:
            yield None
            return
        async with self._connected() as writer:
            yield writer if await writer._run(_is_current) else None

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[StoreWriter]:
        engine = self._backend.engine(self._url)
        try:
            yield StoreWriter(engine, self._backend)
        finally:
            with CancelScope(shield=True):  # SQLite tidies up when it is closed, which takes its time
                await to_thread.run_sync(engine.dispose)

    @property
    def postgres_url(self) -> str:
        """The URL for other users of the same PostgreSQL database: `postgresql://…`, with the password.

        Raises:
            UsageError: The store is not in PostgreSQL.
        """
        if self._is_file:
            raise UsageError("this needs a store in PostgreSQL, which several processes can write")
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        # PostgreSQL's own library knows no space in a URL, and no + that stands for one in the parameters.
        address, mark, parameters = url.partition("?")
        return address.replace(" ", "%20") + mark + parameters.replace("+", "%20")

    async def migrate(self) -> None:
        """Create the tables, or bring them up to date, as opening the store does; and all indexes.

        After that a role can sync that may only read and write.

        Raises:
            StoreError: See `open`.
        """
        async with self.open() as writer:
            await writer._run(migrations.make_indexes)

    @property
    def shown_url(self) -> str:
        """The URL without the password, fit for people's eyes."""
        open_query = {name: value for name, value in self._url.query.items() if "password" not in name}
        return self._url.set(query=open_query).render_as_string(hide_password=True)

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _is_missing_file(self) -> bool:
        return self._is_file and not Path(self._url.database or "").exists()

    def __repr__(self) -> str:
        return f"Store({self.shown_url!r})"


@contextmanager
def _told_as_usage() -> Generator[None]:
    try:
        yield
    except (ArgumentError, ValueError):  # their words can quote a password
        raise UsageError(
            "a database URL looks like sqlite:///orders.db or postgresql://user@host/name"
        ) from None


def _is_current(connection: Connection) -> bool:
    return migrations._version(connection) == migrations.VERSION


def _backend(driver: str) -> Backend:
    if driver in {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"}:
        return Sqlite()
    if driver not in {"postgresql", "postgresql+psycopg"}:
        raise UsageError(f"a store is a SQLite or PostgreSQL database, not {driver}")
    try:
        from .postgres import Postgres  # noqa: PLC0415 - it is an extra
    except ImportError:
        raise UsageError(
            "for PostgreSQL the extra is missing: pip install 'cyclesoft-async[postgres]'"
        ) from None
    return Postgres()


class StoreWriter:
    """An open store. Every method is one transaction, and raises StoreError when nothing of it could be done.

    Transactions run one after another, each in a thread: the event loop is free meanwhile. A cancelled caller
    waits for the transaction that it began.
    """

    def __init__(self, engine: Engine, backend: Backend) -> None:
        self._engine = engine
        self._backend = backend
        self._one_at_a_time = Lock()

    async def last_run(self, date_from: date, date_until: date) -> StoredRun | None:
        """The newest run of exactly these days, finished or not."""
        return await self._run(partial(runs.last_run, date_from=date_from, date_until=date_until))

    async def stopped_run(self, date_from: date) -> StoredRun | None:
        """The newest run from this day on that was stopped, unless a later one reaches as far."""
        return await self._run(partial(runs.stopped_run, date_from=date_from))

    async def current_run(self, run_id: int) -> StoredRun | None:
        """The run with this number, unless a later one of the same days has taken its place."""
        return await self._run(partial(runs.current_run, run_id=run_id))

    async def begin_run(self, date_from: date, date_until: date, windows: Sequence[Window]) -> StoredRun:
        """A new run; its windows are numbered from 0."""
        return await self._run(
            partial(runs.begin_run, date_from=date_from, date_until=date_until, parts=windows)
        )

    async def write(self, pages: Sequence[WindowPage], *, requests: int) -> int:
        """Store pages of one run: orders, lines, rows that could not be read, and where the windows are.

        Args:
            pages: In the order in which they were read; at least one.
            requests: What they cost; added to the run's.

        Returns:
            How many rows were put aside: they could not be read, or have a value too large for the database.
        """
        return await self._put(partial(_write, backend=self._backend, pages=pages, requests=requests))

    async def split(self, run_id: int, number: int, cut: date) -> StoredWindow:
        """Let a window end the day before `cut`; the answer is a new one, from `cut` to the old end."""
        return await self._run(partial(runs.split, run_id=run_id, number=number, cut=cut))

    async def unseen(self, run_id: int) -> Sequence[OrderKey]:
        """Orders of the run's days that neither the run has come across, nor a later one.

        Without those that are deleted already, or have no customer, by whom the API could be asked.
        """
        return await self._run(partial(queries.unseen, run_id=run_id))

    async def write_orders(
        self, orders: Sequence[RawOrder], *, unreadable: Sequence[RejectedRow] = (), run_id: int | None
    ) -> int:
        """Store orders that were fetched one by one, each with its JSON; that run has then seen them.

        Returns:
            How many were put aside: they could not be read, or have a value too large for the database.
        """
        work = partial(
            _write_orders, backend=self._backend, orders=orders, unreadable=unreadable, run_id=run_id
        )
        return await self._put(work)

    async def mark_deleted(self, workshop_order_ids: Sequence[int]) -> None:
        """Note that the server has no such orders any more: `is_active` becomes false."""
        await self._run(partial(upserts.mark_deleted, workshop_order_ids=workshop_order_ids))

    async def finish_run(self, run_id: int, *, requests: int) -> None:
        """Note that everything of a run has been read; `requests` are added to the run's."""
        try:
            await self._run(migrations.make_indexes)
        except StoreError as error:
            # They only make questions faster, and it takes the owner of the tables to make them.
            logger.warning("indexes are missing, which `cyclesoft migrate` makes: %s", error)
        await self._run(partial(runs.finish_run, run_id=run_id, requests=requests))

    async def orders_per_day(self, first: date, last: date) -> Mapping[date, int]:
        """How many orders start on each day of Amsterdam; days without any are left out."""
        return await self._run(partial(queries.orders_per_day, backend=self._backend, first=first, last=last))

    async def retry_rejected(self) -> RetriedRows:
        """Read the rows of `rejected_rows` again; those that are orders now leave the table.

        Each few hundred rows are a transaction.
        """
        retry = rejected.Retry()
        while await self._run(partial(retry.go_on, backend=self._backend)):
            pass
        return RetriedRows(stored=retry.stored, rejected=retry.rejected)

    async def _put(self, work: Callable[[Connection, Put], R]) -> R:
        with suppress(*self._backend.misfits):
            return await self._run(lambda connection: work(connection, upserts.put_all))
        return await self._run(lambda connection: work(connection, upserts.put_each))

    async def _run(self, work: Callable[[Connection], R]) -> R:
        async with self._one_at_a_time:
            transaction = asyncio.create_task(to_thread.run_sync(self._transact, work))
            try:
                return await asyncio.shield(transaction)
            finally:
                # A task that asyncio cancels, and not a scope of anyio, leaves the thread behind, at work.
                with CancelScope(shield=True):
                    await asyncio.wait([transaction])

    def _transact(self, work: Callable[[Connection], R]) -> R:
        failure: BaseException | None
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except self._backend.misfits:
            raise
        except DBAPIError as error:
            failure = error.orig
        except self._backend.errors as error:
            failure = error
        # Raised out here: as its context the driver's error could show what stands in the tables.
        raise StoreError(f"the database: {self._backend.reason(failure)}")


def _write(
    connection: Connection, put: Put, backend: Backend, pages: Sequence[WindowPage], requests: int
) -> int:
    orders = [pair for part in pages for pair in zip(part.page.items, part.page.raw_items, strict=True)]
    run_id = pages[0].run_id
    unreadable = [_misfit(row) for part in pages for row in part.page.rejected]
    unreadable += put(connection, backend, orders, run_id)
    rejected.put_aside(connection, unreadable, run_id)
    # The run before its windows, as `split` locks them: two that work on one run never lock each other out.
    runs.count(connection, pages, requests=requests, rejected=len(unreadable))
    runs.advance(connection, pages)
    return len(unreadable)


def _write_orders(
    connection: Connection,
    put: Put,
    *,
    backend: Backend,
    orders: Sequence[RawOrder],
    unreadable: Sequence[RejectedRow],
    run_id: int | None,
) -> int:
    misfits = put(connection, backend, orders, run_id)
    aside = [*map(_misfit, unreadable), *misfits]
    rejected.put_aside(connection, aside, run_id)
    if run_id is not None:
        runs.count_rejected(connection, run_id, len(aside))
    return len(aside)


def _misfit(row: RejectedRow) -> Misfit:
    return Misfit(row.raw, row.path, row.reason)
