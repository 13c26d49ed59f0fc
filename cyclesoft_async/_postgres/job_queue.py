"""Procrastinate's tables in the schema `cyclesoft`, which inbox and workers share."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from procrastinate.schema import SchemaManager

from .connect import connect
from .dsn import Dsn
from .errors import ErrorTypes, translated
from .migrations import Part, prepare

__all__ = ["ensure_tables", "jobs_part"]


@cache
def jobs_part() -> Part:
    """Return Procrastinate's own schema and migrations, as files of the installed version have them."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    steps = [(file.name, _ascii(file.read_text(encoding="utf-8"))) for file in files]
    return Part("procrastinate", files[-1].name, _ascii(SchemaManager.get_schema()), steps)


def _ascii(statements: str) -> bytes:
    """Return statements for a database of any encoding: only their comments have other characters."""
    return statements.encode("ascii", "replace")


async def ensure_tables(dsn: Dsn, errors: ErrorTypes) -> None:
    """Check the version of the job tables; create them in an empty database.

    Raises:
        Exception: See `prepare`.
    """
    with translated(errors):
        async with await connect(dsn.conninfo("cyclesoft-migrate")) as connection:
            await prepare(connection, [jobs_part()], errors)
