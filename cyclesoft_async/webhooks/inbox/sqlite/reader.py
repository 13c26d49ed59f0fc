"""Reads an inbox in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import time
from typing import Any, Final

import msgspec

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
    AND (:seqs IS NULL OR seq IN (SELECT value FROM json_each(:seqs)))
    AND (:handler IS NULL OR seq IN (SELECT seq FROM failed_attempts WHERE handler = :handler))
"""
REPLAYABLE: Final = "state IN ('done', 'dead')"
DISMISSIBLE: Final = "state IN ('dead', 'quarantined')"
PURGEABLE: Final = """
    ((state = 'done' AND changed_at < :done_before)
    OR (state IN ('dead', 'quarantined') AND changed_at < :dead_before))
"""
_FAILED: Final = "(state IN ('dead', 'quarantined') OR error IS NOT NULL)"
"""The condition of the index deliveries_failed."""
_LIST: Final = f"""
    SELECT seq, account_id, delivery_id, event_name, ordering_key, state, attempts, replays, received_at,
           event_timestamp, error,
           CASE WHEN :with_bodies THEN (SELECT body FROM bodies b WHERE b.seq = deliveries.seq) ELSE x'' END
    FROM deliveries {{index}} WHERE seq < :before AND seq >= :after AND {{condition}} AND {MATCHES}
    ORDER BY seq DESC LIMIT :limit
"""  # noqa: S608 - of constants
_SEQS: Final = f"""
    SELECT json_group_array(seq) FROM (
        SELECT seq FROM deliveries {{index}}
        WHERE seq < :before AND seq >= :after AND {{condition}} AND {MATCHES}
        ORDER BY seq DESC LIMIT :limit
    )
"""  # noqa: S608 - of constants
# One statement with min() and max() of a table would read all of it.
_BOUNDS: Final = """
    SELECT coalesce((SELECT min(seq) FROM deliveries), 0), coalesce((SELECT max(seq) FROM deliveries), 0) + 1
"""
_HANDLED: Final = """
    SELECT CAST((changed_at - :since) / :width AS INTEGER), count(*) FROM deliveries
    WHERE state = 'done' AND changed_at >= :since GROUP BY 1
"""
_FAILED_ATTEMPTS: Final = """
    SELECT CAST((failed_at - :since) / :width AS INTEGER), count(*) FROM failed_attempts
    WHERE failed_at >= :since GROUP BY 1
"""
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
        "handler": selection.handler,
        "seqs": msgspec.json.encode(selection.seqs).decode() if selection.seqs else None,
    }


class SqliteReader(Reader):
    """Reads the inbox in a file, by a connection for each look.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def close(self) -> None:
        """Do nothing: no look leaves a connection open."""

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
        query = _LIST.format(**_hints(where))
        bound = {**parameters(where), "with_bodies": with_bodies}

        def read(before: int, after: int, limit: int) -> Sequence[Entry]:
            rows = connection.execute(query, {**bound, "before": before, "after": after, "limit": limit})
            return [_entry(row) for row in rows]

        with self._reading() as connection:
            bounds: tuple[int, int] = connection.execute(_BOUNDS).fetchone()
            return search(read, lambda one: one.seq, bounds, before=before, limit=limit, seconds=seconds)

    def actionable(
        self, action: Action, where: Selection, *, limit: int = -1, seconds: float = inf
    ) -> Found[int]:
        """Search deliveries that can be replayed or dismissed; see `Reader.actionable`."""
        hints = _hints(where)
        state = REPLAYABLE if action == "replay" else DISMISSIBLE
        query = _SEQS.format(index=hints["index"], condition=f"{hints['condition']} AND {state}")
        bound = parameters(where)

        def read(before: int, after: int, limit: int) -> Sequence[int]:
            (found,) = connection.execute(
                query, {**bound, "before": before, "after": after, "limit": limit}
            ).fetchone()
            return msgspec.json.decode(found, type=list[int])

        with self._reading() as connection:
            bounds: tuple[int, int] = connection.execute(_BOUNDS).fetchone()
            return search(read, lambda seq: seq, bounds, before=None, limit=limit, seconds=seconds)

    def activity(self, since: datetime, width: float) -> Activity:
        """Return what happened in spans of time; see `Reader.activity`."""
        bound = {"since": since.timestamp(), "width": width}
        with self._reading() as connection:
            return Activity(
                handled=dict(connection.execute(_HANDLED, bound).fetchall()),
                failed=dict(connection.execute(_FAILED_ATTEMPTS, bound).fetchall()),
            )

    def failed_attempts(self, seq: int) -> Sequence[FailedAttempt]:
        """Return the failed attempts at a delivery, oldest first."""
        with self._reading() as connection:
            return [
                FailedAttempt(
                    attempt=attempt,
                    failed_at=_moment(failed_at),
                    handler=handler,
                    error=error,
                    seconds=seconds,
                )
                for attempt, failed_at, handler, error, seconds in connection.execute(_ATTEMPTS, (seq,))
            ]

    def number(self, condition: str, bound: dict[str, object]) -> int:
        """Return how many deliveries meet a condition of this module and a selection."""
        query = f"SELECT count(*) FROM deliveries WHERE {condition} AND {MATCHES}"  # noqa: S608 - of constants
        with self._reading() as connection:
            (found,) = connection.execute(query, bound).fetchone()
            return int(found)

    def stats(self) -> InboxStats:
        """Return figures about the deliveries in the file."""
        with self._reading() as connection:
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

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        file = self._path.resolve()
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


def _hints(selection: Selection) -> dict[str, str]:
    """Return the index of a list, and the condition by which SQLite may use it."""
    if selection.error is not None or (
        selection.states and {"dead", "quarantined"}.issuperset(selection.states)
    ):
        return {"index": "INDEXED BY deliveries_failed", "condition": _FAILED}
    return {"index": "NOT INDEXED", "condition": "true"}


def _entry(row: Sequence[Any]) -> Entry:
    (
        seq, account_id, id_, event_name, entity, state, attempts, replays, received_at,
        event_timestamp, error, body,
    ) = row  # fmt: skip
    return Entry(
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


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
