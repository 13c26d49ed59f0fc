"""The inbox's tables, beside those of Procrastinate: created, upgraded, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async._postgres.job_queue import jobs_part
from cyclesoft_async._postgres.migrations import Part, Step
from cyclesoft_async._postgres.migrations import migrate as migrate_parts
from cyclesoft_async._postgres.migrations import prepare as prepare_parts
from cyclesoft_async.errors import InboxError, InboxUnavailableError

ERRORS: Final = ErrorTypes(refused=InboxError, unavailable=InboxUnavailableError)

# Names of indexes, and what they index. One that was interrupted while it was built is there, but invalid.
_FOR_0002: Final[Mapping[str, LiteralString]] = {
    "deliveries_waiting": "deliveries (lane, seq) WHERE finished_at IS NULL",
    "lanes_changed": "lanes (changed_at)",
}
_FOR_0005: Final[Mapping[str, LiteralString]] = {
    "deliveries_ended": "deliveries (finished_at) INCLUDE (state, event_name) WHERE finished_at IS NOT NULL",
    "deliveries_failed": "deliveries (seq) WHERE state IN ('dead', 'quarantined') OR error IS NOT NULL",
    "deliveries_entity": "deliveries (substr(lane, strpos(lane, '/') + 1), seq)",
}
# Processes of version 0002 store deliveries, with jobs that are handled as jobs of their lane, and end the
# attempts that they had begun. They claim nothing more.
_RETIRE_0002: Final = b"""
    CREATE OR REPLACE FUNCTION take(_worker bigint, _most integer)
    RETURNS TABLE (job bigint, seq bigint, lane text) LANGUAGE sql AS $$
        SELECT NULL::bigint, NULL::bigint, NULL::text WHERE false;
    $$;
"""
_RETIRE_0004: Final = b"DROP INDEX IF EXISTS deliveries_finished, deliveries_dead;"


async def _build(indexes: Mapping[str, LiteralString], connection: AsyncConnection[TupleRow]) -> None:
    """Build large indexes while processes of the version before write."""
    for name, indexed in indexes.items():
        index = Identifier(name)
        await connection.execute(SQL("DROP INDEX IF EXISTS {}").format(index))
        await connection.execute(SQL("CREATE INDEX CONCURRENTLY {} ON ").format(index) + SQL(indexed))


def _parts() -> Sequence[Part]:
    schema = Path(__file__).with_name("schema.sql").read_bytes()
    steps: list[tuple[str, Step]] = [
        ("0002-indexes", partial(_build, _FOR_0002)),
        ("0004-indexes", partial(_build, _FOR_0005)),
        ("0005", schema + _RETIRE_0002 + _RETIRE_0004),
    ]
    return (jobs_part(), Part("inbox", "0005", schema, steps))


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
