"""The writes that are committed in groups: what each sends, and how its row is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Generic, LiteralString, NamedTuple, TypeAlias, TypeVar

import msgspec

from cyclesoft_async.webhooks.inbox.base_inbox import AttemptEnd
from cyclesoft_async.webhooks.inbox.protocol import ClaimedDelivery, Delivery, Stored

A = TypeVar("A")
R = TypeVar("R")

Text: TypeAlias = Callable[[str], str]
"""Makes a text one that the database can hold."""

_LONGEST_LANE: Final = 300


class Operation(NamedTuple, Generic[A, R]):
    """A kind of write, for a whole group of arguments."""

    statement: LiteralString
    """Calls a function that takes an array for each column, and returns rows that begin with the ordinal."""
    columns: Callable[[A, Text], Sequence[object]]
    """Values of an argument."""
    result: Callable[[Sequence[Any]], R]
    """Reads the row of an argument, without its ordinal."""


class Arrival(NamedTuple):
    """A delivery to store."""

    delivery: Delivery
    worker: int | None = None
    """Who handles it without a job, if its lane has no other work."""


class StoredDelivery(NamedTuple):
    """Where a delivery was stored."""

    seq: int
    stored: Stored
    lane: str | None
    """Set if the worker owns it by now."""
    holder: int | None
    """As `lane`."""


class Attempt(NamedTuple):
    """An attempt to begin."""

    seq: int
    holder: int


class HeldAttempt(NamedTuple):
    """An attempt that ended, or has come far, in a lane that this process holds."""

    lane: str
    holder: int
    end: AttemptEnd
    due_in: float | None = None
    """Seconds until the next attempt."""
    newest: float | None = None
    """The timestamp of a handled event, in seconds since 1970."""


class Waiting(NamedTuple):
    """The next delivery of a lane."""

    seq: int | None
    """None when no delivery waits."""
    due_at: datetime | None = None
    """Set if that is in the future, by the server's clock."""
    is_aside: bool | None = None
    """Whether later deliveries need not wait for it: it is dead, and only reported again."""


def _arrival(arrival: Arrival, text: Text) -> Sequence[object]:
    one = arrival.delivery
    return (
        one.account_id,
        text(one.id),
        one.event_name and text(one.event_name),
        lane(one.ordering_key, text),
        one.event_timestamp,
        one.body,
        one.state,
        one.problem and text(one.problem),
        arrival.worker,
    )


def _stored(row: Sequence[Any]) -> StoredDelivery:
    seq, stored, owned, holder = row
    return StoredDelivery(seq, Stored(stored), owned, holder)


STORE: Final = Operation[Arrival, StoredDelivery](
    statement="""
        SELECT ordinal, seq, stored, owned, holder FROM store_arrivals(
            %s::bigint[], %s, %s::text[], %s, %s::float8[], %b, %s, %s::text[], %s::bigint[]
        )
    """,
    columns=_arrival,
    result=_stored,
)


def _attempt(attempt: Attempt, _: Text) -> Sequence[object]:
    return attempt


def _claimed(row: Sequence[Any]) -> ClaimedDelivery:
    (
        seq, account_id, lane_, body, attempt, is_known, handled, received_at, newest, first_attempt_at,
        interrupted, error,
    ) = row  # fmt: skip
    return ClaimedDelivery(
        seq=seq,
        account_id=account_id,
        ordering_key=lane_,
        body=body,
        attempt=attempt,
        replayed=is_known,
        handled=tuple(handled),
        received_at=received_at.timestamp(),
        newest=newest,
        first_attempt_at=first_attempt_at.timestamp(),
        interrupted=interrupted,
        error=error,
    )


CLAIM: Final = Operation[Attempt, ClaimedDelivery](
    statement="""
        SELECT ordinal, seq, account_id, lane, body, attempts, is_known, handled, received_at, newest,
            first_attempt_at, interrupted, error
        FROM claim_attempts(%s::bigint[], %s::bigint[])
    """,
    columns=_attempt,
    result=_claimed,
)


def _held_attempt(held: HeldAttempt, text: Text) -> Sequence[object]:
    end = held.end
    failures = [
        {"handler": text(one.handler), "error": text(one.error), "seconds": one.seconds}
        for one in end.failures
    ]
    return (
        end.seq,
        held.lane,
        held.holder,
        end.state,
        msgspec.json.encode([text(name) for name in end.handled]).decode(),
        end.error and text(end.error),
        held.due_in,
        held.newest,
        msgspec.json.encode(failures).decode(),
    )


def _waiting(row: Sequence[Any]) -> Waiting:
    return Waiting(*row)


SETTLE: Final = Operation[HeldAttempt, Waiting](
    statement="""
        SELECT ordinal, seq, due_at, is_aside FROM settle_attempts(
            %s::bigint[], %s, %s::bigint[], %s, %s, %s::text[], %s::float8[], %s::float8[], %s
        )
    """,
    columns=_held_attempt,
    result=_waiting,
)


def storable(value: str, encoding: str | None) -> str:
    """Return a text that a database can hold: without lone surrogates and without the character 0.

    Args:
        value: The text.
        encoding: PostgreSQL's name of the database's encoding. What that lacks is escaped.
    """
    whole = value.encode(errors="replace").decode().replace("\0", "\\0")
    if encoding in {None, "UTF8", "SQL_ASCII"}:
        return whole
    codec = "latin1" if encoding == "LATIN1" else "ascii"
    return whole.encode(codec, "backslashreplace").decode(codec)


def lane(ordering_key: str, text: Text) -> str:
    """Return an ordering key as a lane, short enough for an index."""
    if len(ordering_key) > _LONGEST_LANE:
        digest = hashlib.sha256(ordering_key.encode(errors="replace")).hexdigest()
        ordering_key = f"{ordering_key[:_LONGEST_LANE]}... {digest}"
    return text(ordering_key)
