"""Connection pool of one process, with a limit to every wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.errors import OperationalError, ReadOnlySqlTransaction
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from cyclesoft_async._postgres.connect import configure
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import translated
from cyclesoft_async.errors import InboxError, InboxUnavailableError

from .upgrades import ERRORS, ensure_tables

_WAIT_SECONDS: Final = 3.0
_STATEMENT_SECONDS: Final = 10
# A server whose disk or standby hangs does not keep its own statement timeout.
_ANSWER_SECONDS: Final = _STATEMENT_SECONDS + 2.0

# Every statement goes by index: statistics of tables that fill and empty fast are out of date. Planning them
# anew for each group takes longer than executing them.
_SETTINGS: Final = {
    "search_path": "cyclesoft",
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    "plan_cache_mode": "force_generic_plan",
    **dict.fromkeys(
        ("enable_hashjoin", "enable_mergejoin", "enable_sort", "enable_seqscan", "enable_bitmapscan"), "off"
    ),
}
_FORGETFUL: Final = {"synchronous_commit": "off"}


class ConnectionLostError(InboxUnavailableError):
    """The connection turned out to be dead: the statement may have been carried out, or not."""


class Database:
    """Runs statements, each a transaction of its own, once the tables are known to be there.

    Args:
        dsn: Address of the database.
        size: Largest number of connections.
        is_queue: Whether they are for jobs and claims: a crash of the server may forget their last commits.

    Attributes:
        pool: The connections.
    """

    def __init__(self, dsn: Dsn, size: int, *, is_queue: bool = False) -> None:
        self._dsn = dsn
        self._prepared = False
        self._preparing = asyncio.Lock()
        self._failure: InboxError | None = None
        self.pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            dsn.conninfo("cyclesoft-inbox", **_SETTINGS, **(_FORGETFUL if is_queue else {})),
            name="cyclesoft-inbox",
            min_size=1,
            max_size=size,
            timeout=_WAIT_SECONDS,
            # Given up early: the next who wants a connection tries at once, and not after a long pause.
            reconnect_timeout=_WAIT_SECONDS,
            configure=_set_autocommit if is_queue else configure,
            open=False,
        )

    async def open(self) -> None:
        """Connect, and create the tables that are missing.

        Raises:
            InboxUnavailableError: The database cannot be reached; the next use tries again.
            InboxError: The tables are of another version or another role.
        """
        before = self._failure
        async with self._preparing:
            if self._prepared:
                return
            if self._failure is not before:
                # Trying one after the other, the last would wait for all of them.
                raise InboxUnavailableError(str(self._failure))
            try:
                await ensure_tables(self._dsn)
                with translated(ERRORS):
                    await self.pool.open()
            except InboxError as error:
                self._failure = error
                raise
            self._prepared = True

    async def close(self) -> None:
        """Disconnect."""
        await self.pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[TupleRow]]:
        """Lend a connection. What fails rolls back the transaction that is open on it.

        Raises:
            ConnectionLostError: The transaction may be committed or not.
            InboxUnavailableError: The database cannot be reached or written now.
            InboxError: It refused a statement.
        """
        try:
            await self.open()
            with translated(ERRORS):
                async with self.pool.connection() as connection, _watched(connection):
                    yield connection
        except ConnectionLostError:
            await self.pool.check()  # the others are likely to be dead, too
            raise

    async def rows(
        self, query: LiteralString, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[TupleRow]:
        """Return the rows of a statement, which is a transaction of its own.

        Raises:
            InboxError: See `connection`.
        """
        async with self.connection() as connection:
            cursor = await connection.execute(query, parameters, binary=True)
            return await cursor.fetchall()


@asynccontextmanager
async def _watched(connection: AsyncConnection[TupleRow]) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            yield
    except TimeoutError:
        await connection.close()
        raise InboxUnavailableError("PostgreSQL did not answer in time") from None
    except ReadOnlySqlTransaction:
        await connection.close()  # another server takes the writes now; a new connection finds it
        raise
    except OperationalError:
        if connection.closed:
            raise ConnectionLostError("PostgreSQL: the connection was lost") from None
        raise


async def _set_autocommit(connection: AsyncConnection[TupleRow]) -> None:
    await connection.set_autocommit(True)
