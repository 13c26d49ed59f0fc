"""Fields of a record that a request names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cyclesoft_async.sandbox.responses import bad_request

from .overlay import Record


def write_texts(record: Record, given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set texts of a record that a request names; null becomes an empty text.

    Raises:
        ApiError: A value is not a text.
    """
    for name in names:
        value = given.get(name, record[name])
        if value is not None and not isinstance(value, str):
            raise bad_request(f"{name} must be a string")
        record[name] = value or ""


def write_integers(record: Record, given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set whole numbers of a record that a request names.

    Raises:
        ApiError: A value is not a whole number.
    """
    for name in names:
        value = given.get(name, record[name])
        if value is not None and type(value) is not int:
            raise bad_request(f"{name} must be an integer")
        record[name] = value
