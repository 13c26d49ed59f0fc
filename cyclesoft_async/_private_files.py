"""Files that only their owner may use."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


def create_private_file(path: str | Path) -> None:
    """Create an empty file that only its owner may read, unless something is there.

    A program that then opens it can report why it could not be created.
    """
    with suppress(OSError):
        # A link to a missing file is created where it leads, as by SQLite.
        descriptor = os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY)
        os.close(descriptor)


def is_open_to_others(path: str | Path) -> bool:
    """Return whether this is a regular file that other users may read or write."""
    if os.name == "nt":  # whose modes do not tell
        return False
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & _OTHERS)
