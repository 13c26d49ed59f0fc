"""Store: the database that orders are mirrored into."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from anyio import CancelScope, to_thread
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from cyclesoft_async._extras import missing_extra
from cyclesoft_async.errors import UsageError

from . import migrations
from .backend import Backend
from .rejected import RetriedRows, Retry
from .sqlite import Sqlite
from .writer import StoreWriter


class Store:
    """A database with the tables `workshop_orders`, `workshop_order_items` and `rejected_rows`.

    Tables that are missing are created. The columns are described in `bulksync/store/tables.py`. A store
    belongs to one account: a sync of another user name or host is refused before any request.

    Args:
        url: `sqlite:///orders.db`, with four slashes for an absolute path; or
            `postgresql://user:password@host/name`, for which the extra `postgres` is needed.
        adopt: Take the store over from another account, after a changed user name or host.

    Attributes:
        adopt: As given.

    Raises:
        UsageError: The URL is not that of a database that a store can lie in.
    """

    def __init__(self, url: str, *, adopt: bool = False) -> None:
        self.adopt = adopt
        with _url_errors():
            self._url = make_url(url)
        self._backend = _backend(self._url.drivername)
        if not self._is_file and url.count("@") > 1:  # a part of the password would be shown as the host
            raise UsageError("an @ in the password, or elsewhere in a database URL, is written %40")
        with _url_errors():
            self._backend.engine(self._url)  # connects to nothing yet, but reads the parameters
        if self._is_file and self._url.database in {None, "", ":memory:"}:
            raise UsageError("a store in memory would be lost at the end; name a file: sqlite:///orders.db")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[StoreWriter]:
        """Connect, and create or upgrade the tables.

        Raises:
            StoreError: The database can't be opened or written, or has the schema of a newer version.
        """
        async with self._connected() as writer:
            await writer.run(migrations.prepare)
            yield writer

    @asynccontextmanager
    async def open_if_there(self) -> AsyncGenerator[StoreWriter | None]:
        """Connect for reading: nothing is created or upgraded.

        None if the tables are not there, or have the schema of another version.

        Raises:
            StoreError: The database can't be opened.
        """
        if self._is_missing_file:
            yield None
            return
        async with self._connected() as writer:
            yield writer if await writer.run(migrations.is_current) else None

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[StoreWriter]:
        engine = self._backend.engine(self._url)
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
        if self._is_file:
            raise UsageError(
                "a sync by several processes needs a store in PostgreSQL; use postgresql://user@host/name"
            )
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        # PostgreSQL's own library knows no space in a URL, and no + that stands for one in the parameters.
        address, mark, parameters = url.partition("?")
        return address.replace(" ", "%20") + mark + parameters.replace("+", "%20")

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

    @property
    def shown_url(self) -> str:
        """The URL without the password, to be shown."""
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
def _url_errors() -> Generator[None]:
    try:
        yield
    except (ArgumentError, ValueError):  # their messages can quote a password
        raise UsageError(
            "a database URL looks like sqlite:///orders.db or postgresql://user@host/name"
        ) from None


def _backend(driver: str) -> Backend:
    if driver in {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"}:
        return Sqlite()
    if driver not in {"postgresql", "postgresql+psycopg"}:
        raise UsageError(f"a store is a SQLite or PostgreSQL database, not {driver}")
    try:
        from .postgres import Postgres  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        raise missing_extra(error, "postgres") from None
    return Postgres()
