"""Reads an inbox in PostgreSQL by a connection of its own, which writes nothing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Final, LiteralString

import psycopg
from msgspec import structs
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import translated
from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.stats import HandlerFailures, InboxStats, StateCount

from .upgrades import ERRORS

# The column of a claimed delivery keeps the previous state until the attempt ends.
_STATE: Final = "CASE WHEN finished_at IS NULL AND claimed_by IS NOT NULL THEN 'running' ELSE state END"
MATCHES: Final[LiteralString] = f"""
    (%(delivery_id)s::text IS NULL OR delivery_id = %(delivery_id)s)
    AND (%(states)s::text[] IS NULL OR {_STATE} = ANY (%(states)s))
    AND (%(event_name)s::text IS NULL OR event_name = %(event_name)s)
    AND (%(account_id)s::bigint IS NULL OR account_id = %(account_id)s)
    AND (%(entity)s::text IS NULL OR lane IN (%(entity)s, account_id || '/' || %(entity)s))
    AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
    AND (%(error)s::text IS NULL OR position(lower(%(error)s) IN lower(error)) > 0)
"""
"""Conditions of a `Selection`, with the names that `parameters` binds."""
REPLAYABLE: Final = "state IN ('done', 'dead')"
PURGEABLE: Final = """
    (state = 'done' AND finished_at < now() - %(keep_done)s::interval
    OR state IN ('dead', 'quarantined') AND finished_at < now() - %(keep_dead)s::interval)
"""
# A condition that few rows meet must not read the whole table in one statement.
_SLICE: Final = 50_000
_LIST: Final[LiteralString] = f"""
    SELECT seq, account_id, delivery_id, event_name, lane, {_STATE}, attempts, replays, received_at,
           event_timestamp, error, body
    FROM deliveries WHERE seq < %(before)s AND seq >= %(from)s AND {MATCHES}
    ORDER BY seq DESC LIMIT %(limit)s
"""  # noqa: S608 - of constants
_BOUNDS: Final = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) + 1 FROM deliveries"
_ATTEMPTS: Final = """
    SELECT attempt, failed_at, handler, error, seconds FROM attempts WHERE seq = %s ORDER BY failed_at
"""
_COUNTS: Final[LiteralString] = f"""
    SELECT {_STATE} AS shown, event_name, count(*) FROM deliveries GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - of constants
OLDEST_DUE: Final = """
    SELECT min(greatest(d.received_at, d.due_at))
    FROM (SELECT DISTINCT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) j
    CROSS JOIN LATERAL (
        SELECT received_at, due_at, claimed_by FROM deliveries w
        WHERE w.lane = j.lock AND w.finished_at IS NULL ORDER BY w.seq LIMIT 1
    ) d
    WHERE d.claimed_by IS NULL AND (d.due_at IS NULL OR d.due_at <= now())
"""
"""Since when the oldest delivery waits that may run and that no process has claimed."""
_HANDLERS: Final = """
    SELECT handler, count(*), avg(seconds), max(seconds), max(failed_at) FROM attempts
    GROUP BY handler ORDER BY count(*) DESC, handler
"""


def parameters(selection: Selection) -> dict[str, object]:
    """Return what `MATCHES` binds."""
    return {**structs.asdict(selection), "states": list(selection.states) or None}


def rows(url: str, selection: Selection, before: int | None, limit: int) -> Sequence[TupleRow]:
    """Return the selected deliveries, newest first.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database.
        InboxError: The database cannot be reached or read, or there is no inbox in it.
    """
    found: list[TupleRow] = []
    with _reading(Dsn(url)) as connection:
        [(first, end)] = connection.execute(_BOUNDS).fetchall()
        for upper in range(end if before is None else min(before, end), first, -_SLICE):
            left = None if limit < 0 else limit - len(found)
            bound = {"before": upper, "from": upper - _SLICE, "limit": left, **parameters(selection)}
            found += connection.execute(_LIST, bound, binary=True).fetchall()
            if len(found) == limit:
                break
    return found


def attempts(url: str, seq: int) -> Sequence[TupleRow]:
    """Return the failed attempts at a delivery, oldest first.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database.
        InboxError: The database cannot be reached or read, or there is no inbox in it.
    """
    with _reading(Dsn(url)) as connection:
        return connection.execute(_ATTEMPTS, (seq,), binary=True).fetchall()


def number(dsn: Dsn, condition: LiteralString, bound: Mapping[str, object]) -> int:
    """Return how many deliveries meet a condition of this module and a selection.

    Raises:
        InboxError: See `rows`.
    """
    query: LiteralString = f"SELECT count(*) FROM deliveries WHERE {condition} AND {MATCHES}"  # noqa: S608 - of constants
    with _reading(dsn) as connection:
        [(found,)] = connection.execute(query, bound).fetchall()
        return int(found)


def stats(dsn: Dsn) -> InboxStats:
    """Return figures about the deliveries in the database.

    Raises:
        InboxError: See `rows`.
    """
    with _reading(dsn) as connection:
        counts = connection.execute(_COUNTS).fetchall()
        [(oldest,)] = connection.execute(OLDEST_DUE).fetchall()
        handlers = connection.execute(_HANDLERS).fetchall()
    return InboxStats(
        counts=[StateCount(state=state, event_name=name, count=count) for state, name, count in counts],
        oldest_due_at=oldest and oldest.astimezone(UTC),
        handlers=[
            HandlerFailures(
                handler=handler,
                failures=failures,
                mean_seconds=mean,
                worst_seconds=worst,
                last_failed_at=last.astimezone(UTC),
            )
            for handler, failures, mean, worst, last in handlers
        ],
    )


@contextmanager
def _reading(dsn: Dsn) -> Generator[psycopg.Connection[TupleRow]]:
    conninfo = dsn.conninfo("cyclesoft-inbox", search_path="cyclesoft", statement_timeout="60s")
    with translated(ERRORS), psycopg.connect(conninfo, autocommit=True) as connection:
        try:
            yield connection
        except (UndefinedTable, InsufficientPrivilege):
            raise InboxError("there is no inbox in this database, or its role may not read it") from None
