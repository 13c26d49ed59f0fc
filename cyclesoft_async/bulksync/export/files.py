"""Files of an export: written beside the earlier ones, which they replace together."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from cyclesoft_async.errors import UsageError

MANIFEST: Final = "cyclesoft-export.json"
_PRIVATE: Final = 0o600


class ExportedFile(Struct, frozen=True):
    """A file of an export."""

    rows: int
    exported_at: datetime
    """The moment of the database that it shows, in UTC."""


class _Manifest(Struct):
    files: dict[str, ExportedFile]


class Staging:
    """A folder beside the files of an export, which holds the new ones until all of them are complete."""

    def __init__(self, folder: Path, beside: Path, earlier: Mapping[str, ExportedFile]) -> None:
        self._folder = folder
        self._beside = beside
        self._earlier = earlier

    @contextmanager
    def create(self, name: str) -> Generator[BinaryIO]:
        """Create a file that only its owner can read. On exit it is on the disk."""
        descriptor = os.open(self._beside / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def publish(self, files: Mapping[str, ExportedFile]) -> None:
        """Put the files in their places."""
        manifest = _Manifest({**self._earlier, **files})
        with self.create(MANIFEST) as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        # The manifest comes first: if this is interrupted, the next export still knows its files.
        for name in (MANIFEST, *files):
            (self._beside / name).replace(self._folder / name)


@contextmanager
def staging(folder: Path, names: Collection[str]) -> Generator[Staging]:
    """Open a staging folder for files of these names. The folder itself is created if it is missing.

    Raises:
        UsageError: A file of that name is not of an earlier export.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    earlier = _read_manifest(folder / MANIFEST)
    foreign = [name for name in names if os.path.lexists(folder / name) and name not in earlier]
    if foreign:
        raise UsageError(
            f"{', '.join(foreign)} in {folder} must not exist, as {MANIFEST} there does not list it;"
            " move it away or use another folder"
        )
    with TemporaryDirectory(prefix=".cyclesoft-export-", dir=folder) as beside:
        yield Staging(folder, Path(beside), earlier)


def _read_manifest(path: Path) -> Mapping[str, ExportedFile]:
    if not os.path.lexists(path):
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Manifest).files
    except (msgspec.DecodeError, OSError):
        raise UsageError(f"{path} is not a list of exported files; move it away") from None
