"""Slices: a large table is walked by its key, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, func, select

from .transaction import Transaction

_ROWS: Final = 500
_BYTES: Final = 4_000_000


def next_slice(
    tx: Transaction, key: Column[Any], content: ColumnElement[Any], after: int | None
) -> Sequence[int]:
    """Return the keys of the next rows, at least one if there are any.

    Args:
        tx: The transaction.
        key: The table's key.
        content: The column that makes its rows large.
        after: The last key of the slice before; None at the beginning.
    """
    found = select(key, func.length(content)).order_by(key).limit(_ROWS)
    sizes = tx.connection.execute(found if after is None else found.where(key > after)).all()
    keys: list[int] = []
    total = 0
    for number, size in sizes:
        total += size
        if keys and total > _BYTES:
            break
        keys.append(number)
    return keys
