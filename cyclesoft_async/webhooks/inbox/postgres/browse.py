"""Reads an inbox in PostgreSQL without writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

import psycopg
from msgspec import structs
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import translated
from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox.selection import Selection

from .migrations import ERRORS

_MATCHES: Final = """
    (%(delivery_id)s::text IS NULL OR delivery_id = %(delivery_id)s)
    AND (%(states)s::text[] IS NULL OR state = ANY (%(states)s))
    AND (%(event_name)s::text IS NULL OR event_name = %(event_name)s)
    AND (%(account_id)s::bigint IS NULL OR account_id = %(account_id)s)
    AND (%(entity)s::text IS NULL OR lane IN (%(entity)s, account_id || '/' || %(entity)s))
    AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
    AND (%(error)s::text IS NULL OR position(lower(%(error)s) IN lower(error)) > 0)
"""
_LIST: Final[LiteralString] = f"""
    SELECT seq, account_id, delivery_id, event_name, lane, state, attempts, replays, received_at,
           event_timestamp, error, body
    FROM cyclesoft.deliveries
    WHERE (%(before)s::bigint IS NULL OR seq < %(before)s) AND {_MATCHES}
    ORDER BY seq DESC LIMIT %(limit)s
"""  # noqa: S608 - of constants
_ATTEMPTS: Final = """
    SELECT attempt, failed_at, handler, error, seconds FROM cyclesoft.attempts WHERE seq = %s
    ORDER BY failed_at
"""


def rows(url: str, selection: Selection, before: int | None, limit: int) -> Sequence[TupleRow]:
    """Return the selected deliveries, newest first.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: It cannot be reached or read, or there is no inbox in it.
    """
    return _read(
        url,
        _LIST,
        {
            **structs.asdict(selection),
            "states": list(selection.states) or None,
            "before": before,
            "limit": limit if limit >= 0 else None,
        },
    )


def attempts(url: str, seq: int) -> Sequence[TupleRow]:
    """Return the failed attempts at a delivery, oldest first.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: It cannot be reached or read, or there is no inbox in it.
    """
    return _read(url, _ATTEMPTS, (seq,))


def _read(url: str, query: LiteralString, bound: Mapping[str, object] | Sequence[object]) -> list[TupleRow]:
    conninfo = Dsn(url).conninfo("cyclesoft-inbox")
    with translated(ERRORS), psycopg.connect(conninfo, autocommit=True) as connection:
        try:
            return connection.execute(query, bound, binary=True).fetchall()
        except (UndefinedTable, InsufficientPrivilege):
            raise InboxError("there is no inbox in this database, or its role may not read it") from None
