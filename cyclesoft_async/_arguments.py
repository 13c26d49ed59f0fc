"""Checks of arguments at run time, for callers without a type checker."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from datetime import date, datetime
from typing import TypeGuard, TypeVar, cast

from .errors import UsageError

T = TypeVar("T")


def check_type(name: str, value: object, expected: type) -> None:
    """Check an argument's type.

    Raises:
        UsageError: It has another one. The text shows the type only: the value may name a person.
    """
    if not isinstance(value, expected):
        raise UsageError(f"{name} must be a {expected.__name__}, got {type(value).__name__}")


def check_path(path: object) -> None:
    """Check a path of the caller's own.

    Raises:
        UsageError: It is not a text, or has a query or a fragment.
    """
    check_type("path", path, str)
    if "?" in str(path) or "#" in str(path):
        raise UsageError("path must not have a query: use params")


def check_id(name: str, value: object) -> int:
    """Return an id that may stand in a path or a query.

    Raises:
        UsageError: It is not a whole number, or negative.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"{name} must be an int >= 0, got {_shown(value)}")
    return int(value)  # of an enum's member, whose text would be its name


def check_ids(name: str, values: object, at_most: int | None = None) -> Sequence[int] | None:
    """Return a list of ids, or None. The server takes an empty one for every id.

    Raises:
        UsageError: It is empty or no list of ids, or has more than `at_most`.
    """
    if values is None:
        return None
    if not _is_list(values) or not values:
        raise UsageError(f"{name} must be a non-empty list of ids like [1, 2], got {_shown(values)}")
    check_length(name, values, at_most)
    return [check_id(name, value) for value in values]


def check_length(name: str, values: Sized, at_most: int | None) -> None:
    """Check that there are not too many things for one request.

    Raises:
        UsageError: There are more than `at_most`.
    """
    if at_most is not None and len(values) > at_most:
        raise UsageError(f"{name} must have at most {at_most} entries, got {len(values)}")


def check_text(name: str, value: object) -> str:
    """Return a text.

    Raises:
        UsageError: It is not a str, or blank.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a str, got {type(value).__name__}")
    if not value.strip():
        raise UsageError(f"{name} must not be blank")
    return value


def check_texts(name: str, values: object, at_most: int | None = None) -> Sequence[str]:
    """Return a list of texts. A single text is refused, as it is a list of its letters.

    Raises:
        UsageError: It is empty or no list of texts, one of them is blank, or it has more than `at_most`.
    """
    if not _is_list(values) or not values:
        raise UsageError(f"{name} must be a non-empty list of texts, got {_shown(values)}")
    check_length(name, values, at_most)
    return [check_text(name, value) for value in values]


def check_all(name: str, values: object, expected: type[T], at_most: int | None = None) -> Sequence[T]:
    """Return a list of objects of one type.

    Raises:
        UsageError: It is empty or no such list, or has more than `at_most`.
    """
    if not _is_list(values) or not values:
        raise UsageError(f"{name} must be a non-empty list of {expected.__name__}, got {_shown(values)}")
    check_length(name, values, at_most)
    for value in values:
        check_type(name, value, expected)
    return cast("Sequence[T]", values)


def check_word(name: str, value: object, words: Sequence[str]) -> str | None:
    """Return one of some words, or None.

    Raises:
        UsageError: It is another one.
    """
    if value is None or value in words:
        return cast("str | None", value)
    raise UsageError(f"{name} must be one of {', '.join(words)}, got {_shown(value)}")


def check_count(name: str, value: object, at_most: int | None = None) -> int | None:
    """Return a number of things, or None.

    Raises:
        UsageError: It is not a whole number of at least 1, or more than `at_most`.
    """
    if value is None:
        return None
    number = check_id(name, value)
    if number < 1 or (at_most is not None and number > at_most):
        limits = ">= 1" if at_most is None else f"from 1 to {at_most}"
        raise UsageError(f"{name} must be an int {limits}, got {number}")
    return number


def check_day(name: str, value: object) -> date | None:
    """Return a day, or None.

    Raises:
        UsageError: It is not a date, or a datetime, whose day depends on its zone.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        raise UsageError(f"{name} must be a date, got a datetime: its day depends on its zone")
    if not isinstance(value, date):
        raise UsageError(f"{name} must be a date, got {type(value).__name__}")
    return value


def check_days(
    first_name: str, first: object, last_name: str, last: object, at_most: int | None = None
) -> dict[str, date | None]:
    """Return the first and the last day of a range by their names. Either may be None.

    Raises:
        UsageError: One is no date, they are the wrong way round, or they span more than `at_most` days.
    """
    start, end = check_day(first_name, first), check_day(last_name, last)
    if start and end:
        if start > end:
            raise UsageError(f"{first_name} must not be after {last_name}, got {start} and {end}")
        days = (end - start).days + 1
        if at_most is not None and days > at_most:
            raise UsageError(f"{first_name} to {last_name} must be at most {at_most} days, got {days}")
    return {first_name: start, last_name: end}


def check_moment(name: str, value: object) -> datetime | None:
    """Return an aware time, or None.

    Raises:
        UsageError: It is not a datetime, or has no zone.
    """
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise UsageError(f"{name} must be a datetime, got {type(value).__name__}")
    if value.tzinfo is None:
        raise UsageError(f"{name} must have a zone: add tzinfo=models.AMSTERDAM")
    return value


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shown(value: object) -> str:
    """Return a number as it is, and the type of anything else, which may name a person."""
    return repr(value) if isinstance(value, int) else type(value).__name__
