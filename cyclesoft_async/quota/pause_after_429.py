"""Pause after a 429: exponential backoff, which Retry-After only lengthens. Plain state, no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["Pause"]

_SHORTEST, _LONGEST_BACKOFF = 1.0, 60.0
_LONGEST = 600.0
"""Seconds until a probe finds out whether a Retry-After of a day was meant."""


@dataclass(eq=False, slots=True)
class Pause:
    """Time after a 429 in which nothing is sent."""

    until: float = -inf
    backoff: float = _SHORTEST
    """Seconds of the next pause."""

    def begin(self, at: float) -> None:
        """Pause after a 429 that came at `at`, twice as long each time."""
        self.until = max(self.until, at + self.backoff)
        self.backoff = min(2 * self.backoff, _LONGEST_BACKOFF)

    def lengthen(self, at: float, retry_after: float) -> bool:
        """Pause as long as the server asks for. Return False if the pause is longer already."""
        if at + retry_after < self.until:
            return False
        self.until = at + min(retry_after, _LONGEST)
        return True

    def reset(self) -> None:
        """Make the next pause the shortest again: the server has room."""
        self.backoff = _SHORTEST
