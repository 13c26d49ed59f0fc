"""Clock of a sandbox: unix seconds that a test can move."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class Clock:
    """Calling it returns unix seconds. Changes of the system clock do not affect it.

    Args:
        source: Returns monotonic unix seconds; the present time by default.
    """

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source or _steady_source()
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return unix seconds."""
        return self._source() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Move on by a span of time.

        Raises:
            ValueError: The span is negative.
        """
        if by < timedelta(0):
            raise ValueError(f"by must not be negative, got {by}")
        self._ahead += by.total_seconds()

    def move_to(self, moment: datetime) -> None:
        """Move to an aware datetime. Move back only before the first request, whose time would lie ahead.

        Raises:
            ValueError: The datetime has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError("moment must have a time zone")
        self._ahead += moment.timestamp() - self()


def _steady_source() -> Callable[[], float]:
    since_1970 = time.time() - time.monotonic()
    return lambda: since_1970 + time.monotonic()
