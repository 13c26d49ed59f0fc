"""Type hints of parameters and fields."""

from __future__ import annotations

from collections.abc import Sequence
from types import GenericAlias, UnionType
from typing import Union, get_args, get_origin

from msgspec import Struct, UnsetType


def is_struct(hint: object) -> bool:
    """Whether a type is a struct."""
    return isinstance(hint, type) and issubclass(hint, Struct)


def is_sequence(hint: object) -> bool:
    """Whether a type is a sequence of something."""
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def options(hint: object) -> list[object]:
    """Return the members of a union without None and UNSET."""
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return [member for member in members if member not in {type(None), UnsetType}]


def plain(hint: object) -> object:
    """Return the type of what is sent: without None and UNSET, a sequence as a list."""
    first = options(hint)[0]
    return GenericAlias(list, get_args(first)) if is_sequence(first) else first
