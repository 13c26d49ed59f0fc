"""Cutting a range of days into parts that can be read at the same time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from msgspec import Struct


class Window(Struct, frozen=True):
    """Whole days, the last one included."""

    first: date
    last: date


def split_days(first: date, last: date, parts: int) -> list[Window]:
    """Cut the days from `first` to `last`, both included, into at most `parts` windows of like length."""
    days = (last - first).days + 1
    parts = min(parts, days)
    edges = [first + timedelta(days=days * part // parts) for part in range(parts + 1)]
    return [Window(start, end - timedelta(days=1)) for start, end in pairwise(edges)]
