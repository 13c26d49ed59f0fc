"""`cyclesoft export`: tables and views of a mirror as Parquet or CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cyclesoft_async.errors import UsageError

from .counted import counted
from .errors import naming
from .options import check_folder

if TYPE_CHECKING:
    from cyclesoft_async.bulksync.export.export import Format


@click.command(short_help="Write the database's tables into Parquet or CSV files.")
@click.option("--database", required=True, metavar="URL", help="For example sqlite:///shop.db.")
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="The folder of the files; created if it is missing.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Parquet needs the extra export.",
)
@click.option(
    "--tables",
    metavar="all|NAMES",
    default="all",
    show_default=True,
    help="Tables and views, such as workshop_orders,ready_for_pickup.",
)
def export(database: str, folder: Path, file_format: Format, tables: str) -> None:
    """Write tables and views of a database that `cyclesoft sync` fills into files.

    All files show one moment of the database. Rows that the server deleted are among them, with their
    deleted_at. Times are UTC. In CSV, text that a spreadsheet would calculate gets an apostrophe in front.

    Files of an earlier export are replaced once all new ones are complete. Other files of the same names are
    never overwritten. A password belongs in PGPASSWORD or ~/.pgpass.
    """
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed
    from cyclesoft_async.bulksync.export.export import export as export_files  # noqa: PLC0415 - see above
    from cyclesoft_async.bulksync.export.parquet_format import require_pyarrow  # noqa: PLC0415 - see above

    names = _names(tables)
    with naming("--database"):
        store = Store(database)
    check_folder("--to", folder)
    if file_format == "parquet":
        try:
            require_pyarrow()
        except ModuleNotFoundError as error:
            raise UsageError(f"--format parquet: {error}; or use --format csv") from None
    with naming("--to"):
        rows = export_files(store, folder, file_format=file_format, names=names)
    for name, count in rows.items():
        click.echo(f"{folder / name}: {counted(count, 'row')}")


def _names(given: str) -> list[str]:
    from cyclesoft_async.bulksync.export.export import EXPORTABLE  # noqa: PLC0415 - see above

    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if names == ["all"]:
        return list(EXPORTABLE)
    if not names or not EXPORTABLE.keys() >= set(names):
        raise UsageError(f"--tables must be all, or names of {', '.join(EXPORTABLE)}, got {given}")
    return names
