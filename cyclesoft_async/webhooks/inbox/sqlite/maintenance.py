"""Long writes, in slices that let deliveries through: replay, purge, and shrinking the file.

A slice reads a window of rows by rising `seq`. Its result is one row: each row of a result gives up the
interpreter to a busy event loop.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from time import time
from typing import Final, NamedTuple

import msgspec

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.envelope import ordering_key, read
from cyclesoft_async.webhooks.inbox.protocol import QueuedDelivery
from cyclesoft_async.webhooks.inbox.selection import Selection

from .connection import InboxFile
from .reader import DISMISSIBLE, MATCHES, PURGEABLE, REPLAYABLE, parameters
from .upgrades import purged_digest

_WINDOW: Final = 500
_WITHIN_RESERVE: Final = 25
"""Rows whose purge fits into the reserve."""
_PAGES_AT_ONCE: Final = 64
_SPACE_TO_COMPACT: Final = 2
_FREE_SHARE: Final = 10
"""The file shrinks until at most one page in ten is free. New deliveries use those."""
_DAY: Final = 86_400.0

_REPLAY_WINDOW: Final = f"""
    SELECT max(seq), json_group_array(json_array(seq, ordering_key)) FILTER (
        WHERE {REPLAYABLE} AND {MATCHES}
    ) FROM (SELECT * FROM deliveries WHERE seq > :after ORDER BY seq LIMIT :window)
"""  # noqa: S608 - of constants
_REPLAY: Final = """
    UPDATE deliveries
    SET state = 'received', handled = '[]', error = NULL, due_at = 0, attempts = 0, interrupted = 0,
        replays = replays + 1, changed_at = ?
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_DISMISS: Final = f"""
    UPDATE deliveries SET state = 'done', error = coalesce(error, '') || ?, changed_at = ?
    WHERE {DISMISSIBLE} AND seq IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - of constants
_MOVE: Final = "UPDATE deliveries SET ordering_key = ? WHERE seq = ?"
_BODY: Final = "SELECT body FROM bodies WHERE seq = ?"
_PURGE_WINDOW: Final = f"""
    SELECT max(seq), min(received_at), json_group_array(seq) FILTER (
        WHERE {PURGEABLE} AND {MATCHES}
    ) FROM (SELECT * FROM deliveries WHERE seq > :after ORDER BY seq LIMIT :window)
"""  # noqa: S608 - of constants
_TO_REMEMBER: Final = """
    SELECT id_hash, account_id, delivery_id, body, received_at FROM deliveries JOIN bodies USING (seq)
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_REMEMBER: Final = "INSERT OR REPLACE INTO purged_ids (hash, digest, received_at) VALUES (?, ?, ?)"
_PURGE: Final = (
    "DELETE FROM delivery_ids"
    " WHERE hash IN (SELECT id_hash FROM deliveries WHERE seq IN (SELECT value FROM json_each(?)))",
    "DELETE FROM bodies WHERE seq IN (SELECT value FROM json_each(?))",
    "DELETE FROM failed_attempts WHERE seq IN (SELECT value FROM json_each(?))",
    "DELETE FROM deliveries WHERE seq IN (SELECT value FROM json_each(?))",
)
_FORGET: Final = (
    f"""
    DELETE FROM entities
    WHERE ordering_key IN (SELECT ordering_key FROM entities WHERE changed_at < ? LIMIT {_WINDOW})
    """,  # noqa: S608 - of constants
    f"""
    DELETE FROM purged_ids
    WHERE hash IN (SELECT hash FROM purged_ids WHERE received_at < ? LIMIT {_WINDOW})
    """,  # noqa: S608 - of constants
)


class Retention(NamedTuple):
    """How long deliveries are kept, and then their ids and the newest time of each entity."""

    done_days: float
    dead_days: float
    ids_days: float

    def bounds(self) -> dict[str, float]:
        """Return what `PURGEABLE` binds."""
        now = time()
        return {"done_before": now - self.done_days * _DAY, "dead_before": now - self.dead_days * _DAY}


class ReplaySlice(NamedTuple):
    """Where a replay has come to."""

    selection: Selection
    after: int = 0


class Replayed(NamedTuple):
    """Deliveries that one slice replayed."""

    queued: Sequence[QueuedDelivery]
    after: int | None
    """`seq` to continue after; None at the end."""


class Dismissal(NamedTuple):
    """Deliveries that an operator dismisses."""

    seqs: Sequence[int]
    note: str


class PurgeSlice(NamedTuple):
    """Where a purge has come to."""

    retention: Retention
    selection: Selection
    after: int = 0


class Purged(NamedTuple):
    """Result of one slice of a purge."""

    deleted: int
    after: int | None
    """`seq` to continue after; None at the end."""


def replay(file: InboxFile, slices: Sequence[ReplaySlice]) -> list[Replayed]:
    """Make deliveries of a window wait again as if they were new."""
    return [_replay(file, one) for one in slices]


def dismiss(file: InboxFile, dismissals: Sequence[Dismissal]) -> list[int]:
    """Mark dead and quarantined deliveries as done. Return how many."""
    with file.transaction():
        return [
            file.connection.execute(_DISMISS, (one.note, time(), msgspec.json.encode(one.seqs))).rowcount
            for one in dismissals
        ]


def purge(file: InboxFile, slices: Sequence[PurgeSlice]) -> list[Purged]:
    """Delete deliveries of a window that are older than their retention."""
    return [_purge(file, one) for one in slices]


def shrink(file: InboxFile, callers: Sequence[None]) -> list[bool]:
    """Give some free pages back to the file system. Return whether more are left.

    At the end the write-ahead log, which still has what was deleted, is emptied.
    """
    more = _shrink(file.connection)
    if not more:
        file.empty_log()
        file.reserve.keep()
    return [more] * len(callers)


def compact(file: InboxFile, callers: Sequence[None]) -> list[None]:
    """Rewrite the file without its free pages, and in the form that shrinks with a purge.

    Raises:
        InboxError: The disk has too little space.
    """
    file.empty_log()
    file.reserve.give_up()
    needed = _SPACE_TO_COMPACT * file.path.stat().st_size
    free = shutil.disk_usage(file.path.parent).free
    if free < needed:
        raise InboxError(f"compacting {file.path} needs {needed:,} bytes of free disk space, got {free:,}")
    file.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    file.connection.execute("VACUUM")
    file.empty_log()
    file.reserve.keep()
    return [None] * len(callers)


class Housekeeper:
    """Purges what is older than its retention and shrinks the file, a slice at a time."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._after: int | None = 0

    def __call__(self, file: InboxFile) -> bool:
        """Do a slice. Return whether more is left."""
        with file.without_waiting():
            if self._after is not None:
                self._after = _purge(file, PurgeSlice(self._retention, Selection(), self._after)).after
                return True
            [more] = shrink(file, [None])
        if not more:
            self._after = 0
        return more


def _replay(file: InboxFile, progress: ReplaySlice) -> Replayed:
    last, found = file.connection.execute(
        _REPLAY_WINDOW, {**parameters(progress.selection), "after": progress.after, "window": _WINDOW}
    ).fetchone()
    rows = msgspec.json.decode(found, type=list[tuple[int, str]])
    if rows:
        with file.transaction():
            file.connection.execute(_REPLAY, (time(), msgspec.json.encode([seq for seq, _ in rows])))
            rows = [(seq, _current_key(file.connection, seq, key)) for seq, key in rows]
    return Replayed([QueuedDelivery(seq, key, 0.0) for seq, key in rows], last)


def _current_key(connection: sqlite3.Connection, seq: int, stored: str) -> str:
    """Return the key of a delivery whose entity was unknown: this version may know it."""
    if stored.split("/")[1] != "?":
        return stored
    (body,) = connection.execute(_BODY, (seq,)).fetchone()
    try:
        current = ordering_key(read(body))
    except ValueError:
        return stored
    connection.execute(_MOVE, (current, seq))
    return current


def _purge(file: InboxFile, progress: PurgeSlice) -> Purged:
    try:
        return _purge_window(file, progress, _WINDOW)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}:
            raise
    file.reserve.give_up()
    purged = _purge_window(file, progress, _WITHIN_RESERVE)
    file.empty_log()  # the next slice needs the same room again
    return purged


def _purge_window(file: InboxFile, progress: PurgeSlice, window: int) -> Purged:
    bounds = progress.retention.bounds()
    last, oldest, found = file.connection.execute(
        _PURGE_WINDOW,
        {
            **parameters(progress.selection),
            **bounds,
            "after": progress.after,
            "window": window,
        },
    ).fetchone()
    deleted = len(msgspec.json.decode(found))
    # Later rows were received later, and none changes before it is received.
    if last is None or oldest >= max(bounds.values()):
        last = None
    with file.transaction():
        if deleted:
            _delete(file.connection, found)
        if last is None:
            before = (time() - progress.retention.ids_days * _DAY,)
            forgotten = [file.connection.execute(statement, before).rowcount for statement in _FORGET]
            last = progress.after if max(forgotten) == _WINDOW else None
    return Purged(deleted, last)


def _delete(connection: sqlite3.Connection, seqs: str) -> None:
    """Delete deliveries, given as a JSON list, but for a digest of each by which it is known again."""
    digests = [
        (id_hash, purged_digest(account_id, delivery_id, body), int(received_at))
        for id_hash, account_id, delivery_id, body, received_at in connection.execute(_TO_REMEMBER, (seqs,))
    ]
    for statement in _PURGE:
        connection.execute(statement, (seqs,))
    # Into the pages that became free, as the disk may be full.
    connection.executemany(_REMEMBER, digests)


def _shrink(connection: sqlite3.Connection) -> bool:
    (is_incremental,) = connection.execute("SELECT auto_vacuum = 2 FROM pragma_auto_vacuum").fetchone()
    free, pages = _free(connection)
    if not is_incremental or free * _FREE_SHARE <= pages:
        return False
    # It returns a row without columns for each page: execute() would stop after the first.
    connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
    free, pages = _free(connection)
    return free * _FREE_SHARE > pages


def _free(connection: sqlite3.Connection) -> tuple[int, int]:
    found: tuple[int, int] = connection.execute(
        "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count"
    ).fetchone()
    return found
