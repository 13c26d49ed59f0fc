"""Writes the tables of docs/reference/tables.md from their definitions: `python -m tools.tables`."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql, sqlite

from cyclesoft_async.bulksync.resources import ALL
from cyclesoft_async.bulksync.store.tables import rejected_rows
from cyclesoft_async.bulksync.store.views import DESCRIPTIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "tables.md"
BEGIN = "<!-- made by `python -m tools.tables` -->"

_LINKS = (
    ("workshop_orders", "customer_id", "customers"),
    ("workshop_orders", "repair_object_id", "repair_objects"),
    ("workshop_orders", "mechanic_employee_id", "employees"),
    ("repair_objects", "customer_id", "customers"),
    ("service_items", "object_id", "repair_objects"),
    ("service_items", "customer_id", "customers"),
    ("mechanic_days", "employee_id", "employees"),
)
"""References by the vendor's ids. No foreign keys: a list can name what another one does not show."""


def generated() -> str:
    """Return the part of the page that follows from the definitions."""
    parts = [BEGIN, "", "## Diagram", "", "```mermaid", *_diagram(), "```", ""]
    for kind in ALL:
        for table in kind.tables:
            is_lines = kind.lines is not None and table is kind.lines.table
            parts += _section(table, {} if is_lines else _docstrings(kind.model))
    parts += _section(rejected_rows, {})
    parts += ["## Views", ""]
    for name, text in DESCRIPTIONS.items():
        parts += [f"### `{name}`", "", text, ""]
    return "\n".join(parts).rstrip() + "\n"


def _diagram() -> Iterable[str]:
    yield "erDiagram"
    for kind in ALL:
        if kind.lines is not None:
            yield f"  {kind.name} ||--o{{ {kind.lines.table.name} : has"
    for table, column, other in _LINKS:
        yield f"  {other} ||--o{{ {table} : {column}"
    yield "  enums"
    yield "  repair_codes"


def _section(table: Table, texts: Mapping[str, str]) -> Iterable[str]:
    yield f"## `{table.name}`"
    yield ""
    if table.comment:
        yield table.comment
        yield ""
    yield "| column | SQLite | PostgreSQL | |"
    yield "|---|---|---|---|"
    for column in table.columns:
        text = column.comment or texts.get(column.name, "")
        key = "Key. " if column.primary_key else ""
        kinds = " | ".join(_kind(column, dialect) for dialect in (sqlite, postgresql))
        yield f"| `{column.name}` | {kinds} | {key}{text} |"
    yield ""


def _kind(column: Column[Any], dialect: Any) -> str:
    return column.type.compile(dialect=dialect.dialect()).lower()


def _docstrings(model: type) -> Mapping[str, str]:
    """Return what the model's source says of its fields, base classes included."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base.__module__.startswith("cyclesoft_async"):
            body = ast.parse(inspect.getsource(base).lstrip()).body[0]
            statements = body.body if isinstance(body, ast.ClassDef) else []
            for field, text in itertools.pairwise(statements):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    texts[field.target.id] = " ".join(str(text.value.value).split()).replace("|", "\\|")
    return texts


def main() -> int:
    """Write the page; with `--check`, only report whether it is up to date."""
    page = PAGE.read_text(encoding="utf-8")
    made = page.partition(BEGIN)[0] + generated()
    if "--check" in sys.argv:
        return int(page != made)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
