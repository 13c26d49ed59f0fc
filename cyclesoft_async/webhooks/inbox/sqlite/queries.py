"""Writes of the receiver and the dispatcher, each kind for a whole batch at once.

Few statements for many rows, and few rows in results: upgrades.py has the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from itertools import count
from sqlite3 import Connection, IntegrityError
from time import time
from typing import Final, NamedTuple

import msgspec

from cyclesoft_async.webhooks.inbox.base_inbox import AttemptEnd
from cyclesoft_async.webhooks.inbox.protocol import (
    ClaimedDelivery,
    Completed,
    Delivery,
    QueuedDelivery,
    State,
    Stored,
)
from cyclesoft_async.webhooks.inbox.stats import ReceiverFigures

from .connection import InboxFile
from .upgrades import ID_DIGEST_BYTES, id_hash, purged_digest, variant_hash

_names: Final = msgspec.json.Decoder(tuple[str, ...])
_timestamps: Final = msgspec.json.Decoder(dict[str, str])

_ARRIVE: Final = """
    INSERT INTO arrivals (
        seq, account_id, delivery_id, id_hash, event_name, ordering_key, event_timestamp, received_at, state,
        error, attempts, first_attempt_at, body
    )
"""
# For each None and bytes sqlite3 looks for an adapter, which takes longer than the value's insertion.
_ARRIVAL: Final = "(?,?,?,?,?,?,?,?,?,nullif(?,''),?,nullif(?,0.0),?)"
_BY_HASH: Final = """
    SELECT d.account_id, d.delivery_id, b.body FROM delivery_ids i
    JOIN deliveries d ON d.seq = i.seq JOIN bodies b ON b.seq = i.seq WHERE i.hash = ?
"""
_PURGED: Final = "SELECT digest FROM purged_ids WHERE hash = ?"
# As text: SQLite's JSON has 15 digits of a number.
_NEWEST: Final = """
    SELECT json_group_object(ordering_key, format('%!.17g', newest)) FROM entities
    WHERE ordering_key IN (SELECT value FROM json_each(?))
"""
_CLAIM: Final = """
    UPDATE deliveries
    SET interrupted = CASE state WHEN 'running' THEN interrupted + 1 ELSE 0 END,
        first_attempt_at = CASE attempts WHEN 0 THEN ?1 ELSE first_attempt_at END,
        state = 'running', attempts = attempts + 1, changed_at = ?1
    WHERE seq IN (SELECT value FROM json_each(?2))
"""
_FETCH: Final = """
    SELECT d.seq, d.account_id, d.ordering_key, b.body, d.attempts, d.replays > 0 OR d.cut_off, d.handled,
           d.received_at, d.error, d.first_attempt_at, d.interrupted, e.newest
    FROM deliveries d JOIN bodies b ON b.seq = d.seq LEFT JOIN entities e ON e.ordering_key = d.ordering_key
    WHERE d.seq IN (SELECT value FROM json_each(?))
"""
_COMPLETE: Final = """
    UPDATE deliveries SET state = 'done', error = NULL, changed_at = ?
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_REMEMBER: Final = "INSERT INTO entities (ordering_key, newest, changed_at)"
_OR_NEWER: Final = """
    ON CONFLICT (ordering_key) DO UPDATE SET
        newest = max(newest, excluded.newest), changed_at = excluded.changed_at
"""
_END_ATTEMPT: Final = """
    UPDATE deliveries
    SET state = ?, handled = ?, error = ?, due_at = ?, attempts = attempts - ?, cut_off = max(cut_off, ?),
        changed_at = ?
    WHERE seq = ?
"""
_FAILED: Final = """
    INSERT INTO failed_attempts (seq, attempt, failed_at, handler, error, seconds)
    SELECT seq, attempts, ?, ?, ?, ? FROM deliveries WHERE seq = ?
"""
_CHECK: Final = """
    INSERT INTO health (only_row, checked_at, figures) VALUES (1, ?, ?)
    ON CONFLICT DO UPDATE SET checked_at = excluded.checked_at, figures = excluded.figures
"""
_WAITING: Final = """
    SELECT seq, ordering_key, due_at FROM deliveries WHERE state IN ('received', 'running', 'retrying')
    ORDER BY seq
"""


class StoredDelivery(NamedTuple):
    """Result of storing a delivery, and what there is to handle now."""

    stored: Stored
    queued: QueuedDelivery | None = None


def store(file: InboxFile, deliveries: Sequence[Delivery]) -> list[StoredDelivery]:
    """Store deliveries that are new; quarantine those whose id was stored with another body.

    This is one statement, and so its own transaction, unless some of the ids are not new.
    """
    first = file.next_seq
    file.next_seq += len(deliveries)
    now = time()
    newest = _newest(file.connection, [one.ordering_key for one in deliveries if one.claim])
    rows: list[object] = []
    for seq, one in enumerate(deliveries, first):
        rows += _row(seq, one, now, id_hash(one.account_id, one.id), one.state)
    try:
        file.connection.execute(_many(_ARRIVE, _ARRIVAL, len(deliveries)), rows)
    except IntegrityError:
        with file.transaction():
            return [
                _store_one(file.connection, seq, one, now, newest)
                for seq, one in enumerate(deliveries, first)
            ]
    return [_new(seq, one, now, newest) for seq, one in enumerate(deliveries, first)]


def claim(file: InboxFile, seqs: Sequence[int]) -> list[ClaimedDelivery]:
    """Mark deliveries as running, count the attempts, and fetch what handlers need."""
    which = msgspec.json.encode(seqs)
    file.connection.execute(_CLAIM, (time(), which))
    found = file.connection.execute(_FETCH, (which,)).fetchall()
    claimed = {
        seq: ClaimedDelivery(
            seq=seq,
            account_id=account_id,
            ordering_key=ordering_key,
            body=body,
            attempt=attempts,
            replayed=bool(replayed),
            handled=_names.decode(handled),
            received_at=received_at,
            newest=newest,
            error=error,
            first_attempt_at=first_attempt_at,
            interrupted=interrupted,
        )
        for (
            seq, account_id, ordering_key, body, attempts, replayed, handled, received_at, error,
            first_attempt_at, interrupted, newest,
        ) in found
    }  # fmt: skip
    return [claimed[seq] for seq in seqs]


def complete(file: InboxFile, groups: Sequence[Sequence[Completed]]) -> list[None]:
    """Mark deliveries as done, and record the newest timestamp of each entity."""
    now = time()
    with file.transaction():
        for group in groups:
            file.connection.execute(_COMPLETE, (now, msgspec.json.encode([one.seq for one in group])))
            values = [value for one in group for value in (one.ordering_key, one.event_timestamp, now)]
            file.connection.execute(_many(_REMEMBER, "(?,?,?)", len(group), _OR_NEWER), values)
    return [None] * len(groups)


def end_attempts(file: InboxFile, ends: Sequence[AttemptEnd]) -> list[None]:
    """Record every other end of an attempt."""
    now = time()
    rows = [
        (
            end.state,
            msgspec.json.encode(end.handled).decode(),
            end.error and _storable(end.error),
            end.due_at,
            end.state == "received",
            end.state == "received",
            now,
            end.seq,
        )
        for end in ends
    ]
    failures = [
        (now, failure.handler, _storable(failure.error), failure.seconds, end.seq)
        for end in ends
        for failure in end.failures
    ]
    with file.transaction():
        file.connection.executemany(_FAILED, failures)
        file.connection.executemany(_END_ATTEMPT, rows)
    return [None] * len(ends)


def check(file: InboxFile, callers: Sequence[ReceiverFigures | None]) -> list[None]:
    """Write the figures of the receiver."""
    figures = callers[-1]
    report = None if figures is None else msgspec.json.encode(figures).decode()
    file.connection.execute(_CHECK, (time(), report))
    return [None] * len(callers)


def waiting(connection: Connection) -> list[QueuedDelivery]:
    """Return what has not been finished, in order of arrival."""
    return [QueuedDelivery(*row) for row in connection.execute(_WAITING).fetchall()]


def _newest(connection: Connection, ordering_keys: list[str]) -> dict[str, float]:
    if not ordering_keys:
        return {}
    (found,) = connection.execute(_NEWEST, (msgspec.json.encode(ordering_keys),)).fetchone()
    return {key: float(newest) for key, newest in _timestamps.decode(found).items()}


def _row(seq: int, delivery: Delivery, now: float, hash_: int, state: State) -> tuple[object, ...]:
    claimed = delivery.claim and state == "received"
    return (
        seq,
        delivery.account_id,
        delivery.id,
        hash_,
        delivery.event_name,
        delivery.ordering_key,
        delivery.event_timestamp,
        now,
        "running" if claimed else state,
        delivery.problem or "",
        1 if claimed else 0,
        now if claimed else 0.0,
        bytearray(delivery.body),
    )


def _new(seq: int, delivery: Delivery, now: float, newest: dict[str, float]) -> StoredDelivery:
    if delivery.state != "received":
        return StoredDelivery(Stored.NEW)
    claimed = None
    if delivery.claim:
        claimed = ClaimedDelivery(
            seq=seq,
            account_id=delivery.account_id,
            ordering_key=delivery.ordering_key,
            body=delivery.body,
            attempt=1,
            replayed=False,
            handled=(),
            received_at=now,
            newest=newest.get(delivery.ordering_key),
            first_attempt_at=now,
        )
    return StoredDelivery(
        Stored.NEW, QueuedDelivery(seq, delivery.ordering_key, 0.0, delivery.event, claimed)
    )


def _store_one(
    connection: Connection, seq: int, delivery: Delivery, now: float, newest: dict[str, float]
) -> StoredDelivery:
    hash_, known = _find(connection, delivery)
    if known is None:
        connection.execute(_many(_ARRIVE, _ARRIVAL, 1), _row(seq, delivery, now, hash_, delivery.state))
        return _new(seq, delivery, now, newest)
    if known is _Known.WITH_THIS_BODY:
        return StoredDelivery(Stored.DUPLICATE)
    hash_, known = _find(connection, delivery, is_variant=True)
    if known is not None:
        return StoredDelivery(Stored.DUPLICATE)
    connection.execute(_many(_ARRIVE, _ARRIVAL, 1), _row(seq, delivery, now, hash_, "quarantined"))
    return StoredDelivery(Stored.QUARANTINED)


class _Known(Enum):
    """An id that was stored before."""

    WITH_THIS_BODY = "with this body"
    WITH_ANOTHER = "with another body"


def _find(
    connection: Connection, delivery: Delivery, *, is_variant: bool = False
) -> tuple[int, _Known | None]:
    """Return the hash that belongs to a delivery, and whether its id is known, also of a purged one."""
    purged = purged_digest(delivery.account_id, delivery.id, delivery.body)
    for probe in count():
        hash_ = (
            variant_hash(delivery.account_id, delivery.id, delivery.body, probe)
            if is_variant
            else id_hash(delivery.account_id, delivery.id, probe)
        )
        found = connection.execute(_BY_HASH, (hash_,)).fetchone()
        if found is not None:
            *key, body = found
            if key == [delivery.account_id, delivery.id]:
                return hash_, _Known.WITH_THIS_BODY if body == delivery.body else _Known.WITH_ANOTHER
            continue
        found = connection.execute(_PURGED, (hash_,)).fetchone()
        if found is None:
            return hash_, None
        (digest,) = found
        if digest[:ID_DIGEST_BYTES] == purged[:ID_DIGEST_BYTES]:
            return hash_, _Known.WITH_THIS_BODY if digest == purged else _Known.WITH_ANOTHER
    raise AssertionError("count() does not end")


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()


@lru_cache(maxsize=512)
def _many(insert: str, row: str, rows: int, conflict: str = "") -> str:
    return " ".join((insert, "VALUES", ",".join([row] * rows), conflict))
