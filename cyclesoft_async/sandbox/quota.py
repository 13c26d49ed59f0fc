"""Quota of an account: an exact moving minute, and a day from Dutch midnight to midnight.

Pure over `now` (unix seconds, monotonic). Vendor page: "API limits" (Introduction).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from .times import next_midnight

_WINDOW = 60.0


class MovingMinute:
    """Grants `limit` requests in every span of 60 seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._granted: deque[float] = deque()

    def remaining(self, now: float) -> int:
        """Return the number of requests that can be granted now."""
        while self._granted and self._granted[0] <= now - _WINDOW:
            self._granted.popleft()
        return self.limit - len(self._granted)

    def count(self, now: float) -> None:
        """Count one request."""
        self._granted.append(now)


class DutchDay:
    """Grants `limit` requests between two Dutch midnights."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.resets_at: float = 0.0
        self._used = 0

    def remaining(self, now: float) -> int:
        """Return the number of requests that can be granted today."""
        if now >= self.resets_at:
            self.resets_at, self._used = next_midnight(now), 0
        return self.limit - self._used

    def count(self) -> None:
        """Count one request."""
        self._used += 1


class Decision(NamedTuple):
    """Decision on a request, and the rate limit headers of its response."""

    granted: bool
    headers: dict[str, str]


class Quota:
    """Quota of one account. An endpoint's own limit applies on top of the account's.

    The minutely headers of an endpoint with its own limit show that limit.
    """

    def __init__(self, *, minutely_limit: int, daily_limit: int, own_limits: Mapping[str, int]) -> None:
        self._minute = MovingMinute(minutely_limit)
        self._day = DutchDay(daily_limit)
        self._own = {endpoint: MovingMinute(limit) for endpoint, limit in own_limits.items()}

    def spend(self, now: float, endpoint: str | None = None) -> Decision:
        """Count one request if every limit grants it. A refused request is not counted."""
        own = self._own.get(endpoint or "", self._minute)
        minutely = min(self._minute.remaining(now), own.remaining(now))
        daily = self._day.remaining(now)
        granted = minutely > 0 and daily > 0
        if granted:
            for minute in {self._minute, own}:
                minute.count(now)
            self._day.count()
        headers = {
            "X-RateLimit-Minutely-Limit": str(own.limit),
            "X-RateLimit-Minutely-Remaining": str(minutely - granted),
            "X-RateLimit-Daily-Limit": str(self._day.limit),
            "X-RateLimit-Daily-Remaining": str(daily - granted),
            "X-RateLimit-Daily-Reset": str(int(self._day.resets_at)),
        }
        return Decision(granted, headers)
