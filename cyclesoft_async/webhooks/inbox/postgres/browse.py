"""Looks into an inbox in PostgreSQL without writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import translated
from cyclesoft_async.errors import InboxError

from .migrations import ERRORS

_LIST: Final = """
    SELECT account_id, delivery_id, event_name, lane, state, attempts, replays, received_at,
           event_timestamp, error, body
    FROM cyclesoft.deliveries
    WHERE (%s::text IS NULL OR delivery_id = %s) AND (%s::text IS NULL OR state = %s)
    ORDER BY seq DESC LIMIT %s
"""


def rows(url: str, delivery_id: str | None, state: str | None, limit: int) -> Sequence[TupleRow]:
    """The newest deliveries, the newest first.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: It can't be reached or read, or there is no inbox in it.
    """
    conninfo = Dsn(url).conninfo("cyclesoft-inbox")
    with translated(ERRORS), psycopg.connect(conninfo, autocommit=True) as connection:
        most = limit if limit >= 0 else None
        try:
            cursor = connection.execute(_LIST, (delivery_id, delivery_id, state, state, most), binary=True)
        except (UndefinedTable, InsufficientPrivilege):
            raise InboxError("there is no inbox in this database, or its role may not read it") from None
        return cursor.fetchall()
