"""When to try a failed event again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_LONGEST: Final = 3600.0


def delay(attempt: int, first: float, random: Callable[[], float]) -> float:
    """Seconds to wait after a failed attempt: doubled each time, up to an hour, less up to half at random.

    Args:
        attempt: Which attempt failed; 1 for the first.
        first: Seconds to wait at most after the first.
        random: Gives numbers from 0 up to 1.
    """
    longest = min(_LONGEST, first * 2.0 ** min(attempt - 1, 60))
    return longest * (1.0 - random() / 2.0)
