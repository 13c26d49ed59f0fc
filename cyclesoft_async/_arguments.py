"""Checks of arguments at run time, for callers without a type checker."""

from __future__ import annotations

from .errors import UsageError


def check_type(name: str, value: object, expected: type) -> None:
    """Check an argument's type.

    Raises:
        UsageError: It has another one. The text shows the type only: the value may name a person.
    """
    if not isinstance(value, expected):
        raise UsageError(f"{name} must be a {expected.__name__}, got {type(value).__name__}")
