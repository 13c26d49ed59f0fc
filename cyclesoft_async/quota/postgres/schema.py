"""The ledger's tables and functions: created and checked."""

from __future__ import annotations

from importlib import resources
from typing import Final, cast

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from .trouble import LinkError

__all__ = ["create", "prepare"]

VERSION: Final = 1

_LEDGER: Final = resources.files("cyclesoft_async.quota.postgres").joinpath("ledger.sql")
# The inbox takes the same lock: both create the schema.
_LOCK: Final = 7_203_115_884_001_337


async def prepare(connection: AsyncConnection[TupleRow]) -> None:
    """Check the version, and create what is missing. Several processes may do so at once.

    Raises:
        LinkError: The tables are those of a newer version.
    """
    if await _version(connection) is None:
        await create(connection)
    found = await _version(connection)
    if found != VERSION:
        raise LinkError(
            f"the ledger's tables are of version {found}, this process knows version {VERSION}: upgrade it",
            is_passing=False,
        )


async def create(connection: AsyncConnection[TupleRow]) -> None:
    """Create the tables and functions if there are none."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if await _version(connection) is not None:
            return
        await connection.execute("CREATE SCHEMA IF NOT EXISTS cyclesoft")
        await connection.execute("SET LOCAL search_path = cyclesoft")
        await connection.execute(_LEDGER.read_bytes())
        await connection.execute("INSERT INTO quota_version (version) VALUES (%s)", (VERSION,))


async def _version(connection: AsyncConnection[TupleRow]) -> int | None:
    # Not to_regclass: inside a transaction it may remember that there was nothing before the lock was had.
    there = "SELECT FROM pg_tables WHERE schemaname = 'cyclesoft' AND tablename = 'quota_version'"
    if (await connection.execute(there)).rowcount == 0:
        return None
    cursor = await connection.execute("SELECT max(version) FROM cyclesoft.quota_version")
    [version] = cast(tuple[int | None], await cursor.fetchone())
    return version
