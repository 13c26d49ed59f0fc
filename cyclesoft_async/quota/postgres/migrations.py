"""The ledger's tables and functions: created, brought up to date, and checked."""

from __future__ import annotations

from importlib import resources
from typing import Final, cast

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from .errors import LinkError

__all__ = ["prepare"]

VERSION: Final = 2
"""Version 1 had the same tables."""

_FILES: Final = resources.files("cyclesoft_async.quota.postgres")
# The inbox takes the same lock: both create the schema.
_LOCK: Final = 7_203_115_884_001_337


async def prepare(connection: AsyncConnection[TupleRow]) -> None:
    """Check the version; create what is missing, upgrade what is older. Several processes may do so at once.

    Raises:
        LinkError: The tables are those of a newer version.
    """
    if (await _version(connection)) < VERSION:
        await _upgrade(connection)
    found = await _version(connection)
    if found != VERSION:
        raise LinkError(
            f"the ledger's tables are of version {found}, this process knows version {VERSION}: upgrade it",
            is_passing=False,
        )


async def _upgrade(connection: AsyncConnection[TupleRow]) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        found = await _version(connection)
        if found >= VERSION:
            return
        await connection.execute("CREATE SCHEMA IF NOT EXISTS cyclesoft")
        await connection.execute("SET LOCAL search_path = cyclesoft")
        if not found:
            await connection.execute(_FILES.joinpath("tables.sql").read_bytes())
        await connection.execute(_FILES.joinpath("functions.sql").read_bytes())
        await connection.execute("INSERT INTO quota_version (version) VALUES (%s)", (VERSION,))


async def _version(connection: AsyncConnection[TupleRow]) -> int:
    """0: there are no tables."""
    # Not to_regclass: inside a transaction it may remember that there was nothing before the lock was had.
    there = "SELECT FROM pg_tables WHERE schemaname = 'cyclesoft' AND tablename = 'quota_version'"
    if (await connection.execute(there)).rowcount == 0:
        return 0
    cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM cyclesoft.quota_version")
    [version] = cast(tuple[int], await cursor.fetchone())
    return version
