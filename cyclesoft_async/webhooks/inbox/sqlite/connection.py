"""The open SQLite file of an inbox: private, locked for one process, and watched for being replaced.

All of it runs in the thread of the group committer.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import time_ns
from typing import Final

from cyclesoft_async.errors import InboxError, InboxUnavailableError

from .lock import OWNER_ONLY, ProcessLock, create_private
from .reserve import Reserve
from .upgrades import prepare_schema

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_OTHERS: Final = 0o077
_FILE_CLOCK_NS: Final = 2_000_000_000
LOCK_WAIT_SECONDS: Final = 1.5
"""How long a write waits for another program's lock. A delivery waits for the batch before it, too."""


class InboxFile:
    """An open inbox.

    Args:
        path: The file. It is created, readable by its owner only, when it is missing.
        on_open: Called once the file is open, before anything is written.

    Attributes:
        path: The file.
        connection: Connection to the file. A statement outside of `transaction` is a transaction of its own.
        next_seq: `seq` of the next delivery.
        reserve: Disk space for a purge.

    Raises:
        InboxLockedError: Another process has the file open.
        InboxError: The file is not an inbox.
        sqlite3.OperationalError: The file cannot be written now.
    """

    def __init__(self, path: Path, *, on_open: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self._replaced: str | None = None
        self._lock_wait = LOCK_WAIT_SECONDS
        self.reserve: Reserve = Reserve(path)
        with ExitStack() as until_closed:
            lock = until_closed.enter_context(closing(ProcessLock(path)))
            self.connection: sqlite3.Connection = until_closed.enter_context(closing(_connect(path)))
            self._opened = _Identity(path, lock.lock_inbox())
            following = "SELECT coalesce(max(seq), 0) + 1 FROM deliveries"
            self.next_seq: int = self.connection.execute(following).fetchone()[0]
            on_open(self.connection)
            self._until_closed = until_closed.pop_all()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit everything within, or nothing. Within another transaction, join it."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        with self.connection:  # commits, or rolls back
            yield

    @contextmanager
    def without_waiting(self) -> Generator[None]:
        """Fail at once when another program has the file locked."""
        before = self._lock_wait
        self.wait_for_lock(0.0)
        try:
            yield
        finally:
            self.wait_for_lock(before)

    def wait_for_lock(self, seconds: float) -> None:
        """Set how long a write waits for another program's lock."""
        if seconds != self._lock_wait:
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._lock_wait = seconds

    def require_in_place(self) -> None:
        """Check that the open files are still those at their paths. What was committed is lost otherwise.

        Raises:
            InboxUnavailableError: One was moved, deleted or replaced. This is permanent.
        """
        if self._replaced is None:
            self._replaced = self._opened.difference()
            if self._replaced is not None:
                self._abandon()
        self.require_not_replaced()

    def require_not_replaced(self) -> None:
        """Check that no file was found to be replaced.

        Raises:
            InboxUnavailableError: One was.
        """
        if self._replaced is not None:
            raise InboxUnavailableError(
                f"{self._replaced} was moved, deleted or replaced while the inbox was open;"
                " restart the receiver"
            )

    def empty_log(self) -> None:
        """Copy the write-ahead log into the file and truncate it, unless another program reads just now.

        What was deleted is in none of the files then.
        """
        with suppress(sqlite3.Error), self.without_waiting():
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file, then release the lock."""
        self._until_closed.close()

    def _abandon(self) -> None:
        logger.error(
            "%s was moved, deleted or replaced while the inbox was open: deliveries are answered 503."
            " Stop the receiver, put the files in order, start it again",
            self._replaced,
            extra={"inbox": str(self.path)},
        )
        # The log must not be applied to a file that took the place of this one. If it is still ours, it goes
        # into the file that is open, which may have another name now.
        self.empty_log()


class _Identity:
    """Device and inode of the inbox and of SQLite's files beside it."""

    def __init__(self, path: Path, opened: os.stat_result) -> None:
        self._files = {
            str(path): (opened.st_dev, opened.st_ino),
            **{beside: _inode(beside) for beside in (f"{path}-wal", f"{path}-shm")},
        }
        self._folder = str(path.parent)
        self._unchanged: tuple[int, int, int] | None = None

    def difference(self) -> str | None:
        """Return the path of a file that is not the one that was opened."""
        # While no name in the folder changes, neither do the files. Each look at one gives up the interpreter
        # to a busy event loop, which costs a commit more than the look itself.
        folder = _folder_state(self._folder)
        if folder is not None and folder == self._unchanged:
            return None
        for path, opened in self._files.items():
            if _inode(path) != opened:
                return path
        # The clock of file systems ticks every few milliseconds: another change may have the same time.
        is_settled = folder is not None and time_ns() - folder[-1] > _FILE_CLOCK_NS
        self._unchanged = folder if is_settled else None
        return None


def _folder_state(path: str) -> tuple[int, int, int] | None:
    """Return device and inode of a folder, and when a name in it changed, in nanoseconds."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    if path.exists() and not path.is_file():  # as root, /dev/null would be made private
        raise InboxError(f"the inbox must be a regular file, got {path}")
    create_private(path)
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None, cached_statements=512)
    try:
        create_or_upgrade = prepare_schema(connection, path)
        _keep_private(path)
        create_or_upgrade()
        # SQLite opens its log and the index of it at the first read.
        connection.execute("SELECT count(*) FROM health").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_private(path: Path) -> None:
    try:
        if path.stat().st_mode & _OTHERS:
            path.chmod(OWNER_ONLY)
    except OSError as error:
        raise sqlite3.OperationalError(
            f"others may read {path}, and that can't be changed: {error.strerror}"
        ) from None
