"""Bodies of deliveries as text for people: pretty, with people's data masked, or as a diff."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Final, cast

MASK: Final = "•••"
_LARGEST: Final = 64 * 1024
_MOST_LINES: Final = 2_000
_DEEPEST: Final = 40
# Texts that name no person, by the whole names of their fields. All others are masked: a payload can hold
# people's data under names that no list foresees.
_HARMLESS: Final = re.compile(
    r"id|event_name|status_text|\w+_type_text|\w+_status_text|\w+_id|barcode|currency|country_code|vat_code|error"
    r"|(?:date|datetime)(?:_\w+)?|\w+_(?:at|date|datetime)",
    re.IGNORECASE,
)
# Numbers are shown, but for those of people.
_PERSONAL_NUMBER: Final = re.compile(
    r"phone|mobile|house|postal|postcode|iban|birth|key_number|license|frame", re.IGNORECASE
)


def pretty(body: bytes, *, mask: bool) -> str:
    """Return a body as indented JSON, bounded in size and depth; or what it is, if it is not JSON.

    Args:
        body: The body.
        mask: Whether to show people's data as `MASK`.
    """
    try:
        value = json.loads(body[: _LARGEST * 4])
    except (ValueError, RecursionError):
        return _raw(body, mask=mask)
    lines = json.dumps(_shown(value, mask=mask), indent=2, ensure_ascii=False).splitlines()
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES:,} more lines"]
    return printable("\n".join(lines))


def difference(original: bytes, other: bytes, *, mask: bool) -> Iterator[str]:
    """Yield the lines of a diff of two bodies, each with its sign before it.

    Masked values are compared before they are masked: a line whose value differs is shown on both sides.
    """
    before, after = _lines(original, mask=mask), _lines(other, mask=mask)
    matcher = difflib.SequenceMatcher(
        a=[raw for raw, _ in before], b=[raw for raw, _ in after], autojunk=False
    )
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if kind == "equal":
            yield from (f"  {shown}" for _, shown in before[a_from:a_to])
        else:
            yield from (f"- {shown}" for _, shown in before[a_from:a_to])
            yield from (f"+ {shown}" for _, shown in after[b_from:b_to])


def printable(text: str) -> str:
    """Return a text without control characters, lone surrogates and marks that reverse what follows."""
    return "".join(
        char if char == "\n" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def _lines(body: bytes, *, mask: bool) -> list[tuple[str, str]]:
    raw, shown = pretty(body, mask=False).splitlines(), pretty(body, mask=mask).splitlines()
    return list(zip(raw, shown, strict=False))[:_MOST_LINES]


def _raw(body: bytes, *, mask: bool) -> str:
    if mask:
        return f"{len(body):,} bytes that cannot be shown as JSON"
    more = f"\n… {len(body) - _LARGEST:,} more bytes" if len(body) > _LARGEST else ""
    return printable(body[:_LARGEST].decode(errors="replace")) + more


def _shown(value: object, *, mask: bool, depth: int = 0, name: str = "") -> object:
    if depth > _DEEPEST:
        return "…"
    match value:
        case dict():
            members = cast("dict[str, object]", value)
            return {
                key: _shown(member, mask=mask, depth=depth + 1, name=key) for key, member in members.items()
            }
        case list():
            items = cast("list[object]", value)
            return [_shown(item, mask=mask, depth=depth + 1, name=name) for item in items]
        case str() if mask and value and not _HARMLESS.fullmatch(name):
            return MASK
        case int() | float() if mask and _PERSONAL_NUMBER.search(name):
            return MASK
        case _:
            return value
