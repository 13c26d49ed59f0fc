"""Reads an inbox in PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import inf
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
from cyclesoft_async.webhooks.inbox.reader import Action, Reader
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
_ENTITY: Final = "substr(lane, strpos(lane, '/') + 1)"
_SLICE: Final = "seq < %(before)s AND seq >= %(after)s"
_CONDITIONS: Final[Mapping[str, LiteralString]] = {
    "delivery_id": "delivery_id = %(delivery_id)s",
    "states": f"{_STATE} = ANY (%(states)s)",
    "event_name": "event_name = %(event_name)s",
    "account_id": "account_id = %(account_id)s",
    # The first one by index; of an entity with its account, the slash before it belongs to that.
    "entity": f"""
        {_ENTITY} IN (%(entity)s, substr(%(entity)s, strpos(%(entity)s, '/') + 1))
        AND lane IN (%(entity)s, account_id || '/' || %(entity)s)
    """,
    "since": "received_at >= %(since)s",
    "until": "received_at < %(until)s",
    "error": "position(lower(%(error)s) IN lower(error)) > 0",
    # An array, as the planner would join a slice's deliveries, one after the other, to their attempts.
    "handler": f"seq = ANY (ARRAY(SELECT seq FROM attempts WHERE handler = %(handler)s AND {_SLICE}))",  # noqa: S608
    "seqs": "seq = ANY (%(seqs)s)",
}
# Conditions by which the planner finds an index of few rows.
_WAITING: Final = "finished_at IS NULL"
_FAILED: Final = "(state IN ('dead', 'quarantined') OR error IS NOT NULL)"
_MOST_KEPT: Final = 2
_NO_SEQ: Final = 2**63 - 1
# A look must not take a processor from deliveries for long.
_SETTINGS: Final = {
    "search_path": "cyclesoft",
    "statement_timeout": "60s",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
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
# By an index each: the rows themselves, with their bodies, would be read from the disk.
_COUNTS: Final[LiteralString] = f"""
    SELECT {_STATE} AS state, event_name, count(*) FROM deliveries WHERE finished_at IS NULL GROUP BY 1, 2
    UNION ALL
    SELECT state, event_name, count(*) FROM deliveries WHERE finished_at IS NOT NULL GROUP BY 1, 2
    ORDER BY 1, 2
"""  # noqa: S608 - of constants
OLDEST_DUE: Final = """
    SELECT min(greatest(d.received_at, d.due_at)) FROM (
        SELECT lock AS lane FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
        UNION SELECT lane FROM lanes WHERE wanted OR owner IS NOT NULL
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
    given: list[LiteralString] = [
        condition for name, condition in _CONDITIONS.items() if getattr(selection, name) not in {None, ()}
    ]
    if selection.states and {"received", "running", "retrying"}.issuperset(selection.states):
        given.append(_WAITING)
    if selection.error is not None or (
        selection.states and {"dead", "quarantined"}.issuperset(selection.states)
    ):
        given.append(_FAILED)
    return " AND ".join(given) or "true"


def bound(selection: Selection, *, after: int = 0, before: int = _NO_SEQ) -> dict[str, object]:
    """Return what `matches` binds.

    Args:
        selection: The conditions.
        after: The lowest `seq` to look at.
        before: One that is above the highest.
    """
    given = structs.asdict(selection)
    lists = {"states": list(selection.states), "seqs": list(selection.seqs)}
    return {**given, **lists, "after": after, "before": before}


class PostgresReader(Reader):
    """Reads the inbox in a database, by a few connections that stay open between looks.

    Args:
        dsn: Address of the database.
    """

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self._idle: list[psycopg.Connection[TupleRow]] = []
        self._is_closed = False

    def close(self) -> None:
        """Disconnect."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def find(
        self,
        where: Selection,
        *,
        before: int | None = None,
        limit: int = 50,
        seconds: float = 0.025,
        with_bodies: bool = False,
    ) -> Found[Entry]:
        """Search deliveries; see `Reader.find`."""
        query: LiteralString = f"""
            SELECT seq, account_id, delivery_id AS id, event_name, lane AS entity, {_STATE} AS state,
                   attempts, replays, received_at, to_timestamp(event_timestamp) AS occurred_at, error,
                   CASE WHEN %(with_bodies)s THEN body ELSE '' END AS body
            FROM deliveries WHERE {_SLICE} AND {matches(where)} ORDER BY seq DESC LIMIT %(limit)s
        """  # noqa: S608 - of constants

        def read(before: int, after: int, limit: int) -> Sequence[Entry]:
            more = {"limit": limit if limit >= 0 else None, "with_bodies": with_bodies}
            cursor = connection.cursor(row_factory=class_row(Entry), binary=True)
            return cursor.execute(query, {**bound(where, after=after, before=before), **more}).fetchall()

        with self._reading() as connection:
            return search(
                read, lambda one: one.seq, _bounds(connection), before=before, limit=limit, seconds=seconds
            )

    def actionable(
        self, action: Action, where: Selection, *, limit: int = -1, seconds: float = inf
    ) -> Found[int]:
        """Search deliveries that can be replayed or dismissed; see `Reader.actionable`."""
        state = REPLAYABLE if action == "replay" else DISMISSIBLE
        query: LiteralString = f"""
            SELECT seq FROM deliveries WHERE {_SLICE} AND {state} AND {matches(where)}
            ORDER BY seq DESC LIMIT %(limit)s
        """  # noqa: S608 - of constants

        def read(before: int, after: int, limit: int) -> Sequence[int]:
            most = {"limit": limit if limit >= 0 else None}
            found = connection.execute(query, {**bound(where, after=after, before=before), **most})
            return [seq for (seq,) in found.fetchall()]

        with self._reading() as connection:
            return search(
                read, lambda seq: seq, _bounds(connection), before=None, limit=limit, seconds=seconds
            )

    def activity(self, since: datetime, width: float) -> Activity:
        """Return what happened in spans of time; see `Reader.activity`."""
        given = {"since": since, "width": width}
        with self._reading() as connection:
            return Activity(
                handled=dict(connection.execute(_HANDLED, given).fetchall()),
                failed=dict(connection.execute(_FAILED_ATTEMPTS, given).fetchall()),
            )

    def failed_attempts(self, seq: int) -> Sequence[FailedAttempt]:
        """Return the failed attempts at a delivery, oldest first."""
        with self._reading() as connection:
            return (
                connection.cursor(row_factory=class_row(FailedAttempt)).execute(_ATTEMPTS, (seq,)).fetchall()
            )

    def number(self, condition: LiteralString, selection: Selection, **more: object) -> int:
        """Return how many deliveries meet a condition, which binds `more`, and a selection."""
        query: LiteralString = f"SELECT count(*) FROM deliveries WHERE {condition} AND {matches(selection)}"  # noqa: S608
        with self._reading() as connection:
            [(found,)] = connection.execute(query, {**bound(selection), **more}).fetchall()
            return int(found)

    def stats(self) -> InboxStats:
        """Return figures about the deliveries in the database."""
        with self._reading() as connection:
            [(oldest,)] = connection.execute(OLDEST_DUE).fetchall()
            return InboxStats(
                counts=connection.cursor(row_factory=class_row(StateCount)).execute(_COUNTS).fetchall(),
                oldest_due_at=oldest,
                handlers=connection.cursor(row_factory=class_row(HandlerFailures))
                .execute(_HANDLERS)
                .fetchall(),
                receivers=[
                    msgspec.json.decode(figures, type=ReceiverFigures)
                    for (figures,) in connection.execute(_RECEIVERS).fetchall()
                ],
            )

    @contextmanager
    def _reading(self) -> Generator[psycopg.Connection[TupleRow]]:
        with translated(ERRORS):
            connection = self._kept() or psycopg.connect(
                self._dsn.conninfo("cyclesoft-inbox", **_SETTINGS), autocommit=True
            )
            try:
                yield connection
            except (UndefinedTable, InsufficientPrivilege):
                raise InboxError("there is no inbox in this database, or its role may not read it") from None
            finally:
                if len(self._idle) < _MOST_KEPT and not (connection.closed or self._is_closed):
                    self._idle.append(connection)
                else:
                    connection.close()

    def _kept(self) -> psycopg.Connection[TupleRow] | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            try:
                connection.execute("")
            except psycopg.OperationalError:  # the server was restarted, or a firewall dropped it
                connection.close()
            else:
                return connection


def _bounds(connection: psycopg.Connection[TupleRow]) -> tuple[int, int]:
    [(first, end)] = connection.execute(_BOUNDS).fetchall()
    return first, end
