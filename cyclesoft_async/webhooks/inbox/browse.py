"""Reads an inbox without writing, also while another process has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from cyclesoft_async.errors import InboxError

from .protocol import State
from .sqlite.schema import SCHEMA_VERSION

_LIST: Final = """
    SELECT d.account_id, d.delivery_id, d.event_name, d.ordering_key, d.state, d.attempts, d.replays,
           d.received_at, d.event_timestamp, d.error, b.body
    FROM deliveries d JOIN bodies b ON b.seq = d.seq
    WHERE (? IS NULL OR d.delivery_id = ?) AND (? IS NULL OR d.state = ?)
    ORDER BY d.seq DESC LIMIT ?
"""


class Entry(Struct, frozen=True, kw_only=True):
    """A delivery in an inbox. Datetimes are aware, in UTC."""

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
    body: bytes
    """The JSON as it was delivered: people's data."""


def entries(
    inbox: str | PathLike[str],
    *,
    delivery_id: str | None = None,
    state: State | None = None,
    limit: int = 100,
) -> Sequence[Entry]:
    """Return the newest deliveries of an inbox, newest first.

    Args:
        inbox: The file of a `SqliteInbox`, or the URL of a `PostgresInbox`.
        delivery_id: Only the deliveries with this id.
        state: Only those in this state.
        limit: Largest number of deliveries. Negative for all.

    Raises:
        UsageError: It is not the URL of a PostgreSQL database.
        InboxError: There is no inbox, or it cannot be read.
    """
    if isinstance(inbox, str) and "://" in inbox:
        from .postgres.browse import rows  # noqa: PLC0415 - the extra may not be installed

        return _entries(rows(inbox, delivery_id, state, limit))
    file = Path(inbox).resolve()
    if not file.is_file():
        raise InboxError(f"there is no inbox at {file}")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            _require_current(connection, file)
            found = connection.execute(_LIST, (delivery_id, delivery_id, state, state, limit)).fetchall()
    except sqlite3.Error as error:
        raise InboxError(f"{file} can't be read as an inbox: {error}") from None
    return _entries((*row[:7], datetime.fromtimestamp(row[7], UTC), *row[8:]) for row in found)


def _require_current(connection: sqlite3.Connection, file: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if 0 < version < SCHEMA_VERSION:
        raise InboxError(f"an older version made the inbox {file}; the receiver upgrades it when it starts")


def _entries(rows: Iterable[Sequence[Any]]) -> list[Entry]:
    return [
        Entry(
            account_id=account_id,
            id=id_,
            event_name=event_name,
            entity=lane,
            state=row_state,
            attempts=attempts,
            replays=replays,
            received_at=received_at.astimezone(UTC),
            occurred_at=None if timestamp is None else datetime.fromtimestamp(timestamp, UTC),
            error=error,
            body=body,
        )
        for (
            account_id, id_, event_name, lane, row_state, attempts, replays,
            received_at, timestamp, error, body,
        ) in rows
    ]  # fmt: skip
