"""The connection to the database: opened when needed, dropped when in doubt, never waited for without end."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import msgspec
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from . import migrations
from .errors import as_link_error
from .messages import Ask, Reply

__all__ = ["CALL_SECONDS", "Link"]

CALL_SECONDS: Final = 5.0
"""A turn takes milliseconds; the reply to one that took longer is not believed any more."""

_OPENING_SECONDS: Final = 10.0
_TURN: Final = "SELECT quota_turn(%s::text::jsonb)::text"

# What the URL says itself goes first. A server that vanished without a word is noticed soon, and of several
# the one is found that takes writes.
_DEFAULTS: Final = {
    "application_name": "cyclesoft-quota",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "target_session_attrs": "read-write",
}

# Each would let a turn hang, see an old state, or be forgotten by a crash that comes right after it.
_SETTINGS: Final = """
    SET search_path = cyclesoft;
    SET statement_timeout = '3s';
    SET lock_timeout = '3s';
    SET default_transaction_isolation = 'read committed';
    SELECT set_config('synchronous_commit', 'local', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""


class Link:
    """One connection, for one turn at a time.

    Args:
        url: Of the database, with its password.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AsyncConnection[TupleRow] | None = None

    async def turn(self, ask: Ask) -> Reply:
        """Take a turn.

        Raises:
            LinkError: The database is away or unusable; the turn may have happened all the same.
        """
        try:
            connection = self._connection or await self.open()
            with as_link_error():
                # Also when this process was stopped meanwhile: the tokens may not be its own any more.
                async with asyncio.timeout(CALL_SECONDS):
                    turn = await connection.execute(_TURN, (msgspec.json.encode(ask).decode(),), prepare=True)
                    [reply] = cast(tuple[str], await turn.fetchone())
                return msgspec.json.decode(reply, type=Reply)
        except BaseException:
            await self.aclose()
            raise

    async def open(self) -> AsyncConnection[TupleRow]:
        """Connect, and create the tables if they are missing.

        Raises:
            LinkError: The database is away or unusable.
        """
        with as_link_error():
            async with asyncio.timeout(_OPENING_SECONDS):
                given = {name: value for name, value in conninfo_to_dict(self._url).items() if value}
                self._connection = await AsyncConnection.connect(
                    make_conninfo("", **{**_DEFAULTS, **given}), autocommit=True
                )
                await migrations.prepare(self._connection)
                await self._connection.execute(_SETTINGS)
                return self._connection

    async def aclose(self) -> None:
        """Close the connection; the next turn opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
