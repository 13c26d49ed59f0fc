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

# An index that was interrupted while it was built is there, but invalid.
_INDEXES: Final = (
    b"DROP INDEX IF EXISTS deliveries_waiting",
    b"CREATE INDEX CONCURRENTLY deliveries_waiting ON deliveries (lane, seq) WHERE finished_at IS NULL",
    b"DROP INDEX IF EXISTS lanes_changed",
    b"CREATE INDEX CONCURRENTLY lanes_changed ON lanes (changed_at)",
)
# Processes of version 0002 store deliveries, with jobs that are handled as jobs of their lane, and end the
# attempts that they had begun. They claim nothing more.
_RETIRE_0002: Final = b"""
    CREATE OR REPLACE FUNCTION take(_worker bigint, _most integer)
    RETURNS TABLE (job bigint, seq bigint, lane text) LANGUAGE sql AS $$
        SELECT NULL::bigint, NULL::bigint, NULL::text WHERE false;
    $$;
"""


async def _build_indexes(connection: AsyncConnection[TupleRow]) -> None:
    """Build the large indexes while processes of version 0002 write."""
    for statement in _INDEXES:
        await connection.execute(statement)


def _parts() -> Sequence[Part]:
    schema = Path(__file__).with_name("schema.sql").read_bytes()
    steps: list[tuple[str, Step]] = [("0002-indexes", _build_indexes), ("0004", schema + _RETIRE_0002)]
    return (jobs_part(), Part("inbox", "0004", schema, steps))


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
