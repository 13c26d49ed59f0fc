"""Drawing of the rooms, from the imports: a line leads from a room down to each one that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import grimp

__all__ = ["draw_rooms"]

_PACKAGE = "cyclesoft_async"
_LEAVES = {"_arguments", "_exponential_backoff", "_extras", "_version"}
"""Small private files that most rooms import; they would hide the rest."""
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 124, 34, 30, 38, 24
_INK, _LINE, _BOX, _PAPER = "#1f2933", "#7b8794", "#dbe8fb", "#f8fafc"
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"

Uses = dict[str, set[str]]


class _Place(NamedTuple):
    """A room in the drawing, or the point where a longer line passes a row of rooms."""

    name: str
    middle: float
    y: float
    is_room: bool


def draw_rooms(path: Path) -> None:
    """Write the drawing, as SVG."""
    uses = _direct_uses()
    needed = {room: {one for one in uses[room] if not _indirect(uses, room, one)} for room in uses}
    lines = _lines(needed)
    rows = _rows(lines)
    width = 2 * _MARGIN + max(map(_row_width, rows))
    height = 2 * _MARGIN + len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y
    places = {place.name: place for place in _placed(rows, width)}
    curves = [_curve(places[one], places[other]) for line in lines for one, other in pairwise(line)]
    passing = [_passing(place) for place in places.values() if not place.is_room]
    boxes = [_box(place) for place in places.values() if place.is_room]
    drawn = "\n".join([*curves, *passing, *boxes])
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="Rooms of {_PACKAGE} and their imports">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>\n{drawn}\n</svg>\n'
    )


def _direct_uses() -> Uses:
    """Return the rooms that each room imports, for its work and not for types alone."""
    graph = grimp.build_graph(_PACKAGE, exclude_type_checking_imports=True)
    rooms = {name.removeprefix(f"{_PACKAGE}.") for name in graph.find_children(_PACKAGE)} - _LEAVES
    uses: Uses = {room: set() for room in sorted(rooms)}
    for room in uses:
        name = f"{_PACKAGE}.{room}"
        for module in {name} | graph.find_descendants(name):
            imported = graph.find_modules_directly_imported_by(module)
            uses[room] |= {one.split(".")[1] for one in imported if "." in one} & rooms
        uses[room].discard(room)
    return uses


def _indirect(uses: Uses, room: str, used: str) -> bool:
    """Whether `room` needs `used` through another room as well, so that its own line says nothing new."""
    return any(used in _reached(uses, other) for other in uses[room] if other != used)


def _reached(uses: Uses, room: str) -> set[str]:
    reached: set[str] = set()
    ahead = [room]
    while ahead:
        new = uses[ahead.pop()] - reached
        reached |= new
        ahead += new
    return reached


def _lines(uses: Uses) -> list[list[str]]:
    """Return a line for each use: the two rooms, and a name of its own for each row between them."""
    depths = _depths(uses)
    return [
        [room, *(f"{room}>{used}@{row}" for row in range(depths[room] + 1, depths[used])), used]
        for room in uses
        for used in sorted(uses[room])
    ]


def _depths(uses: Uses) -> dict[str, int]:
    """Return each room's row, from 0 at the top: below all that use it."""
    depths: dict[str, int] = {}

    def depth(room: str) -> int:
        if room not in depths:
            depths[room] = 1 + max((depth(one) for one in uses if room in uses[one]), default=-1)
        return depths[room]

    for room in uses:
        depth(room)
    return depths


def _rows(lines: list[list[str]]) -> list[list[str]]:
    """Return what stands in each row, each near what it is connected to above."""
    above: Uses = {}
    for line in lines:
        for upper, lower in pairwise(line):
            above.setdefault(upper, set())
            above.setdefault(lower, set()).add(upper)
    depths = _depths({name: {lower for lower in above if name in above[lower]} for name in above})
    rows: list[list[str]] = [[] for _ in range(1 + max(depths.values()))]
    for name in above:
        rows[depths[name]].append(name)
    order: dict[str, float] = {}
    for row in rows:
        row.sort(key=lambda name: mean([order[one] for one in above[name]] or [0.5]))
        order |= {name: (place + 0.5) / len(row) for place, name in enumerate(row)}
    return rows


def _is_room(name: str) -> bool:
    return ">" not in name


def _item_width(name: str) -> float:
    return _WIDTH if _is_room(name) else 0


def _row_width(row: list[str]) -> float:
    return sum(map(_item_width, row)) + _GAP_X * (len(row) - 1)


def _placed(rows: list[list[str]], width: float) -> Iterator[_Place]:
    for number, row in enumerate(rows):
        x = (width - _row_width(row)) / 2
        for name in row:
            middle = x + _item_width(name) / 2
            yield _Place(name, middle, _MARGIN + number * (_HEIGHT + _GAP_Y), _is_room(name))
            x += _item_width(name) + _GAP_X


def _curve(top: _Place, bottom: _Place) -> str:
    start, end = top.y + _HEIGHT, bottom.y
    bend = (start + end) / 2
    curve = f"M{top.middle},{start} C{top.middle},{bend} {bottom.middle},{bend} {bottom.middle},{end}"
    return f'<path d="{curve}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>'


def _passing(place: _Place) -> str:
    return f'<path d="M{place.middle},{place.y} v{_HEIGHT}" stroke="{_LINE}" stroke-width="1.5"/>'


def _box(place: _Place) -> str:
    return (
        f'<rect x="{place.middle - _WIDTH / 2}" y="{place.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
        f'fill="{_BOX}" stroke="{_LINE}"/>'
        f'<text x="{place.middle}" y="{place.y + 22}" fill="{_INK}" font-family="{_FONT}" font-size="14" '
        f'text-anchor="middle">{place.name}</text>'
    )
