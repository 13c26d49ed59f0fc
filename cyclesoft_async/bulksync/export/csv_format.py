"""CSV as in RFC 4180, in UTF-8. It differs from the module `csv` in two ways.

NULL is an empty field, and empty text is `""`. Text that a spreadsheet would calculate is made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from sqlalchemy import Table

# https://owasp.org/www-community/attacks/CSV_Injection, wide characters included. Text that already begins
# with apostrophes and one of these gets another apostrophe, so that readers can undo it.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def write_csv(file: BinaryIO, table: Table, batches: Iterable[Sequence[Iterable[Any]]]) -> None:
    """Write a line of column names, then a line for each row."""
    file.write(_line(column.name for column in table.columns))
    for rows in batches:
        file.writelines(map(_line, rows))


def _line(values: Iterable[object]) -> bytes:
    return (",".join(map(_field, values)) + "\r\n").encode()


def _field(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format(value, "f")  # str() writes a large one as 1E+16
        case datetime() | date():
            return value.isoformat()
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    harmless = f"'{text}" if _FORMULA.match(text) else text
    return '"' + harmless.replace('"', '""') + '"'
