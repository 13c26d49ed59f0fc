"""The inbox's tables, beside those of Procrastinate: created, upgraded, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclesoft_async._postgres.connection import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async._postgres.job_queue import jobs_part
from cyclesoft_async._postgres.migrations import Part
from cyclesoft_async._postgres.migrations import migrate as migrate_parts
from cyclesoft_async._postgres.migrations import prepare as prepare_parts
from cyclesoft_async.errors import InboxError, InboxUnavailableError

ERRORS: Final = ErrorTypes(refused=InboxError, unavailable=InboxUnavailableError)

_TO_0002: Final = b"""
    ALTER TABLE deliveries ADD COLUMN claimed_by bigint, ADD COLUMN cut_off boolean NOT NULL DEFAULT false;
"""


def _parts() -> Sequence[Part]:
    tables = Path(__file__).with_name("tables.sql").read_bytes()
    functions = Path(__file__).with_name("functions.sql").read_bytes()
    return (jobs_part(), Part("inbox", "0002", tables + functions, [("0002", _TO_0002 + functions)]))


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
