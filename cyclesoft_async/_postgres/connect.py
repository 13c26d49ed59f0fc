"""Connections to PostgreSQL: each statement is a transaction, and a commit is on disk."""

from __future__ import annotations

from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

__all__ = ["configure", "connect"]

# A database may have been configured not to wait for its disk; what was acknowledged must survive a crash.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


async def connect(conninfo: str) -> AsyncConnection[TupleRow]:
    """Open a connection with autocommit, configured by `configure`."""
    connection = await AsyncConnection.connect(conninfo, autocommit=True)
    try:
        await configure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def configure(connection: AsyncConnection[TupleRow]) -> None:
    """Turn on autocommit and durable commits; for `AsyncConnectionPool(configure=...)`."""
    await connection.set_autocommit(True)
    await connection.execute(_DURABLE)
