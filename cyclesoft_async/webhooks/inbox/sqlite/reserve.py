"""Reserve of disk space beside the inbox, given up so that a purge works on a full disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from .lock import OWNER_ONLY

_BYTES: Final = 1024 * 1024


class Reserve:
    """A file of 1 MiB: deleting rows needs room for the write-ahead log first.

    Args:
        path: The inbox.
    """

    def __init__(self, path: Path) -> None:
        self._file = Path(f"{path}.reserve")

    def keep(self) -> None:
        """Create the file if there is room for it."""
        with suppress(FileExistsError, OSError):
            descriptor = os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
            try:
                written = os.write(descriptor, bytes(_BYTES))  # a hole would reserve nothing
            except OSError:
                written = 0
            finally:
                os.close(descriptor)
            if written < _BYTES:
                self.give_up()

    def give_up(self) -> None:
        """Delete the file."""
        with suppress(OSError):
            self._file.unlink()
