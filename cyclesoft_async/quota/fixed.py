"""The limiter for a vendor who states a limit, or none, and whose answers tell nothing but 429."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

from cyclesoft_async.errors import QuotaExhausted

from .account import WINDOW
from .bucket import Bucket, Spend
from .headers import read_retry_after
from .ledger import MemoryLedger
from .limiter import Permit

__all__ = ["FixedLimiter"]


class FixedLimiter:
    """Keeps requests within one limit per moving minute, first come, first served; after a 429 all wait.

    It belongs to the event loop in which it is first used.

    Args:
        minutely: Requests in any minute; None: as many as come.
    """

    def __init__(self, minutely: int | None) -> None:
        self._bucket = Bucket(
            "minutely", sys.maxsize if minutely is None else minutely, WINDOW, MemoryLedger()
        )
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._news = asyncio.Event()

    async def acquire(self, *, max_wait: float | None = None, **_: object) -> Permit:
        """Wait for the right to send one request; here are neither lanes nor limits of endpoints.

        Args:
            max_wait: Seconds to wait at most; None waits as long as it takes.

        Raises:
            QuotaExhausted: The wait would take longer than `max_wait`.
        """
        clock = asyncio.get_running_loop().time
        latest = None if max_wait is None else clock() + max_wait
        self._waiting += 1
        try:
            self._refuse_later_than(latest, clock(), nth=self._waiting)
            async with self._turn:
                while (wait := self._bucket.opens_at(clock()) - clock()) > 0:
                    self._refuse_later_than(latest, clock(), nth=1)
                    self._news.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), wait)
                return Permit(self, (self._bucket.spend(clock()),))
        finally:
            self._waiting -= 1

    def _refuse_later_than(self, latest: float | None, now: float, nth: int) -> None:
        at = self._bucket.opens_at(now, nth)
        if latest is not None and at > latest:
            raise QuotaExhausted(datetime.fromtimestamp(time.time() + at - now, UTC), self._bucket.name)

    def snapshot(self) -> None:
        """Nothing: what others spend from the same limit is not known."""

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None:
        now = asyncio.get_running_loop().time()
        for spend in spends:
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                self._bucket.refused(spend, now, read_retry_after(headers, time.time()))
            else:
                self._bucket.answered(spend, now)
        self._news.set()

    def _unsent(self, spends: tuple[Spend, ...]) -> None:
        for spend in spends:
            self._bucket.unsent(spend)
        self._news.set()

    def _lost(self, spends: tuple[Spend, ...]) -> None:
        for spend in spends:
            self._bucket.lost(spend, asyncio.get_running_loop().time())
        self._news.set()

    def __repr__(self) -> str:
        return f"<FixedLimiter: {self._bucket.in_flight} in flight, {self._waiting} waiting>"
