"""Markdown beside the HTML: every page as `page.md`, and `llms.txt` with a line for each."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["write_markdown"]

_SECTIONS = {
    "": "Start",
    "how-to": "How-to",
    "reference": "Reference",
    "reference/api": "API reference",
    "explanation": "Explanation",
}
_INCLUDE = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)
_OBJECT = re.compile(r"^::: (\S+)(?:\n(?: {4}.*)?)*", re.MULTILINE)


def write_markdown(docs: Path, site: Path) -> None:
    """Write the pages and `llms.txt` into the built site."""
    lines = ["# cyclesoft_async", "", f"> {_summary(docs / 'index.md')}"]
    for folder, title in _SECTIONS.items():
        lines += ["", f"## {title}", ""]
        for page in sorted((docs / folder).glob("*.md")):
            text = _expanded(page.read_text(), docs.parent)
            target = site / page.relative_to(docs)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            lines.append(f"- [{_title(text)}]({page.relative_to(docs).as_posix()}): {_summary(page)}")
    (site / "llms.txt").write_text("\n".join(lines) + "\n")


def _expanded(text: str, root: Path) -> str:
    """Put included files in their place, and name the documented objects."""
    included = _INCLUDE.sub(lambda include: (root / include[1]).read_text().strip(), text)
    return _OBJECT.sub(lambda found: f"- `{found[1]}`\n", included)


def _title(text: str) -> str:
    return text.splitlines()[0].removeprefix("# ")


def _summary(page: Path) -> str:
    """Return the first paragraph, as one line."""
    for paragraph in page.read_text().split("\n\n")[1:]:
        if not paragraph.startswith(("#", "```", "|", ":::", "<", "!", "-", "---")):
            return " ".join(paragraph.split())
    return _title(page.read_text())
