"""Window: whole days, the unit in which lists are read and progress is stored."""

from __future__ import annotations

from datetime import date

from msgspec import Struct


class Window(Struct, frozen=True):
    """Whole days, the last one included."""

    first: date
    last: date
