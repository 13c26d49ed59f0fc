"""The account's quotas, counted exactly: a moving minute, and a day that begins at Dutch midnight.

Pure over `now` (unix seconds, never going back). Vendor page: "API limits" (Introduction).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from .times import next_midnight

_WINDOW = 60.0


class MovingMinute:
    """Grants `limit` requests in any 60 seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._granted: deque[float] = deque()

    def remaining(self, now: float) -> int:
        """Return how many requests have room now."""
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
        self.resets_at = 0.0
        self._used = 0

    def remaining(self, now: float) -> int:
        """Return how many requests have room today."""
        if now >= self.resets_at:
            self.resets_at, self._used = next_midnight(now), 0
        return self.limit - self._used

    def count(self) -> None:
        """Count one request."""
        self._used += 1


class Verdict(NamedTuple):
    """Whether a request may go on, and the headers that its answer carries either way."""

    granted: bool
    headers: dict[str, str]


class Quota:
    """What one account may spend; an endpoint's own limit counts on top of the account's.

    The minutely headers of an endpoint with a limit of its own show that limit.
    """

    def __init__(self, *, minutely_limit: int, daily_limit: int, own_limits: Mapping[str, int]) -> None:
        self._minute = MovingMinute(minutely_limit)
        self._day = DutchDay(daily_limit)
        self._own = {endpoint: MovingMinute(limit) for endpoint, limit in own_limits.items()}

    def spend(self, now: float, endpoint: str | None = None) -> Verdict:
        """Count one request if every limit has room; a refused one counts nowhere."""
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
        return Verdict(granted, headers)
