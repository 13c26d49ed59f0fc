"""Reports: JSON, Markdown, and the tables of the README."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from .machine import Machine
from .measuring import Goal, Part, Table

__all__ = ["Results", "markdown", "put_into"]


class Results(Struct, kw_only=True):
    """A run of the program."""

    machine: Machine
    is_quick: bool
    parts: list[Part]

    def write(self, path: Path) -> None:
        """Write JSON with the number of every round."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)))


def markdown(results: Results) -> str:
    """Return all tables and goals, and the machine."""
    parts = "\n".join(_part(part, is_quick=results.is_quick) for part in results.parts)
    return f"{_machine(results)}\n{parts}"


def put_into(readme: Path, results: Results) -> None:
    """Replace the README's tables of the measured parts, each between two comments with its name."""
    text = readme.read_text()
    sections = {part.name: _part(part, is_quick=results.is_quick) for part in results.parts}
    for name, section in {**sections, "machine": _machine(results)}.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        if start:
            _, end, after = rest.partition(f"<!-- end of {name} -->")
            text = f"{before}{start}{section}{end}{after}"
    readme.write_text(text)


def _machine(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return (
        f"{machine.at:%Y-%m-%d %H:%M} UTC; {machine.cores} cores of {machine.processor}; {machine.system};"
        f" load before: {machine.load:.2f}{'; a quick look, not to be quoted' if results.is_quick else ''}.\n"
        f"{versions}.\n"
    )


def _part(part: Part, *, is_quick: bool) -> str:
    command = f"python -m benchmarks {part.name}{' --quick' if is_quick else ''}"
    tables = "\n".join(_table(table) for table in part.tables)
    notes = "".join(f"{note}\n" for note in part.notes)
    return f"### `{command}`\n\n{tables}\n{_goals(part.goals)}{notes and chr(10)}{notes}"


def _table(table: Table) -> str:
    lines = [
        f"{table.title}, {table.unit}: median (lowest to highest){_of(table)}",
        "",
        f"| | {' | '.join(table.columns)} |",
        f"|---|{'---|' * len(table.columns)}",
    ]
    for row in table.rows:
        cells = [_cell(table, row, column) for column in table.columns]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of(table: Table) -> str:
    return f", and its ratio to {table.beside}" if table.beside else ""


def _cell(table: Table, row: str, column: str) -> str:
    rounds = table.rows[row].get(column)
    if rounds is None:
        return ""
    spread = "" if len(rounds) == 1 else f" ({_number(min(rounds))} to {_number(max(rounds))})"
    beside = "" if table.beside is None else f", {table.ratio(row, column, table.beside):.2f}"
    return f"{_number(median(rounds))}{spread}{beside}"


def _number(value: float) -> str:
    """Format with three significant figures."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{0 if value == int(value) else digits}f}"


def _goals(goals: list[Goal]) -> str:
    lines = ["| goal | asked | measured | |", "|---|---|---|---|"]
    for goal in goals:
        asked = f"≤ {goal.at_most:.4g}" if goal.at_most is not None else f"≥ {goal.at_least:.4g}"
        met = "met" if goal.is_met else "**short**"
        lines.append(f"| {goal.words} | {asked} | {goal.measured:.4g} | {met} |")
    return "\n".join(lines) + "\n"
