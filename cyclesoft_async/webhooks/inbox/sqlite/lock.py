"""Lock that gives one process the inbox, on every system that SQLite runs on.

The lock file beside the inbox excludes other processes. It can be deleted while the inbox is open, so the
inbox itself is locked as well: one byte far beyond those that SQLite locks.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from cyclesoft_async.errors import InboxError, InboxLockedError

OWNER_ONLY: Final = 0o600
_LOCKED_BYTE: Final = 1 << 62
_open_inboxes: Final = set[tuple[int, int]]()
"""Device and inode of the inboxes of this process, which its own POSIX locks do not exclude."""


class ProcessLock:
    """Exclusive right of this process to an inbox, until it is closed or the process ends.

    Args:
        path: The inbox. It need not exist.

    Raises:
        InboxLockedError: Another process, or another `SqliteInbox` of this one, has the inbox open.
        InboxError: The lock file is not a regular file.
        sqlite3.OperationalError: The lock file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._until_closed = ExitStack()
        self._until_closed.enter_context(closing(_lock_file(path)))
        try:
            inode = os.stat(path)
        except OSError:
            return
        if (inode.st_dev, inode.st_ino) in _open_inboxes:
            self.close()
            raise _locked(path)

    def lock_inbox(self) -> os.stat_result:
        """Lock the inbox itself, which SQLite has open in WAL mode; return what identifies it.

        Before, SQLite may drop every lock that this process has on the file.
        """
        if sys.platform == "win32":  # deletes no file that is open
            return os.stat(self._path)
        import fcntl  # noqa: PLC0415 - Windows has none

        descriptor = os.open(self._path, os.O_RDWR)
        # Closing a descriptor ends SQLite's locks as well, so this stays open as long as SQLite's.
        self._until_closed.callback(os.close, descriptor)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCKED_BYTE)
        except OSError:
            raise _locked(self._path) from None
        found = os.fstat(descriptor)
        identity = (found.st_dev, found.st_ino)
        _open_inboxes.add(identity)
        self._until_closed.callback(_open_inboxes.discard, identity)
        return found

    def close(self) -> None:
        """Release the lock. SQLite's connection must be closed before."""
        self._until_closed.close()


def create_private(path: Path) -> None:
    """Create a file that only its owner may read, unless it exists.

    Raises:
        sqlite3.OperationalError: It cannot be created.
    """
    # Opening and closing a file that exists would end the locks that this process has on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    except FileExistsError:
        pass
    except OSError as error:
        raise sqlite3.OperationalError(f"{path}: {error.strerror}") from None


def _lock_file(path: Path) -> sqlite3.Connection:
    lock = Path(f"{path}.lock")
    create_private(lock)
    _require_regular(lock)
    connection = sqlite3.connect(lock, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # it has nothing to restore after a crash
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise _locked(path) from None
        raise
    return connection


def _require_regular(lock: Path) -> None:
    # In a directory that others may write, a link would have SQLite create or lock a file of their choice.
    if not stat.S_ISREG(os.lstat(lock).st_mode):
        raise InboxError(f"the lock file {lock} must be a regular file, got a link or a special file")


def _locked(path: Path) -> InboxLockedError:
    return InboxLockedError(
        f"another process has the inbox {path} open; a SqliteInbox is for one process (--workers 1),"
        " several share a PostgresInbox"
    )
