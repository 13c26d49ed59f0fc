"""Griffe extension: a docstring's `::` block becomes a fenced one, as Markdown knows no other mark for it."""

from __future__ import annotations

from typing import Any

import griffe

__all__ = ["LiteralBlocks"]


class LiteralBlocks(griffe.Extension):
    """Rewrites the docstring of each object that was read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace `::` and the indented lines below it."""
        if obj.docstring is not None:
            obj.docstring.value = _fenced(obj.docstring.value, "text" if obj.is_module else "python")


def _fenced(text: str, language: str) -> str:
    lines: list[str] = []
    in_block = False
    for line in text.splitlines():
        if line == "::":
            in_block = True
            lines.append(f"```{language}")
        elif in_block and line and not line.startswith(" "):
            while not lines[-1]:
                lines.pop()
            lines += ["```", "", line]
            in_block = False
        else:
            lines.append(line)
    if in_block:
        lines.append("```")
    return "\n".join(lines)
