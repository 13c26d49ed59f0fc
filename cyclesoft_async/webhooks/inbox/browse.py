"""Reads an inbox without writing, also while receivers have it open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from msgspec import Struct, structs

from .protocol import State
from .selection import Selection
from .sqlite.browse import attempts as sqlite_attempts
from .sqlite.browse import rows as sqlite_rows


class Entry(Struct, frozen=True, kw_only=True):
    """A delivery in an inbox. Datetimes are aware, in UTC."""

    seq: int
    """Rises in the order of arrival."""
    account_id: int
    id: str
    event_name: str | None
    entity: str
    """Account, kind and id, with slashes between them."""
    state: State
    attempts: int
    replays: int
    received_at: datetime
    occurred_at: datetime | None
    error: str | None
    """Last line of the last error's traceback."""
    body: bytes
    """The JSON as it was delivered: people's data."""


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """A handler's failed attempt at a delivery."""

    attempt: int
    """Number of the attempt, from 1. A replay starts anew."""
    failed_at: datetime
    """Aware, in UTC."""
    handler: str
    error: str
    seconds: float
    """How long the handler ran."""


def entries(
    inbox: str | PathLike[str],
    *,
    delivery_id: str | None = None,
    state: State | None = None,
    where: Selection | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[Entry]:
    """Return the newest deliveries of an inbox, newest first.

    Args:
        inbox: The file of a `SqliteInbox`, or the URL of a `PostgresInbox`.
        delivery_id: Only the deliveries with this id.
        state: Only those in this state.
        where: Conditions that hold in addition.
        before: Only deliveries with a lower `seq`: that of the last entry gives the next page.
        limit: Largest number of deliveries. Negative for all.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: There is no inbox, or it cannot be read.
    """
    selection = where or Selection()
    if delivery_id is not None:
        selection = structs.replace(selection, delivery_id=delivery_id)
    if state is not None:
        selection = structs.replace(selection, states=(state,))
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres.browse import rows as postgres_rows  # noqa: PLC0415 - the extra may not be installed

        found = postgres_rows(inbox, selection, before, limit)
    else:
        found = sqlite_rows(Path(inbox), selection, before, limit)
    return [
        Entry(
            seq=seq,
            account_id=account_id,
            id=id_,
            event_name=event_name,
            entity=entity,
            state=row_state,
            attempts=attempts,
            replays=replays,
            received_at=received_at.astimezone(UTC),
            occurred_at=None if timestamp is None else datetime.fromtimestamp(timestamp, UTC),
            error=error,
            body=body,
        )
        for (
            seq, account_id, id_, event_name, entity, row_state, attempts, replays, received_at, timestamp,
            error, body,
        ) in found
    ]  # fmt: skip


def failed_attempts(inbox: str | PathLike[str], seq: int) -> Sequence[FailedAttempt]:
    """Return the failed attempts at a delivery, oldest first.

    Args:
        inbox: The file of a `SqliteInbox`, or the URL of a `PostgresInbox`.
        seq: `Entry.seq` of the delivery.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: There is no inbox, or it cannot be read.
    """
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres.browse import attempts as postgres_attempts  # noqa: PLC0415 - see above

        found = postgres_attempts(inbox, seq)
    else:
        found = sqlite_attempts(Path(inbox), seq)
    return [
        FailedAttempt(
            attempt=attempt,
            failed_at=failed_at.astimezone(UTC),
            handler=handler,
            error=error,
            seconds=seconds,
        )
        for attempt, failed_at, handler, error, seconds in found
    ]
