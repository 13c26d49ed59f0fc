"""Reads an inbox in PostgreSQL by a connection of its own, which writes nothing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, LiteralString

import msgspec
import psycopg
from msgspec import structs
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import TupleRow, class_row

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import translated
from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox.entry import Entry, FailedAttempt
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.slices import Found, search
from cyclesoft_async.webhooks.inbox.stats import (
    Activity,
    HandlerFailures,
    InboxStats,
    ReceiverFigures,
    StateCount,
)

from .upgrades import ERRORS

# The column of a claimed delivery keeps the previous state until the attempt ends.
_STATE: Final = "CASE WHEN finished_at IS NULL AND claimed_by IS NOT NULL THEN 'running' ELSE state END"
_CONDITIONS: Final[Mapping[str, LiteralString]] = {
    "delivery_id": "delivery_id = %(delivery_id)s",
    "states": f"{_STATE} = ANY (%(states)s)",
    "event_name": "event_name = %(event_name)s",
    "account_id": "account_id = %(account_id)s",
    "entity": "lane IN (%(entity)s, account_id || '/' || %(entity)s)",
    "since": "received_at >= %(since)s",
    "until": "received_at < %(until)s",
    "error": "position(lower(%(error)s) IN lower(error)) > 0",
    "handler": "seq IN (SELECT seq FROM attempts WHERE handler = %(handler)s)",
    "seqs": "seq = ANY (%(seqs)s)",
}
# Conditions by which the planner finds an index of few rows.
_BY_INDEX: Final[Sequence[tuple[frozenset[str], LiteralString]]] = (
    (frozenset({"dead", "quarantined"}), "state IN ('dead', 'quarantined')"),
    (frozenset({"received", "running", "retrying"}), "finished_at IS NULL"),
)
_BOUNDS: Final = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) + 1 FROM deliveries"
REPLAYABLE: Final = "state IN ('done', 'dead') AND finished_at IS NOT NULL"
DISMISSIBLE: Final = "state IN ('dead', 'quarantined') AND finished_at IS NOT NULL"
_HANDLED: Final = """
    SELECT floor(extract(epoch FROM finished_at - %(since)s) / %(width)s)::integer, count(*) FROM deliveries
    WHERE state = 'done' AND finished_at >= %(since)s GROUP BY 1
"""
_FAILED_ATTEMPTS: Final = """
    SELECT floor(extract(epoch FROM failed_at - %(since)s) / %(width)s)::integer, count(*) FROM attempts
    WHERE failed_at >= %(since)s GROUP BY 1
"""
_ATTEMPTS: Final = """
    SELECT attempt, failed_at, handler, error, seconds FROM attempts WHERE seq = %s ORDER BY failed_at
"""
_COUNTS: Final[LiteralString] = f"""
    SELECT {_STATE} AS state, event_name, count(*) FROM deliveries GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - of constants
OLDEST_DUE: Final = """
    SELECT min(greatest(d.received_at, d.due_at)) FROM (
        SELECT lock AS lane FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
        UNION SELECT lane FROM lanes WHERE wanted
    ) l CROSS JOIN LATERAL (
        SELECT received_at, due_at, claimed_by FROM deliveries w
        WHERE w.lane = l.lane AND w.finished_at IS NULL ORDER BY w.seq LIMIT 1
    ) d
    WHERE d.claimed_by IS NULL AND (d.due_at IS NULL OR d.due_at <= now())
"""
"""Since when the oldest delivery waits that may run and that no process has claimed."""
_HANDLERS: Final = """
    SELECT handler, count(*) AS failures, avg(seconds) AS mean_seconds, max(seconds) AS worst_seconds,
           max(failed_at) AS last_failed_at
    FROM attempts GROUP BY handler ORDER BY count(*) DESC, handler
"""
_RECEIVERS: Final = """
    SELECT figures::text FROM receivers
    WHERE reported_at > now() - interval '1 minute' AND figures IS NOT NULL ORDER BY id
"""


def matches(selection: Selection) -> LiteralString:
    """Return the conditions of a selection. They bind its fields by their names."""
    given: Sequence[LiteralString] = [
        *(condition for name, condition in _CONDITIONS.items() if getattr(selection, name)),
        *(hint for states, hint in _BY_INDEX if selection.states and states.issuperset(selection.states)),
    ]
    return " AND ".join(given) or "true"


def bound(selection: Selection) -> dict[str, object]:
    """Return what `matches` binds."""
    return {**structs.asdict(selection), "states": list(selection.states), "seqs": list(selection.seqs)}


def entries(
    url: str, selection: Selection, before: int | None, limit: int, *, seconds: float, with_bodies: bool
) -> Found[Entry]:
    """Return the selected deliveries, newest first.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database.
        InboxError: The database cannot be reached or read, or there is no inbox in it.
    """
    query: LiteralString = f"""
        SELECT seq, account_id, delivery_id AS id, event_name, lane AS entity, {_STATE} AS state, attempts,
               replays, received_at, to_timestamp(event_timestamp) AS occurred_at, error,
               CASE WHEN %(with_bodies)s THEN body ELSE '' END AS body
        FROM deliveries WHERE seq < %(before)s AND seq >= %(after)s AND {matches(selection)}
        ORDER BY seq DESC LIMIT %(limit)s
    """  # noqa: S608 - of constants

    def read(before: int, after: int, limit: int) -> Sequence[Entry]:
        slice_ = {"before": before, "after": after, "limit": limit if limit >= 0 else None}
        cursor = connection.cursor(row_factory=class_row(Entry), binary=True)
        return cursor.execute(query, {**bound(selection), **slice_, "with_bodies": with_bodies}).fetchall()

    with _reading(Dsn(url)) as connection:
        bounds: tuple[int, int] = connection.execute(_BOUNDS).fetchall()[0]
        return search(read, lambda one: one.seq, bounds, before=before, limit=limit, seconds=seconds)


def seqs(url: str, condition: LiteralString, selection: Selection, limit: int, seconds: float) -> Found[int]:
    """Return the `seq` of deliveries that meet a condition of this module and a selection, newest first.

    Raises:
        UsageError: See `entries`.
        InboxError: See `entries`.
    """
    query: LiteralString = f"""
        SELECT seq FROM deliveries
        WHERE seq < %(before)s AND seq >= %(after)s AND {condition} AND {matches(selection)}
        ORDER BY seq DESC LIMIT %(limit)s
    """  # noqa: S608 - of constants

    def read(before: int, after: int, limit: int) -> Sequence[int]:
        slice_ = {"before": before, "after": after, "limit": limit if limit >= 0 else None}
        return [seq for (seq,) in connection.execute(query, {**bound(selection), **slice_}).fetchall()]

    with _reading(Dsn(url)) as connection:
        bounds: tuple[int, int] = connection.execute(_BOUNDS).fetchall()[0]
        return search(read, lambda seq: seq, bounds, before=None, limit=limit, seconds=seconds)


def activity(url: str, since: datetime, width: float) -> Activity:
    """Return how many deliveries were handled, and attempts failed, in spans of `width` seconds.

    Raises:
        UsageError: See `entries`.
        InboxError: See `entries`.
    """
    given = {"since": since, "width": width}
    with _reading(Dsn(url)) as connection:
        return Activity(
            handled=dict(connection.execute(_HANDLED, given).fetchall()),
            failed=dict(connection.execute(_FAILED_ATTEMPTS, given).fetchall()),
        )


def failed_attempts(url: str, seq: int) -> Sequence[FailedAttempt]:
    """Return the failed attempts at a delivery, oldest first.

    Raises:
        UsageError: The URL is not that of a PostgreSQL database.
        InboxError: The database cannot be reached or read, or there is no inbox in it.
    """
    with _reading(Dsn(url)) as connection:
        return connection.cursor(row_factory=class_row(FailedAttempt)).execute(_ATTEMPTS, (seq,)).fetchall()


def number(dsn: Dsn, condition: LiteralString, selection: Selection, **more: object) -> int:
    """Return how many deliveries meet a condition, which binds `more`, and a selection.

    Raises:
        InboxError: See `entries`.
    """
    query: LiteralString = f"SELECT count(*) FROM deliveries WHERE {condition} AND {matches(selection)}"  # noqa: S608
    with _reading(dsn) as connection:
        [(found,)] = connection.execute(query, {**bound(selection), **more}).fetchall()
        return int(found)


def stats(dsn: Dsn) -> InboxStats:
    """Return figures about the deliveries in the database.

    Raises:
        InboxError: See `entries`.
    """
    with _reading(dsn) as connection:
        [(oldest,)] = connection.execute(OLDEST_DUE).fetchall()
        return InboxStats(
            counts=connection.cursor(row_factory=class_row(StateCount)).execute(_COUNTS).fetchall(),
            oldest_due_at=oldest,
            handlers=connection.cursor(row_factory=class_row(HandlerFailures)).execute(_HANDLERS).fetchall(),
            receivers=[
                msgspec.json.decode(figures, type=ReceiverFigures)
                for (figures,) in connection.execute(_RECEIVERS).fetchall()
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
