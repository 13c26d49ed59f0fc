"""The SQLite file: opened for one process alone, with the schema of this version, and safe after a crash.

All of it runs in the writer's thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import time
from typing import Final

from cyclesoft_async.errors import InboxError, InboxLockedError

SCHEMA_VERSION: Final = 2

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077
_DAY: Final = 86_400.0
PURGED_AT_ONCE: Final = 500

# Bodies lie apart, so that a change of state rewrites a small row and not the whole delivery. A batch of
# arrivals is one statement all the same: every further statement would give up the interpreter to a busy
# event loop, and getting it back takes longer than the write.
_SCHEMA: Final = """
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    delivery_id TEXT NOT NULL,
    variant INTEGER NOT NULL,
    event_name TEXT,
    lane TEXT NOT NULL,
    event_timestamp REAL,
    received_at REAL NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    replays INTEGER NOT NULL DEFAULT 0,
    handled TEXT NOT NULL DEFAULT '[]',
    due_at REAL NOT NULL DEFAULT 0,
    changed_at REAL NOT NULL,
    cut_off INTEGER NOT NULL DEFAULT 0, -- some attempt was, and does not count
    UNIQUE (account_id, delivery_id, variant)
);
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE VIEW arrivals AS SELECT * FROM deliveries JOIN bodies USING (seq);
CREATE TRIGGER store_arrival INSTEAD OF INSERT ON arrivals BEGIN
    INSERT INTO bodies (seq, body) VALUES (new.seq, new.body);
    INSERT INTO deliveries (
        seq, account_id, delivery_id, variant, event_name, lane, event_timestamp, received_at, state, error,
        changed_at
    ) VALUES (
        new.seq, new.account_id, new.delivery_id, new.variant, new.event_name, new.lane, new.event_timestamp,
        new.received_at, new.state, new.error, new.received_at
    );
END;
CREATE TABLE lanes (lane TEXT PRIMARY KEY, newest REAL NOT NULL, changed_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE health (only_row INTEGER PRIMARY KEY, checked_at REAL NOT NULL);
PRAGMA user_version = 2;
"""
_FROM_1: Final = """
ALTER TABLE deliveries ADD COLUMN cut_off INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
"""


class Database:
    """An open file, with the lock beside it.

    Args:
        path: The file; it is made, readable by its owner only, when it is missing.
        keep_done_days: Days after which handled deliveries are deleted.
        keep_dead_days: Days after which dead and quarantined deliveries are deleted.
        opened: Called once the file is open, before anything is written.

    Attributes:
        connection: To the file; what is executed outside of `transaction` is a transaction of its own.
        next_seq: That of the next delivery.

    Raises:
        InboxLockedError: Another process has the file.
        InboxError: It is no inbox.
        sqlite3.OperationalError: It can't be written now.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_done_days: float,
        keep_dead_days: float,
        opened: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._keep_done = keep_done_days * _DAY
        self._keep_dead = keep_dead_days * _DAY
        self._purge_is_over = False
        with ExitStack() as until_closed:
            until_closed.enter_context(closing(_locked(path)))
            self.connection = until_closed.enter_context(closing(_connected(path)))
            self.next_seq = 1 + _number(self.connection, "SELECT coalesce(max(seq), 0) FROM deliveries")
            opened(self.connection)
            self._until_closed = until_closed.pop_all()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All that happens within is on disk after it, or none of it; within another one, after that."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        with self.connection:  # commits, or rolls back
            yield
        if self._purge_is_over:
            self._empty_log()

    def purge(self) -> int:
        """Delete up to 500 deliveries that are older than their retention; how many they were.

        Those who do so in a `transaction` may repeat it until there are fewer: then the log is emptied, too.
        """
        done_before, dead_before = time() - self._keep_done, time() - self._keep_dead
        old = self.connection.execute(
            "SELECT seq FROM deliveries WHERE (state = 'done' AND changed_at < ?)"
            " OR (state IN ('dead', 'quarantined') AND changed_at < ?) LIMIT ?",
            (done_before, dead_before, PURGED_AT_ONCE),
        ).fetchall()
        self.connection.executemany("DELETE FROM bodies WHERE seq = ?", old)
        self.connection.executemany("DELETE FROM deliveries WHERE seq = ?", old)
        self.connection.execute("DELETE FROM lanes WHERE changed_at < ?", (done_before,))
        self._purge_is_over = len(old) < PURGED_AT_ONCE
        return len(old)

    def close(self) -> None:
        """Close the file; then let others have it."""
        self._until_closed.close()

    def _empty_log(self) -> None:
        """Overwrite in the file what was deleted, and forget the log, which has it as it was."""
        self._purge_is_over = False
        with suppress(sqlite3.Error):  # a full disk; as when somebody reads just now, the next purge does it
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _locked(path: Path) -> sqlite3.Connection:
    """A lock that ends with the process, however it ends, on every system that SQLite runs on."""
    lock = Path(f"{path}.lock")
    _make_private(lock)
    connection = sqlite3.connect(lock, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # it has nothing to restore after a crash
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InboxLockedError(f"another process has the inbox {path} open") from None
        raise
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    _make_private(path)
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    try:
        version = _number(connection, "PRAGMA user_version")
        tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise InboxError(f"{path} is no inbox: {error}") from None
    if version > SCHEMA_VERSION:
        raise InboxError(f"the inbox {path} was made by a newer version of this library")
    if version == 0 and tables:
        raise InboxError(f"{path} is a database, but no inbox")
    _keep_private(path)
    if version == 0:
        # Three deliveries of the usual 2 to 3 kB fill a page; one of 4 KiB, the default, holds just one.
        connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # what was purged is people's data
    if version < SCHEMA_VERSION:
        connection.executescript(f"BEGIN IMMEDIATE; {_FROM_1 if version else _SCHEMA} COMMIT;")


def _make_private(path: Path) -> None:
    # Opening and closing a file that exists would end the locks that this process has on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    except FileExistsError:
        pass
    except OSError as error:
        raise sqlite3.OperationalError(f"{path}: {error.strerror}") from None


def _keep_private(path: Path) -> None:
    try:
        if path.stat().st_mode & _OTHERS:
            path.chmod(_OWNER_ONLY)
    except OSError as error:
        raise sqlite3.OperationalError(
            f"others may read {path}, and that can't be changed: {error.strerror}"
        ) from None


def _number(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    return int(value)
