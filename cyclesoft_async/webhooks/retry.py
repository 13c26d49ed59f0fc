"""When to try a failed event again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cyclesoft_async._backoff import exponential_backoff

_LONGEST: Final = 3600.0


def delay(attempt: int, first: float, random: Callable[[], float]) -> float:
    """Seconds to wait after a failed attempt: doubled each time, up to an hour, less up to half at random.

    Args:
        attempt: Which attempt failed; 1 for the first.
        first: Seconds to wait at most after the first.
        random: Gives numbers from 0 up to 1.
    """
    return exponential_backoff(attempt, first=first, longest=_LONGEST) * (1.0 - random() / 2.0)
