"""Hints: what the rows of a page let a plan expect of the other rows of its list.

A hint plans, and never concludes. A plan by a wrong hint costs requests, and no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

# A stretch of days without a row of a page is probably empty if it has this share of the list's days.
_EMPTY_SHARE: Final = 1 / 16
_LEAST_EMPTY_DAYS: Final = 8
# Days that show how many rows there are: with this share of a page's rows, at these places among them.
_SAMPLED_SHARE: Final = 1 / 64
_SAMPLED_PLACES: Final = (0.25, 0.75)


def empty_stretches(window: range, days: Sequence[int]) -> list[range]:
    """Return long stretches of a window without any of these days, which are those of a page's rows."""
    edges = [window.start - 1, *sorted({day for day in days if day in window}), window.stop]
    least = max(_LEAST_EMPTY_DAYS, len(window) * _EMPTY_SHARE)
    return [range(left + 1, right) for left, right in pairwise(edges) if right - left > least]


def samples(window: range, days: Sequence[int]) -> list[range]:
    """Return some short stretches of a window that have rows, by the days of a page's rows."""
    inside = sorted(day for day in days if day in window)
    reach = max(1, round(len(inside) * _SAMPLED_SHARE))
    found: list[range] = []
    for place in (int(place * len(inside)) for place in _SAMPLED_PLACES):
        stretch = inside[place : place + reach + 1]
        if stretch and (not found or found[-1].stop <= stretch[0]):
            found.append(range(stretch[0], max(stretch[0] + 1, stretch[-1])))
    return found
