"""Tables of the schema `cyclesoft`: created, upgraded, and checked.

The schema belongs to this library: an application that uses Procrastinate itself in the same database is not
affected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, LiteralString, NamedTuple, TypeAlias

from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from psycopg.rows import TupleRow

from cyclesoft_async._exponential_backoff import exponential_backoff

from .errors import ErrorTypes

__all__ = ["FOREIGN_OWNERS", "LOCK", "LOCK_TIMEOUT", "SCHEMA", "Part", "Step", "migrate", "prepare"]

SCHEMA: Final = "cyclesoft"
LOCK: Final = 7_203_115_884_001_337
"""Advisory lock of everything that creates or upgrades tables; an arbitrary number."""
LOCK_TIMEOUT: Final = "1s"
"""For statements that lock a table. Until they get the lock, later statements of others queue behind them."""

_LOCK_ATTEMPTS: Final = 120
_LONGEST_PAUSE: Final = 5.0

FOREIGN_OWNERS: Final = """
    WITH RECURSIVE own (role) AS (
        SELECT oid FROM pg_roles WHERE rolname = current_user
        UNION
        SELECT roleid FROM pg_auth_members JOIN own ON member = role
    ), database (owner) AS (
        SELECT datdba FROM pg_database WHERE datname = current_database()
    ), found (owner) AS (
        SELECT nspowner FROM pg_namespace WHERE nspname = %(schema)s AND %(tables)s::text[] IS NULL
        UNION
        SELECT relowner FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = %(schema)s AND (%(tables)s::text[] IS NULL OR relname = ANY (%(tables)s))
        UNION
        SELECT proowner FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname = %(schema)s AND %(tables)s::text[] IS NULL
    )
    SELECT rolname::text FROM found JOIN pg_roles ON oid = found.owner
    WHERE oid NOT IN (SELECT role FROM own)
    AND NOT (rolname = 'pg_database_owner' AND (SELECT owner FROM database) IN (SELECT role FROM own))
    AND NOT (%(use_only)s AND (rolsuper OR oid = (SELECT owner FROM database)))
"""
"""Roles that own the schema or something in it, but are neither this role nor one that it belongs to.

Such a role could run code as this one, by triggers and functions. Parameters: `schema`; `tables`, names to
check alone, or None for the schema and all in it; `use_only`, true when nothing is created, which trusts
superusers and the database's owner, too.
"""

_RECORD: Final = """
    INSERT INTO versions (part, version) VALUES (%s, %s)
    ON CONFLICT (part) DO UPDATE SET version = excluded.version
"""

Step: TypeAlias = bytes | Callable[[AsyncConnection[TupleRow]], Awaitable[None]]
"""SQL for one transaction, or a function that works in slices and may be repeated after an interruption."""


class Part(NamedTuple):
    """Tables with a version of their own. Versions are texts that sort in their order."""

    name: str
    version: str
    create: bytes
    """SQL that creates them at this version."""
    steps: Sequence[tuple[str, Step]] = ()
    """Each upgrades them from the version before to its own."""


async def prepare(connection: AsyncConnection[TupleRow], parts: Sequence[Part], errors: ErrorTypes) -> None:
    """Check owners and versions; create the tables that an empty database lacks.

    Several processes may call this at the same time.

    Args:
        connection: In autocommit mode.
        parts: In the order in which they are created.
        errors: What to raise.

    Raises:
        Exception: `errors.refused`: the tables are of another version or belong to another role, or this role
            may not create them. `errors.unavailable`: another session keeps them locked.
    """
    found = await _versions(connection)
    if not {part.name for part in parts} <= found.keys():
        await migrate(connection, parts, errors)
        found = await _versions(connection)
    await _refuse_foreign_owners(connection, errors, use_only=True)
    for part in parts:
        _refuse_newer(part, found[part.name], errors)
        if found[part.name] < part.version:
            raise errors.refused(
                f"the tables of {part.name} are of an older version; run: cyclesoft migrate --database URL"
            )


async def migrate(connection: AsyncConnection[TupleRow], parts: Sequence[Part], errors: ErrorTypes) -> None:
    """Create and upgrade tables; do nothing when they are of this version.

    A table that another session reads for long, as pg_dump does, is waited for in short attempts: receivers
    and workers can use it in between.

    Args:
        connection: In autocommit mode.
        parts: In the order in which they are created.
        errors: What to raise.

    Raises:
        Exception: See `prepare`.
    """
    await connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    try:
        await _refuse_foreign_owners(connection, errors, use_only=False)
        if SCHEMA not in await _schemas(connection):
            await connection.execute("CREATE SCHEMA cyclesoft")
        await connection.execute("SET search_path = cyclesoft")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS versions (part text PRIMARY KEY, version text NOT NULL)"
        )
        found = await _versions(connection)
        for part in parts:
            await _upgrade(connection, part, found.get(part.name), errors)
    except InsufficientPrivilege:
        failure = errors.refused(
            "this role may not create tables; as one that may, run: cyclesoft migrate --database URL"
        )
    else:
        return
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    raise failure


async def _upgrade(
    connection: AsyncConnection[TupleRow], part: Part, version: str | None, errors: ErrorTypes
) -> None:
    if version is None:
        missing: Sequence[tuple[str, Step]] = [(part.version, part.create)]
    else:
        _refuse_newer(part, version, errors)
        missing = [step for step in part.steps if step[0] > version]
    for reached, step in missing:
        if isinstance(step, bytes):
            await _run(connection, part, reached, step, errors)
        else:
            await step(connection)
            await connection.execute(_RECORD, (part.name, reached))


async def _run(
    connection: AsyncConnection[TupleRow], part: Part, reached: str, statements: bytes, errors: ErrorTypes
) -> None:
    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
                await connection.execute(statements)
                await connection.execute(_RECORD, (part.name, reached))
        except LockNotAvailable:
            await asyncio.sleep(exponential_backoff(attempt, first=0.2, longest=_LONGEST_PAUSE))
        else:
            return
    raise errors.unavailable(
        f"another session keeps the tables of {part.name} locked; migrate again when it has ended"
    )


def _refuse_newer(part: Part, version: str, errors: ErrorTypes) -> None:
    if version > part.version:
        raise errors.refused(
            f"the tables of {part.name} have version {version}, newer than this library's {part.version};"
            " upgrade the library"
        )


async def _refuse_foreign_owners(
    connection: AsyncConnection[TupleRow], errors: ErrorTypes, *, use_only: bool
) -> None:
    asked = {"schema": SCHEMA, "tables": None, "use_only": use_only}
    owners = await (await connection.execute(FOREIGN_OWNERS, asked)).fetchall()
    if owners:
        names = ", ".join(sorted(name for (name,) in owners))
        raise errors.refused(
            f"schema {SCHEMA} or something in it belongs to {names}, a role that this one does not belong to;"
            " connect as the owner, or drop what it made"
        )


async def _schemas(connection: AsyncConnection[TupleRow]) -> list[str]:
    return await _column(connection, "SELECT nspname::text FROM pg_namespace")


async def _column(connection: AsyncConnection[TupleRow], query: LiteralString) -> list[str]:
    return [value for (value,) in await (await connection.execute(query)).fetchall()]


async def _versions(connection: AsyncConnection[TupleRow]) -> dict[str, str]:
    tables = await _column(connection, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'cyclesoft'")
    if "versions" not in tables:
        return {}
    cursor = await connection.execute("SELECT part, version FROM cyclesoft.versions")
    return dict(await cursor.fetchall())
