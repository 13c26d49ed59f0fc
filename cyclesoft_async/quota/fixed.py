"""The limiter for a vendor who states a limit, or none, and whose answers tell nothing but 429."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from .gate import Gate
from .headers import read_retry_after
from .state import TOO_MANY_REQUESTS, Account
from .window import Spend

__all__ = ["FixedLimiter"]


class FixedLimiter(Gate):
    """Keeps requests within one limit per moving minute, first come, first served; after a 429 all wait.

    It belongs to the event loop in which it is first used.

    Args:
        minutely: Requests in any minute; None: as many as come.
    """

    def __init__(self, minutely: int | None) -> None:
        super().__init__(_FixedAccount(minutely), max_concurrent=sys.maxsize)

    def snapshot(self) -> None:
        """Nothing: what others spend from the same limit is not known."""

    def __repr__(self) -> str:
        return f"<FixedLimiter: {self._account.minute.in_flight} in flight, {self._lanes.waiting} waiting>"


class _FixedAccount(Account):
    """An account whose limit is known, and that has none for the day."""

    def __init__(self, minutely: int | None) -> None:
        super().__init__(bulk_reserve=0, wall=time.time)
        self.minute = self._new_bucket("minutely", sys.maxsize if minutely is None else minutely)
        self.day.limit = sys.maxsize

    def answered(
        self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str], now: float
    ) -> None:
        """See `Account`."""
        for spend in spends:
            if status == TOO_MANY_REQUESTS:
                spend.bucket.refused(spend, now, read_retry_after(headers, self.wall()))
            else:
                spend.bucket.answered(spend, now)
