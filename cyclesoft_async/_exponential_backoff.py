"""Exponential backoff: the formula behind the delays of all retries."""

from __future__ import annotations

from typing import Final

_MOST_DOUBLINGS: Final = 64  # beyond any sane limit; 2**1024 does not fit a float


def exponential_backoff(attempt: int, *, first: float, longest: float) -> float:
    """Return the delay after a failed attempt, before any jitter.

    Args:
        attempt: Number of the failed attempt, from 1.
        first: Delay after the first failure, in seconds. It doubles with each further failure.
        longest: Upper bound, in seconds.
    """
    return min(longest, first * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))
