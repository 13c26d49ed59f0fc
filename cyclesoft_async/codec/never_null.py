"""Lists that the server may send as null and that no reader meets as None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Optional, TypeAlias, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    NeverNullList: TypeAlias = list[T]
else:
    # msgspec must take null; the owner's `__post_init__` makes an empty list of it.
    NeverNullList = Optional[list[T]]  # noqa: UP045 - `list[T] | None` can't be subscripted

NULL: Final[object] = None
"""What a `NeverNullList` can be until `__post_init__` has run, which its type does not say."""
