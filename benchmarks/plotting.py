"""Picture of the results: a panel of bars per charted table."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .measuring import Table
from .reporting import Results

__all__ = ["plot"]

_OURS, _OTHERS = "#1f6feb", "#b8c0c8"


def plot(results: Results, path: Path) -> None:
    """Write the picture, as SVG."""
    # Untyped, so imported as Any.
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cyclesoft"  # the same results give the same file
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    tables = [table for part in results.parts for table in part.tables if table.charted]
    if not tables:
        return
    figure, axes = pyplot.subplots(
        len(tables), 1, figsize=(8, sum(map(_height, tables))), squeeze=False,
        gridspec_kw={"height_ratios": [_height(table) for table in tables]}, layout="constrained",
    )  # fmt: skip
    for axis, table in zip(axes[:, 0], tables, strict=True):
        _bars(axis, table)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _height(table: Table) -> float:
    return 0.8 + 0.3 * len(table.rows)


def _bars(axis: Any, table: Table) -> None:
    column = table.columns[-1]
    rows = [row for row in table.rows if column in table.rows[row]]
    medians = [table.median(row, column) for row in rows]
    below = [middle - min(table.rows[row][column]) for row, middle in zip(rows, medians, strict=True)]
    above = [max(table.rows[row][column]) - middle for row, middle in zip(rows, medians, strict=True)]
    colours = [_OURS if row.startswith("ours") or row == "cyclesoft_async" else _OTHERS for row in rows]
    axis.barh(rows, medians, xerr=[below, above], color=colours, ecolor="#57606a")
    axis.invert_yaxis()
    axis.set_title(f"{table.title}, {table.unit} ({column})", fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
