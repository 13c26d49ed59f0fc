"""Overlap: a cursor that is a number of rows is moved back by one row.

On a server that counts rows, a row that leaves a list while it is read moves all later rows forward, and the
next page begins one row too late. Pages that overlap by one row show that.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode

_COUNTS_OF_ROWS: Final = frozenset({"offset", "skip", "start"})


def step_back(cursor: str, position: int) -> str | None:
    """Return the cursor of the page that begins one row earlier.

    Args:
        cursor: Path and query.
        position: How many rows of the list have been read.

    Returns:
        None if the cursor is no number of rows: then nothing is known of how the server counts.
    """
    path, _, query = cursor.partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    counts = [name for name, value in given if name in _COUNTS_OF_ROWS and value == str(position)]
    if position < 1 or len(counts) != 1:
        return None
    moved = [(name, str(position - 1) if name == counts[0] else value) for name, value in given]
    return f"{path}?{urlencode(moved)}"
