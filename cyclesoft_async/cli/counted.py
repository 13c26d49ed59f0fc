"""Numbers with their nouns, for people."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None, *, width: int = 0) -> str:
    """Return the number and its noun: `1 order`, `5,000 orders`.

    Args:
        number: How many.
        noun: For one.
        plural: For any other number; the noun and an "s" by default.
        width: Align the number right in a column of this width, with a gap before the noun.
    """
    word = noun if number == 1 else plural or noun + "s"
    return f"{number:>{width},}  {word}" if width else f"{number:,} {word}"
