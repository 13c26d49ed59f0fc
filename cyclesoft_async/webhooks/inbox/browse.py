"""Reads an inbox without writing, also while receivers have it open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import structs

from .entry import Entry, FailedAttempt
from .protocol import State
from .selection import Selection
from .slices import Found
from .sqlite import browse as sqlite
from .stats import Activity

Place: TypeAlias = str | PathLike[str]
"""The file of a `SqliteInbox`, or the URL of a `PostgresInbox`."""
Action: TypeAlias = Literal["replay", "dismiss"]


def entries(
    inbox: Place,
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
    return find(inbox, selection, before=before, limit=limit, seconds=inf, with_bodies=True).items


def find(
    inbox: Place,
    where: Selection,
    *,
    before: int | None = None,
    limit: int = 50,
    seconds: float = 0.04,
    with_bodies: bool = False,
) -> Found[Entry]:
    """Search the deliveries of an inbox for a bounded time, newest first.

    Args:
        inbox: As for `entries`.
        where: Conditions.
        before: As for `entries`.
        limit: As for `entries`.
        seconds: Time after which the search stops with what it has.
        with_bodies: Whether to read the bodies too. They are empty otherwise.

    Raises:
        UsageError: As for `entries`.
        InboxError: As for `entries`.
    """
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres import browse as postgres  # noqa: PLC0415 - the extra may not be installed

        return postgres.entries(inbox, where, before, limit, seconds=seconds, with_bodies=with_bodies)
    return sqlite.entries(Path(inbox), where, before, limit, seconds=seconds, with_bodies=with_bodies)


def actionable(
    inbox: Place, action: Action, where: Selection, *, limit: int = -1, seconds: float = inf
) -> Found[int]:
    """Return the `seq` of selected deliveries that can be replayed or dismissed, newest first.

    Args:
        inbox: As for `entries`.
        action: Done and dead deliveries can be replayed, dead and quarantined ones dismissed.
        where: Conditions.
        limit: As for `entries`.
        seconds: As for `find`.

    Raises:
        UsageError: As for `entries`.
        InboxError: As for `entries`.
    """
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres import browse as postgres  # noqa: PLC0415 - see above

        condition = postgres.REPLAYABLE if action == "replay" else postgres.DISMISSIBLE
        return postgres.seqs(inbox, condition, where, limit, seconds)
    condition = sqlite.REPLAYABLE if action == "replay" else sqlite.DISMISSIBLE
    return sqlite.seqs(Path(inbox), condition, where, limit, seconds)


def activity(inbox: Place, since: datetime, width: float) -> Activity:
    """Return how many deliveries were handled, and attempts failed, in spans of `width` seconds.

    Args:
        inbox: As for `entries`.
        since: When the first span begins. Aware.
        width: Seconds.

    Raises:
        UsageError: As for `entries`.
        InboxError: As for `entries`.
    """
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres import browse as postgres  # noqa: PLC0415 - see above

        return postgres.activity(inbox, since, width)
    return sqlite.activity(Path(inbox), since.timestamp(), width)


def failed_attempts(inbox: Place, seq: int) -> Sequence[FailedAttempt]:
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
