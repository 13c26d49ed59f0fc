"""The tables of the inbox and of Procrastinate: created, upgraded, and checked.

They live in a PostgreSQL schema of their own, `cyclesoft`: an application that uses Procrastinate itself in
the same database, of whatever version, has nothing to do with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.dsn import as_inbox_error, connect, parameters
from cyclesoft_async.errors import InboxError

# Any number that nobody else locks.
_LOCK: Final = 7_203_115_884_001_337
_VERSIONS: Final = """
    CREATE SCHEMA IF NOT EXISTS cyclesoft;
    CREATE TABLE IF NOT EXISTS cyclesoft.versions (part text PRIMARY KEY, version text NOT NULL);
"""
_RECORD: Final = """
    INSERT INTO cyclesoft.versions (part, version) VALUES (%s, %s)
    ON CONFLICT (part) DO UPDATE SET version = excluded.version
"""
_TO_0002: Final = b"""
    ALTER TABLE deliveries ADD COLUMN claimed_by bigint, ADD COLUMN cut_off boolean NOT NULL DEFAULT false;
"""


class _Part(NamedTuple):
    """Tables that have a version of their own. Versions are texts that rise."""

    name: str
    version: str
    whole: bytes
    """Creates it at this version."""
    steps: Sequence[tuple[str, bytes]]
    """Each upgrades it from the version before to its own."""


def _procrastinate() -> _Part:
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    steps = [(file.name, file.read_bytes()) for file in files]
    return _Part("procrastinate", files[-1].name, SchemaManager.get_schema().encode(), steps)


def _inbox() -> _Part:
    tables = Path(__file__).with_name("tables.sql").read_bytes()
    functions = Path(__file__).with_name("functions.sql").read_bytes()
    return _Part("inbox", "0002", tables + functions, [("0002", _TO_0002 + functions)])


async def prepare(connection: AsyncConnection[TupleRow]) -> None:
    """Check the versions; create what an empty database lacks. Several processes may do so at once.

    Raises:
        InboxError: The tables are those of an older or a newer version, or the role may not create them.
    """
    parts = (_procrastinate(), _inbox())
    if not {part.name for part in parts} <= (await _versions(connection)).keys():
        await _upgrade(connection)
    found = await _versions(connection)
    for part in parts:
        version = found[part.name]
        if version < part.version:
            raise InboxError(
                f"the tables of {part.name} are of an older version; run: cyclesoft migrate --database URL"
            )
        _refuse_newer(part, version)


async def migrate(url: str) -> None:
    """Create and upgrade the inbox's tables; does nothing when they are of this version.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxUnavailableError: The database can't be reached.
        InboxError: The tables are those of a newer version, or the role may not create tables.
    """
    with as_inbox_error():
        async with await connect(parameters(url)) as connection:
            await _upgrade(connection)


async def ensure_tables(url: str) -> None:
    """Check the versions of the tables that jobs lie in; create what an empty database lacks.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxUnavailableError: The database can't be reached.
        InboxError: See `prepare`.
    """
    with as_inbox_error():
        async with await connect(parameters(url)) as connection:
            await prepare(connection)


async def _upgrade(connection: AsyncConnection[TupleRow]) -> None:
    """All that is missing. The connection has to be closed afterwards: with it ends the lock."""
    # Each step is a transaction of its own, so the lock is the session's.
    await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        await connection.execute(_VERSIONS)
        await connection.execute("SET search_path = cyclesoft")
        found = await _versions(connection)
        for part in (_procrastinate(), _inbox()):
            await _upgrade_part(connection, part, found.get(part.name))
    except InsufficientPrivilege:
        raise InboxError(
            "this role may not create tables; as one that may, run: cyclesoft migrate --database URL"
        ) from None


async def _upgrade_part(connection: AsyncConnection[TupleRow], part: _Part, version: str | None) -> None:
    if version is None:
        missing = [(part.version, part.whole)]
    else:
        _refuse_newer(part, version)
        missing = [step for step in part.steps if step[0] > version]
    for step, statements in missing:
        async with connection.transaction():
            await connection.execute(statements)
            await connection.execute(_RECORD, (part.name, step))


def _refuse_newer(part: _Part, version: str) -> None:
    if version > part.version:
        raise InboxError(f"the tables of {part.name} are of a newer version than this process")


async def _versions(connection: AsyncConnection[TupleRow]) -> dict[str, str]:
    cursor = await connection.execute("SELECT to_regclass('cyclesoft.versions') IS NOT NULL")
    if await cursor.fetchone() != (True,):
        return {}
    cursor = await connection.execute("SELECT part, version FROM cyclesoft.versions")
    return dict(await cursor.fetchall())
