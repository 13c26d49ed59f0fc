"""Reads an inbox without writing, also while receivers have it open."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from msgspec import structs

from .entry import Entry, FailedAttempt
from .protocol import State
from .selection import Selection
from .sqlite import browse as sqlite


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
        from .postgres import browse as postgres  # noqa: PLC0415 - the extra may not be installed

        return postgres.entries(inbox, selection, before, limit)
    return sqlite.entries(Path(inbox), selection, before, limit)


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
        from .postgres import browse as postgres  # noqa: PLC0415 - see above

        return postgres.failed_attempts(inbox, seq)
    return sqlite.failed_attempts(Path(inbox), seq)
