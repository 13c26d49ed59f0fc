"""The limiter of a session: a gate that shows how its account's quota stands."""

from __future__ import annotations

import time
from collections.abc import Callable

from cyclesoft_async.snapshots import QuotaSnapshot, WindowQuota

from .gate import Gate
from .state import Account
from .window import Bucket

__all__ = ["Limiter"]


class Limiter(Gate):
    """Keeps the requests of a session within the account's quota: never one too many, and hardly one too few.

    It belongs to the event loop in which it is first used.

    Args:
        max_concurrent: Requests in flight at the same time, at most.
        bulk_reserve: Requests of the day that bulk work leaves alone; None leaves a twentieth of the limit.
        wall: Tells the time, in unix seconds.
        account: What is known of the quota; nothing by default.
    """

    def __init__(
        self,
        *,
        max_concurrent: int = 32,
        bulk_reserve: int | None = None,
        wall: Callable[[], float] = time.time,
        account: Account | None = None,
    ) -> None:
        super().__init__(
            account or Account(bulk_reserve=bulk_reserve, wall=wall), max_concurrent=max_concurrent
        )

    def snapshot(self) -> QuotaSnapshot:
        """The quota as it is known at this moment."""
        now = self._loop.time() if self._loop is not None else 0.0
        account = self._account
        opens_at, _ = account.earliest("interactive", None, now)
        return QuotaSnapshot(
            minutely=self._minutely(account.minute, now),
            daily=self._daily(now),
            resets_at=self._moment(opens_at, now) if opens_at > now else None,
            waiting=self._lanes.waiting,
            in_flight=account.minute.in_flight,
            sent=account.sent,
            refused=account.refused,
        )

    def _minutely(self, minute: Bucket, now: float) -> WindowQuota:
        unused = min(max(0, minute.unused(now)), minute.limit)
        return WindowQuota(
            limit=minute.limit,
            used=minute.limit - unused,
            remaining=unused,
            resets_at=self._moment(minute.empty_at(now), now) if unused < minute.limit else None,
            source="header" if minute.confirmed else "estimate",
        )

    def _daily(self, now: float) -> WindowQuota:
        day = self._account.day
        remaining = min(max(0, day.room(now)), day.limit)
        return WindowQuota(
            limit=day.limit,
            used=day.used,
            remaining=remaining,
            resets_at=self._moment(day.ends_at, now) if day.known_end else None,
            source="header" if day.confirmed else "estimate",
        )

    def expect(self, seconds: float) -> None:
        """Requests may take so long until they are answered or given up; one process alone need not know."""

    def __repr__(self) -> str:
        minute, day = self._account.minute, self._account.day
        return (
            f"<Limiter: {minute.limit} a minute, {day.used} of {day.limit} used today, "
            f"{minute.in_flight} in flight, {self._lanes.waiting} waiting>"
        )
