"""The inbox's tables, beside those of Procrastinate: created, upgraded, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async._postgres.job_queue import jobs_part
from cyclesoft_async._postgres.migrations import Part, Step
from cyclesoft_async._postgres.migrations import migrate as migrate_parts
from cyclesoft_async._postgres.migrations import prepare as prepare_parts
from cyclesoft_async.errors import InboxError, InboxUnavailableError

ERRORS: Final = ErrorTypes(refused=InboxError, unavailable=InboxUnavailableError)

# See functions.sql, queue_lanes.
_DEFER: Final = """
    SELECT to_regprocedure('cyclesoft.procrastinate_defer_jobs_v1(cyclesoft.procrastinate_job_to_defer_v1[])')
        IS NOT NULL
"""
_FOLDER: Final = Path(__file__).parent
_TO_0002: Final = b"""
    ALTER TABLE deliveries ADD COLUMN claimed_by bigint, ADD COLUMN cut_off boolean NOT NULL DEFAULT false;
"""
# An index that was interrupted while it was built is there, but invalid.
_INDEXES: Final = (
    b"DROP INDEX IF EXISTS deliveries_waiting",
    b"CREATE INDEX CONCURRENTLY deliveries_waiting ON deliveries (lane, seq) WHERE finished_at IS NULL",
    b"DROP INDEX IF EXISTS lanes_changed",
    b"CREATE INDEX CONCURRENTLY lanes_changed ON lanes (changed_at)",
)


async def _build_indexes(connection: AsyncConnection[TupleRow]) -> None:
    """Build what version 0003 reads by, while processes of version 0002 write."""
    for statement in _INDEXES:
        await connection.execute(statement)


def _parts() -> Sequence[Part]:
    tables, functions, upgrade = (
        (_FOLDER / name).read_bytes() for name in ("tables.sql", "functions.sql", "upgrade_0003.sql")
    )
    steps: list[tuple[str, Step]] = [
        ("0002", _TO_0002),
        ("0002-indexes", _build_indexes),
        ("0003", upgrade + functions),
    ]
    return (jobs_part(), Part("inbox", "0003", tables + functions, steps))


async def ensure_tables(dsn: Dsn) -> None:
    """Check the versions of the tables; create what an empty database lacks.

    Raises:
        InboxUnavailableError: The database cannot be reached.
        InboxError: The tables are of another version or belong to another role, or this role may not create
            them.
    """
    with translated(ERRORS):
        async with await connect(dsn.conninfo("cyclesoft-inbox")) as connection:
            await prepare_parts(connection, _parts(), ERRORS)
            if await (await connection.execute(_DEFER)).fetchone() != (True,):
                raise InboxError("this version of procrastinate lacks procrastinate_defer_jobs_v1")


async def migrate(url: str) -> None:
    """Create and upgrade the inbox's tables; do nothing when they are of this version.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database.
        InboxUnavailableError: The database cannot be reached, or another session keeps the tables locked.
        InboxError: The tables are of a newer version or belong to another role, or this role may not create
            them.
    """
    dsn = Dsn(url)
    with translated(ERRORS):
        async with await connect(dsn.conninfo("cyclesoft-migrate")) as connection:
            await migrate_parts(connection, _parts(), ERRORS)
