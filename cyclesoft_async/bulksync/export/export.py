"""Export of a store's tables and views as Parquet or CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias

from sqlalchemy import Table

from cyclesoft_async.bulksync.resources import ALL
from cyclesoft_async.bulksync.store.store import Store
from cyclesoft_async.bulksync.store.views import VIEWS

from .csv_format import write_csv
from .files import ExportedFile, staging
from .parquet_format import require_pyarrow, write_parquet

Format: TypeAlias = Literal["parquet", "csv"]
_Batches: TypeAlias = Iterable[Sequence[Iterable[Any]]]

EXPORTABLE: Final[Mapping[str, Table]] = {
    table.name: table for table in (*(table for kind in ALL for table in kind.tables), *VIEWS)
}
"""Mirrored tables and views by their names."""

_ROWS_AT_ONCE: Final = 5_000  # about 25 MB of orders with their JSON
_WRITERS: Final[Mapping[Format, Callable[[BinaryIO, Table, _Batches], None]]] = {
    "parquet": write_parquet,
    "csv": write_csv,
}


def export(
    store: Store, folder: Path, *, file_format: Format, names: Iterable[str] = tuple(EXPORTABLE)
) -> Mapping[str, int]:
    """Write tables and views into files of their names, all of one moment, and return their numbers of rows.

    Files of an earlier export are replaced once all new ones are complete.

    Args:
        store: The store. It stays as it is.
        folder: The folder; created if it is missing.
        file_format: The format of the files.
        names: Names in `EXPORTABLE`.

    Raises:
        UsageError: A file of that name is not of an earlier export.
        StoreError: The database can't be read.
        ModuleNotFoundError: The extra `export` is not installed, and the format is Parquet.
    """
    if file_format == "parquet":
        require_pyarrow()
    files = {f"{name}.{file_format}": EXPORTABLE[name] for name in names}
    with store.snapshot() as snapshot, staging(folder, files) as stage:
        exported_at = datetime.now(UTC)
        done: dict[str, ExportedFile] = {}
        for file_name, table in files.items():
            with (
                closing(snapshot.batches(table, _ROWS_AT_ONCE)) as batches,
                stage.create(file_name) as file,
            ):
                counted = _Counted(batches)
                _WRITERS[file_format](file, table, counted)
            done[file_name] = ExportedFile(rows=counted.rows, exported_at=exported_at)
        stage.publish(done)
    return {name: exported.rows for name, exported in done.items()}


class _Counted:
    """Batches, and how many rows they had."""

    def __init__(self, batches: _Batches) -> None:
        self.rows = 0
        self._batches = batches

    def __iter__(self) -> Iterator[Sequence[Iterable[Any]]]:
        for batch in self._batches:
            self.rows += len(batch)
            yield batch
