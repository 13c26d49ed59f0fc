"""Reads an inbox once, by the place where it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from .entry import Entry, FailedAttempt
from .protocol import State
from .reader import Reader
from .selection import Selection
from .sqlite.reader import SqliteReader

Place: TypeAlias = str | PathLike[str]
"""The file of a `SqliteInbox`, or the URL of a `PostgresInbox`."""


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
    with _reader(inbox) as reader:
        return reader.find(selection, before=before, limit=limit, seconds=inf, with_bodies=True).items


def failed_attempts(inbox: Place, seq: int) -> Sequence[FailedAttempt]:
    """Return the failed attempts at a delivery, oldest first.

    Args:
        inbox: The file of a `SqliteInbox`, or the URL of a `PostgresInbox`.
        seq: `Entry.seq` of the delivery.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: There is no inbox, or it cannot be read.
    """
    with _reader(inbox) as reader:
        return reader.failed_attempts(seq)


def _reader(inbox: Place) -> Reader:
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres import PostgresInbox  # noqa: PLC0415 - the extra may not be installed

        return PostgresInbox(inbox).reader()
    return SqliteReader(Path(inbox))
