"""Exported files as they are read back."""

import csv
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CALCULATED = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def plain_text(field: str) -> str:
    """Return the text of a CSV field, as docs/how-to/export.md says that it is restored."""
    return field[1:] if field.startswith("'") and field.lstrip("'").startswith(CALCULATED) else field


def read_csv(file: Path) -> Sequence[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_parquet(file: Path) -> Sequence[dict[str, Any]]:
    parquet: Any = importlib.import_module("pyarrow.parquet")  # it has no types
    rows: Sequence[dict[str, Any]] = parquet.read_table(file).to_pylist()
    return rows
