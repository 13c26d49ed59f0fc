"""Terminal picture of a command: `COMMAND 2>&1 | python -m tools.docs.recording "COMMAND" FILE.svg [LINES]`.

Of a long output the picture has the first line and the last ones.
"""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

__all__ = ["record"]

_WIDTH = 104


def record(command: str, output: str, path: Path, lines: int = 14) -> None:
    """Write the picture, as SVG."""
    console = Console(
        record=True, width=_WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "bold green"), command), soft_wrap=False)
    shown = output.splitlines()
    if len(shown) > lines:
        shown = [shown[0], "...", *shown[2 - lines :]]
    for line in shown:
        console.print(Text.from_ansi(line), soft_wrap=False)
    # rich embeds fonts by URL; a page must not load anything from elsewhere.
    svg = console.export_svg(title="cyclesoft_async", unique_id=path.stem)
    path.write_text(_without_fonts(svg))


def _without_fonts(svg: str) -> str:
    while "@font-face" in svg:
        before, _, rest = svg.partition("@font-face")
        svg = before + rest.partition("}")[2].lstrip()
    return svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")


if __name__ == "__main__":
    record(sys.argv[1], sys.stdin.read(), Path(sys.argv[2]), *map(int, sys.argv[3:4]))
