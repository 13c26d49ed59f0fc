"""The four kinds of writes that a commit group can hold: what each sends, and how its rows are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, LiteralString, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, structs
from psycopg.rows import TupleRow

from cyclesoft_async.webhooks.inbox.protocol import ClaimedDelivery, Delivery, HandlerFailure, State, Stored

A = TypeVar("A")
R = TypeVar("R")

_LONGEST_LANE: Final = 300


class Waiting(NamedTuple):
    """A delivery that waits for its turn."""

    seq: int
    due_at: datetime | None
    """Set if that is in the future, by the server's clock."""
    is_aside: bool
    """Whether later deliveries need not wait for it: it is dead, and only reported again."""


class StoredDelivery(NamedTuple):
    """Where a delivery was stored."""

    seq: int
    stored: Stored


class FetchedJob(NamedTuple):
    """A job that this process has fetched."""

    worker: int
    job: int
    lane: str


class BegunJob(NamedTuple):
    """What a job found."""

    holder: int | None
    """Shows that a write comes from this process and job. None: another process has the job now."""
    waiting: Sequence[Waiting] = ()


class Attempt(NamedTuple):
    """An attempt to begin."""

    seq: int
    holder: int


class Outcome(Struct, frozen=True, kw_only=True):
    """How an attempt ended, or how far it is."""

    seq: int
    lane: str
    holder: int
    state: State
    handled: Sequence[str] = ()
    error: str | None = None
    due_in: float | None = None
    """Seconds from now."""
    newest: float | None = None
    failures: Sequence[HandlerFailure] = ()
    want_next: bool = False
    """Whether to return what waits next, and to clear the lane's mark if nothing does."""


class Operation(NamedTuple, Generic[A, R]):
    """A kind of write, for a whole group of arguments."""

    statement: LiteralString
    parameters: Callable[[Sequence[A], str | None], Sequence[object]]
    """Made of the arguments and the database's encoding."""
    results: Callable[[Sequence[A], Sequence[TupleRow]], Sequence[R]]
    """One for each argument, in their order."""


def _store_parameters(deliveries: Sequence[Delivery], encoding: str | None) -> Sequence[object]:
    return (
        [one.account_id for one in deliveries],
        [storable(one.id, encoding) for one in deliveries],
        [one.event_name and storable(one.event_name, encoding) for one in deliveries],
        [lane(one.ordering_key, encoding) for one in deliveries],
        [one.event_timestamp for one in deliveries],
        [one.body for one in deliveries],
        [one.state for one in deliveries],
        [one.problem and storable(one.problem, encoding) for one in deliveries],
    )


def _stored(_: Sequence[Delivery], rows: Sequence[TupleRow]) -> Sequence[StoredDelivery]:
    return [StoredDelivery(seq, Stored(stored)) for seq, stored in rows]


STORE: Final = Operation[Delivery, StoredDelivery](
    statement="""
        SELECT seq, stored
        FROM store(%s::bigint[], %s, %s::text[], %s, %s::float8[], %b, %s, %s::text[], %s) ORDER BY ordinal
    """,
    parameters=_store_parameters,
    results=_stored,
)


def _begun(jobs: Sequence[FetchedJob], rows: Sequence[TupleRow]) -> Sequence[BegunJob]:
    holders: dict[int, int] = {}
    found: dict[int, list[Waiting]] = {}
    for job, holder, seq, due_at, is_aside in rows:
        holders[job] = holder
        found.setdefault(job, [])
        if seq is not None:
            found[job].append(Waiting(seq, due_at, is_aside))
    return [BegunJob(holders.get(one.job), found.get(one.job, ())) for one in jobs]


def _begin_parameters(jobs: Sequence[FetchedJob], _: str | None) -> Sequence[object]:
    return (jobs[0].worker, [one.job for one in jobs], [one.lane for one in jobs])


BEGIN: Final = Operation[FetchedJob, BegunJob](
    statement="SELECT job, holder, seq, due_at, is_aside FROM begin_jobs(%s, %s, %s)",
    parameters=_begin_parameters,
    results=_begun,
)


def _claimed(attempts: Sequence[Attempt], rows: Sequence[TupleRow]) -> Sequence[ClaimedDelivery | None]:
    claimed = {
        seq: ClaimedDelivery(
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
        for (
            seq, account_id, lane_, body, attempt, is_known, handled, received_at, newest, first_attempt_at,
            interrupted, error,
        ) in rows
    }  # fmt: skip
    return [claimed.get(one.seq) for one in attempts]


def _claim_parameters(attempts: Sequence[Attempt], _: str | None) -> Sequence[object]:
    return ([one.seq for one in attempts], [one.holder for one in attempts])


CLAIM: Final = Operation[Attempt, ClaimedDelivery | None](
    statement="""
        SELECT seq, account_id, lane, body, attempts, is_known, handled, received_at, newest,
            first_attempt_at, interrupted, error
        FROM claim_deliveries(%s, %s)
    """,
    parameters=_claim_parameters,
    results=_claimed,
)


def _settled(outcomes: Sequence[Outcome], rows: Sequence[TupleRow]) -> Sequence[Sequence[Waiting] | None]:
    found: dict[int, list[Waiting]] = {}
    for settled, seq, due_at, is_aside in rows:
        waiting = found.setdefault(settled, [])
        if seq is not None:
            waiting.append(Waiting(seq, due_at, is_aside))
    return [found.get(one.seq) for one in outcomes]


def _settle_parameters(outcomes: Sequence[Outcome], encoding: str | None) -> Sequence[object]:
    rows = [
        structs.replace(
            one,
            handled=[storable(name, encoding) for name in one.handled],
            error=one.error and storable(one.error, encoding),
            failures=[
                structs.replace(
                    failure,
                    handler=storable(failure.handler, encoding),
                    error=storable(failure.error, encoding),
                )
                for failure in one.failures
            ],
        )
        for one in outcomes
    ]
    return (msgspec.json.encode(rows).decode(),)


SETTLE: Final = Operation[Outcome, Sequence[Waiting] | None](
    statement="SELECT settled, seq, due_at, is_aside FROM settle_deliveries(%s::jsonb)",
    parameters=_settle_parameters,
    results=_settled,
)
"""None: another process has the lane now, and nothing was written."""


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


def lane(ordering_key: str, encoding: str | None) -> str:
    """Return an ordering key as a lane, short enough for an index."""
    if len(ordering_key) > _LONGEST_LANE:
        digest = hashlib.sha256(ordering_key.encode(errors="replace")).hexdigest()
        ordering_key = f"{ordering_key[:_LONGEST_LANE]}... {digest}"
    return storable(ordering_key, encoding)
