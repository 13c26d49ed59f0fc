"""What is written to the database, each kind for a whole batch at once.

Few statements for many rows; the database's schema says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from sqlite3 import Connection, IntegrityError
from time import time
from typing import Final, NamedTuple

import msgspec

from cyclesoft_async.webhooks.envelope import ordering_key, read
from cyclesoft_async.webhooks.inbox.protocol import ClaimedDelivery, Delivery, QueuedDelivery, State, Stored

from .connection import Database

_names: Final = msgspec.json.Decoder(tuple[str, ...])

_ARRIVE: Final = """
    INSERT INTO arrivals (
        seq, account_id, delivery_id, variant, event_name, lane, event_timestamp, received_at, state, error,
        body
    )
"""
_SAME_ID: Final = """
    SELECT b.body FROM deliveries d JOIN bodies b ON b.seq = d.seq
    WHERE d.account_id = ? AND d.delivery_id = ?
"""
_CLAIM: Final = """
    UPDATE deliveries SET state = 'running', attempts = attempts + 1, changed_at = ?
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_FETCH: Final = """
    SELECT d.seq, d.account_id, d.lane, b.body, d.attempts, d.replays > 0 OR d.cut_off, d.handled,
           d.received_at, l.newest
    FROM deliveries d JOIN bodies b ON b.seq = d.seq LEFT JOIN lanes l ON l.lane = d.lane
    WHERE d.seq IN (SELECT value FROM json_each(?))
"""
_FINISH: Final = """
    UPDATE deliveries SET state = 'done', error = NULL, changed_at = ?
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_SETTLE: Final = """
    UPDATE deliveries
    SET state = ?, handled = ?, error = ?, due_at = ?, attempts = attempts - ?, cut_off = max(cut_off, ?),
        changed_at = ?
    WHERE seq = ?
"""
_REPLAYABLE: Final = """
    SELECT d.seq, d.lane, b.body FROM deliveries d JOIN bodies b ON b.seq = d.seq
    WHERE (? IS NULL OR d.delivery_id = ?) AND (? IS NULL OR d.received_at >= ?)
    AND (d.state = 'dead' OR (d.state = 'done' AND NOT ?)) ORDER BY d.seq
"""
_REPLAY: Final = """
    UPDATE deliveries
    SET state = 'received', lane = ?, handled = '[]', error = NULL, due_at = 0, attempts = 0,
        replays = replays + 1, changed_at = ?
    WHERE seq = ?
"""
_CHECK: Final = """
    INSERT INTO health (only_row, checked_at) VALUES (1, ?)
    ON CONFLICT DO UPDATE SET checked_at = excluded.checked_at
"""
_WAITING: Final = """
    SELECT seq, lane, due_at FROM deliveries WHERE state IN ('received', 'running', 'retrying') ORDER BY seq
"""
_REMEMBER: Final = "INSERT INTO lanes (lane, newest, changed_at)"
_OR_NEWER: Final = """
    ON CONFLICT (lane) DO UPDATE SET newest = max(newest, excluded.newest), changed_at = excluded.changed_at
"""


class Placed(NamedTuple):
    """What became of a delivery, and what there is to handle now."""

    stored: Stored
    queued: QueuedDelivery | None = None


class Outcome(NamedTuple):
    """How an attempt ended, or how far it is."""

    seq: int
    state: State
    handled: Sequence[str] = ()
    error: str | None = None
    due_at: float = 0.0
    cut_off: bool = False
    """Then it does not count."""


class Finished(NamedTuple):
    """A delivery that all its handlers took."""

    seq: int
    ordering_key: str
    event_timestamp: float


class Selection(NamedTuple):
    """Which deliveries to replay."""

    delivery_id: str | None
    since: datetime | None
    only_dead: bool


def put(database: Database, deliveries: Sequence[Delivery]) -> list[Placed]:
    """Store deliveries that are new; keep aside those whose id came before with another body.

    It is one statement, and so its own transaction, unless some of the ids are not new.
    """
    first = database.next_seq
    database.next_seq += len(deliveries)
    now = time()
    rows: list[object] = []
    for seq, delivery in enumerate(deliveries, first):
        rows += _row(seq, delivery, now, 0, delivery.state)
    try:
        database.connection.execute(_many(_ARRIVE, 11, len(deliveries)), rows)
    except IntegrityError:
        with database.transaction():
            return [_put_one(database.connection, seq, one, now) for seq, one in enumerate(deliveries, first)]
    return [_placed(seq, delivery) for seq, delivery in enumerate(deliveries, first)]


def claim(database: Database, seqs: Sequence[int]) -> list[ClaimedDelivery]:
    """Mark deliveries as running, count the attempts, and fetch what handlers need."""
    which = msgspec.json.encode(seqs)
    database.connection.execute(_CLAIM, (time(), which))
    found = database.connection.execute(_FETCH, (which,)).fetchall()
    work = {
        seq: ClaimedDelivery(
            seq=seq,
            account_id=account_id,
            ordering_key=lane,
            body=body,
            attempt=attempts,
            replayed=bool(replayed),
            handled=_names.decode(handled),
            received_at=received_at,
            newest=newest,
        )
        for seq, account_id, lane, body, attempts, replayed, handled, received_at, newest in found
    }
    return [work[seq] for seq in seqs]


def finish(database: Database, finished: Sequence[Finished]) -> list[None]:
    """Mark deliveries as done, and remember the newest timestamp of each lane."""
    now = time()
    values: list[object] = []
    for one in finished:
        values += (one.ordering_key, one.event_timestamp, now)
    with database.transaction():
        database.connection.execute(_FINISH, (now, msgspec.json.encode([one.seq for one in finished])))
        database.connection.execute(_many(_REMEMBER, 3, len(finished), _OR_NEWER), values)
    return [None] * len(finished)


def settle(database: Database, outcomes: Sequence[Outcome]) -> list[None]:
    """Write down every other end of an attempt."""
    now = time()
    rows = [
        (
            one.state,
            msgspec.json.encode(one.handled).decode(),
            one.error and one.error.encode(errors="replace").decode(),
            one.due_at,
            one.cut_off,
            one.cut_off,
            now,
            one.seq,
        )
        for one in outcomes
    ]
    with database.transaction():
        database.connection.executemany(_SETTLE, rows)
    return [None] * len(outcomes)


def replay(database: Database, selections: Sequence[Selection]) -> list[list[QueuedDelivery]]:
    """Make deliveries wait again as if they were new, in the lane that this version finds for them."""
    answers: list[list[QueuedDelivery]] = []
    for wanted in selections:
        since = None if wanted.since is None else wanted.since.timestamp()
        found = database.connection.execute(
            _REPLAYABLE, (wanted.delivery_id, wanted.delivery_id, since, since, wanted.only_dead)
        ).fetchall()
        queued = [QueuedDelivery(seq, _lane_now(body, lane), 0.0) for seq, lane, body in found]
        with database.transaction():
            database.connection.executemany(_REPLAY, [(one.ordering_key, time(), one.seq) for one in queued])
        answers.append(queued)
    return answers


def purge(database: Database, callers: Sequence[None]) -> list[int]:
    """Delete some of what is older than its retention; the answer is how many that were."""
    with database.transaction():
        return [database.purge() for _ in callers]


def check(database: Database, callers: Sequence[None]) -> list[None]:
    """Write something."""
    database.connection.execute(_CHECK, (time(),))
    return [None] * len(callers)


def waiting(connection: Connection) -> list[QueuedDelivery]:
    """What was not finished, in order of arrival."""
    return [QueuedDelivery(seq, key, due_at) for seq, key, due_at in connection.execute(_WAITING).fetchall()]


def _row(seq: int, delivery: Delivery, now: float, variant: int, state: State) -> tuple[object, ...]:
    return (
        seq,
        delivery.account_id,
        delivery.id,
        variant,
        delivery.event_name,
        delivery.ordering_key,
        delivery.event_timestamp,
        now,
        state,
        delivery.problem,
        delivery.body,
    )


def _placed(seq: int, delivery: Delivery) -> Placed:
    if delivery.state != "received":
        return Placed(Stored.NEW)
    return Placed(Stored.NEW, QueuedDelivery(seq, delivery.ordering_key, 0.0, delivery.event))


def _put_one(connection: Connection, seq: int, delivery: Delivery, now: float) -> Placed:
    same_id = connection.execute(_SAME_ID, (delivery.account_id, delivery.id)).fetchall()
    if (delivery.body,) in same_id:
        return Placed(Stored.DUPLICATE)
    if same_id:
        connection.execute(_many(_ARRIVE, 11, 1), _row(seq, delivery, now, seq, "quarantined"))
        return Placed(Stored.QUARANTINED)
    connection.execute(_many(_ARRIVE, 11, 1), _row(seq, delivery, now, 0, delivery.state))
    return _placed(seq, delivery)


def _lane_now(body: bytes, before: str) -> str:
    try:
        return ordering_key(read(body))
    except ValueError:
        return before


@lru_cache(maxsize=512)
def _many(insert: str, columns: int, rows: int, conflict: str = "") -> str:
    row = f"({','.join('?' * columns)})"
    return " ".join((insert, "VALUES", ",".join([row] * rows), conflict))
