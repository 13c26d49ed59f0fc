"""Texts that the server may send as numbers, and that no reader meets as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    TextOrNumber: TypeAlias = str
else:
    # msgspec must take both in its fast pass; the owner's `__post_init__` makes texts of numbers.
    TextOrNumber = str | int
