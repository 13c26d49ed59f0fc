"""Connection to the ledger's database: opened when needed, closed after any failure."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import resources
from typing import Final, cast

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Literal

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async._postgres.migrations import Part, prepare
from cyclesoft_async._postgres.migrations import migrate as migrate_parts
from cyclesoft_async.quota.state import AccountState, decode_state, encode_state

__all__ = ["TURN_SECONDS", "LedgerConnection", "TurnError", "migrate_tables"]

TURN_SECONDS: Final = 5.0
"""A turn takes milliseconds. The tokens of one that took longer may have expired meanwhile."""

_OPENING_SECONDS: Final = 10.0
_PART: Final = Part(
    "quota", "0003", resources.files("cyclesoft_async.quota.postgres").joinpath("tables.sql").read_bytes()
)

# The account's row is locked between loading and storing: a process that stops just there must not keep it.
_SETTINGS: Final = {
    "search_path": "cyclesoft",
    "statement_timeout": "3s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "2s",
}

# The outer query reads the clock after the inner one has got the lock. One message begins the transaction as
# well, which saves a round trip. After a pipeline, idle_in_transaction_session_timeout would not work.
_BEGIN: Final = SQL("""
    BEGIN;
    WITH locked AS MATERIALIZED (SELECT state FROM quota_state WHERE account = {} FOR UPDATE)
    SELECT state, quota_clock() FROM locked
""")
_CREATE: Final = b"INSERT INTO quota_state (account, state) VALUES (%s, '') ON CONFLICT DO NOTHING"
_STORE: Final = b"UPDATE quota_state SET state = %b WHERE account = %s"

Act = Callable[[AccountState, float], bool]
"""Changes the account's state at the given moment, and returns whether it has to be stored."""


class TurnError(Exception):
    """The database is unavailable or unusable. A turn that failed may have been committed all the same.

    Attributes:
        is_transient: Whether a repetition may succeed.
    """

    def __init__(self, reason: str, *, is_transient: bool) -> None:
        super().__init__(reason)
        self.is_transient = is_transient

    @classmethod
    def refused(cls, reason: str) -> TurnError:
        """Make an error that a repetition would meet again."""
        return cls(reason, is_transient=False)

    @classmethod
    def unavailable(cls, reason: str) -> TurnError:
        """Make an error that a repetition may not meet again."""
        return cls(reason, is_transient=True)


_ERRORS: Final = ErrorTypes(refused=TurnError.refused, unavailable=TurnError.unavailable)


class LedgerConnection:
    """One connection, for one turn at a time.

    Args:
        dsn: Address of the database.
    """

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self._connection: AsyncConnection[TupleRow] | None = None

    async def turn(self, account: str, act: Act) -> None:
        """Lock the account's state, let `act` change it, store it and commit.

        Raises:
            TurnError: The database is unavailable or unusable; the turn may have been committed.
        """
        try:
            connection = self._connection or await self._open()
            with translated(_ERRORS), _limited(connection):
                await _take_turn(connection, account, act)
        except BaseException:
            await self.aclose()
            raise

    async def _open(self) -> AsyncConnection[TupleRow]:
        with translated(_ERRORS):
            async with asyncio.timeout(_OPENING_SECONDS):
                self._connection = await connect(self._dsn.conninfo("cyclesoft-quota", **_SETTINGS))
                await prepare(self._connection, [_PART], _ERRORS)
                return self._connection

    async def aclose(self) -> None:
        """Close the connection; the next turn opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def migrate_tables(dsn: Dsn) -> None:
    """Create or upgrade the ledger's tables.

    Raises:
        TurnError: The database is unavailable, or the role may not create tables.
    """
    with translated(_ERRORS):
        async with asyncio.timeout(_OPENING_SECONDS):
            connection = await connect(dsn.conninfo("cyclesoft-quota"))
        async with connection:
            await migrate_parts(connection, [_PART], _ERRORS)


async def _take_turn(connection: AsyncConnection[TupleRow], account: str, act: Act) -> None:
    row = await _begin(connection, account)
    if row is None:
        await connection.execute(b"COMMIT")
        await connection.execute(_CREATE, (account,))
        row = await _begin(connection, account)
    state, now = _decode(row)
    is_changed = act(state, now)
    async with connection.pipeline():
        if is_changed:
            await connection.execute(_STORE, (encode_state(state), account), prepare=True)
        await connection.execute(b"COMMIT")


async def _begin(connection: AsyncConnection[TupleRow], account: str) -> tuple[bytes, float] | None:
    """Begin a transaction, lock the account's row and load it; None if there is no row."""
    cursor = await connection.execute(_BEGIN.format(Literal(account)))
    cursor.nextset()
    return cast(tuple[bytes, float] | None, await cursor.fetchone())


def _decode(row: tuple[bytes, float] | None) -> tuple[AccountState, float]:
    if row is None:
        raise TurnError.unavailable("the account's row disappeared")
    stored, now = row
    try:
        return (decode_state(stored) if stored else AccountState()), now
    except msgspec.MsgspecError:
        raise TurnError.refused("the account's state cannot be decoded") from None


@contextmanager
def _limited(connection: AsyncConnection[TupleRow]) -> Generator[None]:
    """Raise TimeoutError after `TURN_SECONDS`, also if this process was stopped meanwhile."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TURN_SECONDS
    watchdog = loop.call_at(deadline, _sever, connection)
    try:
        yield
    except psycopg.Error:
        if loop.time() < deadline:
            raise
    finally:
        watchdog.cancel()
    if loop.time() >= deadline:
        raise TimeoutError


def _sever(connection: AsyncConnection[TupleRow]) -> None:
    """Fail what waits for the server: cancelling would wait for the server as well, which may be stopped."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
