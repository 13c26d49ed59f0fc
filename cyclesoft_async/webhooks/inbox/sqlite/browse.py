"""Reads a SQLite inbox by a connection of its own, which writes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Final

import msgspec

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox.entry import Entry, FailedAttempt
from cyclesoft_async.webhooks.inbox.selection import Selection
from cyclesoft_async.webhooks.inbox.stats import HandlerFailures, InboxStats, ReceiverFigures, StateCount

from .upgrades import SCHEMA_VERSION

# Conditions of a `Selection`, with the names that `parameters` binds.
MATCHES: Final = """
    (:delivery_id IS NULL OR delivery_id = :delivery_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:event_name IS NULL OR event_name = :event_name)
    AND (:account_id IS NULL OR account_id = :account_id)
    AND (:entity IS NULL OR ordering_key IN (:entity, account_id || '/' || :entity))
    AND (:since IS NULL OR received_at >= :since) AND (:until IS NULL OR received_at < :until)
    AND (:error IS NULL OR instr(lower(error), lower(:error)))
"""
REPLAYABLE: Final = "state IN ('done', 'dead')"
PURGEABLE: Final = """
    ((state = 'done' AND changed_at < :done_before)
    OR (state IN ('dead', 'quarantined') AND changed_at < :dead_before))
"""
_LIST: Final = f"""
    SELECT d.seq, d.account_id, d.delivery_id, d.event_name, d.ordering_key, d.state, d.attempts, d.replays,
           d.received_at, d.event_timestamp, d.error, b.body
    FROM deliveries d JOIN bodies b ON b.seq = d.seq
    WHERE (:before IS NULL OR d.seq < :before) AND {MATCHES}
    ORDER BY d.seq DESC LIMIT :limit
"""  # noqa: S608 - of constants
_ATTEMPTS: Final = """
    SELECT attempt, failed_at, handler, error, seconds FROM failed_attempts WHERE seq = ? ORDER BY id
"""
_COUNTS: Final = """
    SELECT state, event_name, count(*) FROM deliveries GROUP BY state, event_name ORDER BY state, event_name
"""
# What waits behind a delivery that is in backoff is not due.
_OLDEST_DUE: Final = """
    SELECT min(max(received_at, due_at)) FROM deliveries
    WHERE state IN ('received', 'retrying') AND due_at <= :now AND ordering_key NOT IN (
        SELECT ordering_key FROM deliveries WHERE state = 'retrying' AND due_at > :now
    )
"""
_HANDLERS: Final = """
    SELECT handler, count(*), avg(seconds), max(seconds), max(failed_at) FROM failed_attempts
    GROUP BY handler ORDER BY count(*) DESC, handler
"""
_RECEIVERS: Final = "SELECT figures FROM health WHERE figures IS NOT NULL AND checked_at > ?"
_REPORTED_SECONDS: Final = 60.0


def parameters(selection: Selection) -> dict[str, object]:
    """Return what `MATCHES` binds."""
    return {
        "delivery_id": selection.delivery_id,
        "states": msgspec.json.encode(selection.states).decode() if selection.states else None,
        "event_name": selection.event_name,
        "account_id": selection.account_id,
        "entity": selection.entity,
        "since": selection.since and selection.since.timestamp(),
        "until": selection.until and selection.until.timestamp(),
        "error": selection.error,
    }


def entries(path: Path, selection: Selection, before: int | None, limit: int) -> Sequence[Entry]:
    """Return the selected deliveries, newest first.

    Raises:
        InboxError: There is no inbox, or it cannot be read.
    """
    with _reading(path) as connection:
        found = connection.execute(_LIST, {**parameters(selection), "before": before, "limit": limit})
        return [
            Entry(
                seq=seq,
                account_id=account_id,
                id=id_,
                event_name=event_name,
                entity=entity,
                state=state,
                attempts=attempts,
                replays=replays,
                received_at=_moment(received_at),
                occurred_at=None if event_timestamp is None else _moment(event_timestamp),
                error=error,
                body=body,
            )
            for (
                seq, account_id, id_, event_name, entity, state, attempts, replays, received_at,
                event_timestamp, error, body,
            ) in found
        ]  # fmt: skip


def failed_attempts(path: Path, seq: int) -> Sequence[FailedAttempt]:
    """Return the failed attempts at a delivery, oldest first.

    Raises:
        InboxError: There is no inbox, or it cannot be read.
    """
    with _reading(path) as connection:
        return [
            FailedAttempt(
                attempt=attempt, failed_at=_moment(failed_at), handler=handler, error=error, seconds=seconds
            )
            for attempt, failed_at, handler, error, seconds in connection.execute(_ATTEMPTS, (seq,))
        ]


def number(path: Path, condition: str, bound: dict[str, object]) -> int:
    """Return how many deliveries meet a condition of this module and a selection.

    Raises:
        InboxError: There is no inbox, or it cannot be read.
    """
    query = f"SELECT count(*) FROM deliveries WHERE {condition} AND {MATCHES}"  # noqa: S608 - of constants
    with _reading(path) as connection:
        (found,) = connection.execute(query, bound).fetchone()
        return int(found)


def stats(path: Path) -> InboxStats:
    """Return figures about the deliveries in the file.

    Raises:
        InboxError: There is no inbox, or it cannot be read.
    """
    with _reading(path) as connection:
        counts = connection.execute(_COUNTS).fetchall()
        (oldest,) = connection.execute(_OLDEST_DUE, {"now": time()}).fetchone()
        handlers = connection.execute(_HANDLERS).fetchall()
        receivers = connection.execute(_RECEIVERS, (time() - _REPORTED_SECONDS,)).fetchall()
    return InboxStats(
        counts=[StateCount(state=state, event_name=name, count=count) for state, name, count in counts],
        oldest_due_at=None if oldest is None else _moment(oldest),
        handlers=[
            HandlerFailures(
                handler=handler,
                failures=failures,
                mean_seconds=mean,
                worst_seconds=worst,
                last_failed_at=_moment(last),
            )
            for handler, failures, mean, worst, last in handlers
        ],
        receivers=[msgspec.json.decode(figures, type=ReceiverFigures) for (figures,) in receivers],
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection]:
    file = path.resolve()
    if not file.is_file():
        raise InboxError(f"there is no inbox at {file}")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if 0 < version < SCHEMA_VERSION:
                raise InboxError(
                    f"an older version made the inbox {file}; the receiver upgrades it when it starts"
                )
            yield connection
    except sqlite3.Error as error:
        raise InboxError(f"{file} can't be read as an inbox: {error}") from None
