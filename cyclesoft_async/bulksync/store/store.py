"""Store: the database that orders are mirrored into."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from anyio import CancelScope, to_thread

from cyclesoft_async._arguments import check_type
from cyclesoft_async._extras import missing_extra
from cyclesoft_async.errors import StoreError, UsageError

from . import migrations, upgrade
from .backend import Backend
from .open_store import StoreWriter
from .rejected import RetriedRows, Retry
from .snapshot import Snapshot, open_snapshot
from .sqlite import Sqlite

_SQLITE: Final = {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"}
_POSTGRES: Final = {"postgres", "postgresql", "postgresql+psycopg"}


class Store:
    """A database with the tables `workshop_orders`, `workshop_order_items` and `rejected_rows`.

    Tables that are missing are created. The columns are described in `bulksync/store/tables.py`. A store
    belongs to one account: a sync of another user name or host is refused before any request.

    Args:
        url: `sqlite:///orders.db`, with four slashes for an absolute path; or
            `postgresql://user:password@host/database`, for which the extra `postgres` is needed, also
            `postgres://` and `postgresql+psycopg://`.
        adopt: Take the store over from another account, after a changed user name or host.

    Attributes:
        adopt: As given.
        shown_url: The URL without credentials and, for PostgreSQL, parameters.

    Raises:
        UsageError: The URL is not that of a database that a store can lie in.
    """

    shown_url: str = (
        "unreadable"  # while the constructor fails, for tools that report the locals of its frame
    )

    def __init__(self, url: str, *, adopt: bool = False) -> None:
        self.adopt = adopt
        try:
            check_type("url", url, str)
            self._backend = _backend(url)
        finally:
            del url  # those tools must not find its password
        self.shown_url = self._backend.shown

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[StoreWriter]:
        """Connect, and create or upgrade the tables.

        Raises:
            StoreError: The database can't be opened or written, or has the schema of a newer version.
        """
        async with self._connected() as writer:
            await writer.run(migrations.prepare)
            while await writer.run(upgrade.next_step):
                pass
            yield writer

    @asynccontextmanager
    async def open_if_there(self) -> AsyncGenerator[StoreWriter | None]:
        """Connect for reading: nothing is created or upgraded.

        None if the tables are not there, or have the schema of another version.

        Raises:
            StoreError: The database can't be opened.
        """
        if self._backend.is_missing:
            yield None
            return
        async with self._connected() as writer:
            yield writer if await writer.run(migrations.is_current) else None

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """Open one consistent state for reading, in the calling thread. Nothing is created or upgraded.

        Raises:
            StoreError: The database can't be opened, or has no tables of this version.
        """
        if self._backend.is_missing:
            raise StoreError(f"there is no database at {self.shown_url}; `cyclesoft sync --to` creates one")
        with open_snapshot(self._backend) as snapshot:
            yield snapshot

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[StoreWriter]:
        engine = self._backend.engine()
        try:
            yield StoreWriter(engine, self._backend)
        finally:
            with CancelScope(shield=True):  # SQLite checkpoints its log when it is closed
                await to_thread.run_sync(engine.dispose)

    @property
    def postgres_url(self) -> str:
        """The URL for other users of the same PostgreSQL database: `postgresql://…`, with the password.

        Raises:
            UsageError: The store is not in PostgreSQL.
        """
        url = self._backend.postgres_url
        if url is None:
            raise UsageError(
                "a sync by several processes needs a store in PostgreSQL; use postgresql://user@host/name"
            )
        return url

    async def migrate(self) -> None:
        """Create or upgrade the tables, as opening the store does, and build all indexes.

        After that a role can sync that may only read and write.

        Raises:
            StoreError: See `open`.
        """
        async with self.open() as writer:
            await writer.run(migrations.build_indexes)

    async def retry_rejected(self) -> RetriedRows:
        """Read the rows of `rejected_rows` again; those that are orders now leave the table.

        Raises:
            StoreError: See `open`.
        """
        retry = Retry()
        async with self.open() as writer:
            while await writer.run(retry.next_slice):
                pass
        return RetriedRows(stored=retry.stored, rejected=retry.rejected)

    def __repr__(self) -> str:
        return f"Store({self.shown_url!r})"


def _backend(url: str) -> Backend:
    scheme = url.partition("://")[0]
    try:
        if scheme in _SQLITE:
            return Sqlite(url)
        if scheme in _POSTGRES:
            try:
                from .postgres import Postgres  # noqa: PLC0415 - the extra may not be installed
            except ModuleNotFoundError as error:
                raise missing_extra(error, "postgres") from None
            return Postgres(url)
    finally:
        del url, scheme  # see Store
    raise UsageError(
        "a database URL must look like sqlite:///orders.db or postgresql://user:password@host/database"
    )
