"""Small bar charts as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import htpy as h
from msgspec import Struct

_HEIGHT: Final = 60
_BAR: Final = 6


class Chart(Struct, frozen=True, kw_only=True):
    """A series of counts."""

    title: str
    counts: Sequence[int]
    """Oldest first."""
    unit: str
    """What a bar stands for, e.g. "minute"."""


def bars(chart: Chart) -> h.Element:
    """Return a chart as an image with a text for screen readers."""
    highest = max(chart.counts, default=0)
    width = max(len(chart.counts), 1) * _BAR
    text = f"{chart.title}: {sum(chart.counts):,} in all, at most {highest:,} in one {chart.unit}"
    box = {"viewBox": f"0 0 {width} {_HEIGHT}", "preserveAspectRatio": "none"}
    return h.svg(".chart", box, role="img", aria_label=text)[
        (
            h.rect(
                x=str(index * _BAR),
                y=str(_HEIGHT - _height(count, highest)),
                width=str(_BAR - 1),
                height=str(_height(count, highest)),
            )
            for index, count in enumerate(chart.counts)
        )
    ]


def _height(count: int, highest: int) -> int:
    return max(1, round(_HEIGHT * count / highest)) if count else 0
