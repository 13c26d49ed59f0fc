"""The limiter of a session: everybody asks it before each send, and tells it what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Protocol

from msgspec import Struct

from cyclesoft_async.errors import QuotaExhausted
from cyclesoft_async.snapshots import QuotaSnapshot, WindowQuota

from .account import WINDOW, Account, EndpointLimit, Lane
from .bucket import Bucket, Spend
from .lanes import Lanes, Waiter

__all__ = ["Limiter", "Permit"]

# Event loops may call as much too early as their clock is coarse.
_COARSE = 1e-6


class _Grantor(Protocol):
    """Who gives permits, and is told what became of them."""

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None: ...
    def _unsent(self, spends: tuple[Spend, ...]) -> None: ...
    def _lost(self, spends: tuple[Spend, ...]) -> None: ...


class Permit(Struct, eq=False):
    """The right to send one request once. Say what became of it; only the first word counts."""

    _limiter: _Grantor
    _spends: tuple[Spend, ...] | None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer arrived: the tokens come back in one minute; headers teach the limits."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._answered(spends, status, headers)

    def unsent(self) -> None:
        """The request surely never reached the server: its tokens are back at once."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._unsent(spends)

    def lost(self) -> None:
        """The request may have reached the server, but no answer came: the tokens come back in one minute."""
        spends, self._spends = self._spends, None
        if spends is not None:
            self._limiter._lost(spends)

    def __repr__(self) -> str:
        return f"<Permit: {'done' if self._spends is None else 'in flight'}>"


class Limiter:
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
        self._max_concurrent = max_concurrent
        self._wall = wall
        self._account = account or Account(bulk_reserve=bulk_reserve)
        self._lanes = Lanes()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None

    async def acquire(
        self,
        *,
        lane: Lane = "interactive",
        endpoint: EndpointLimit | None = None,
        max_wait: float | None = None,
    ) -> Permit:
        """Wait for the right to send one request.

        Args:
            lane: Interactive calls go before bulk ones.
            endpoint: The limit that the endpoint has on top of the account's.
            max_wait: Seconds to wait at most; None waits as long as it takes.

        Raises:
            QuotaExhausted: The wait would take longer than `max_wait`; raised at once when that is sure.
        """
        loop = self._loop or self._running()
        account = self._account
        bucket = None if endpoint is None else account.endpoint(endpoint)
        if not self._lanes.waiting and bucket is None and lane == "interactive":
            now = loop.time()
            if account.minute.in_flight < self._max_concurrent and account.has_room(now):
                return Permit(self, account.spend(None, now))
        waiter = self._lanes.join(loop.create_future(), lane, bucket)
        if len(waiter.line) == 1:
            self._pump()
        if max_wait is not None and not waiter.future.done():
            self._set_deadline(waiter, loop, max_wait)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise
        finally:
            if waiter.deadline is not None:
                waiter.deadline.cancel()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _set_deadline(self, waiter: Waiter, loop: asyncio.AbstractEventLoop, max_wait: float) -> None:
        now = loop.time()
        place = len(waiter.line)
        at, _ = self._account.earliest(waiter.lane, waiter.endpoint, now, place, surely=True)
        if max_wait <= 0 or at > now + max_wait:
            self._lanes.leave(waiter)
            raise self._exhausted(waiter, now, place)
        waiter.deadline = loop.call_at(now + max_wait, self._give_up, waiter)

    def _give_up(self, waiter: Waiter) -> None:
        if waiter.future.done():
            return
        self._lanes.leave(waiter)
        waiter.future.set_exception(self._exhausted(waiter, self._running().time(), 1))

    def _exhausted(self, waiter: Waiter, now: float, place: int) -> QuotaExhausted:
        at, scope = self._account.earliest(waiter.lane, waiter.endpoint, now, place)
        return QuotaExhausted(self._moment(at, now), scope)

    def _withdraw(self, waiter: Waiter) -> None:
        """The waiting call was cancelled, maybe after it had been granted."""
        self._lanes.leave(waiter)
        if not waiter.future.cancelled() and waiter.future.exception() is None:
            waiter.future.result().unsent()

    def _pump(self) -> None:
        """Let go whoever may go now, then set the alarm for the next."""
        lanes, account = self._lanes, self._account
        if not lanes.waiting:
            return
        now = (self._loop or self._running()).time()
        minute = account.minute
        while minute.in_flight < self._max_concurrent:
            waiter = lanes.turn(now, account.may_bulk) if account.has_room(now) else None
            if waiter is None:
                self._set_alarm(now)
                return
            lanes.leave(waiter)
            if not waiter.future.done():
                waiter.future.set_result(Permit(self, account.spend(waiter.endpoint, now)))
            if not lanes.waiting:
                return

    def _set_alarm(self, now: float) -> None:
        """Look again as soon as time alone may have made room for somebody."""
        opens_at = inf
        for head in self._lanes.heads():
            at, _ = self._account.earliest(head.lane, head.endpoint, now)
            opens_at = min(opens_at, at)
            # Only a day that is used up, or a pause that the server asked for, take longer than that.
            if at > now + WINDOW:
                self._refuse_until(at, head.line)
        if self._alarm is not None:
            if self._alarm.when() <= opens_at + _COARSE:
                return
            self._alarm.cancel()
        self._alarm = self._running().call_at(opens_at + _COARSE, self._wake)

    def _refuse_until(self, at: float, line: Iterable[Waiter]) -> None:
        """An answer may have put everybody off until then: who would have given up by then need not wait."""
        for waiter in list(line):
            if waiter.deadline is not None and waiter.deadline.when() < at:
                self._give_up(waiter)

    def _wake(self) -> None:
        self._alarm = None
        self._pump()

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None:
        now = (self._loop or self._running()).time()
        self._account.answered(spends, status, headers, now, self._wall)
        if self._lanes.waiting:
            self._pump()

    def _unsent(self, spends: tuple[Spend, ...]) -> None:
        self._account.unsent(spends)
        self._pump()

    def _lost(self, spends: tuple[Spend, ...]) -> None:
        self._account.lost(spends, self._running().time())
        self._pump()

    def _moment(self, at: float, now: float) -> datetime:
        return datetime.fromtimestamp(self._wall() + at - now, UTC)

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

    async def aclose(self) -> None:
        """Let go of what the limiter holds open: nothing, when the quota is kept in memory."""

    def __repr__(self) -> str:
        minute, day = self._account.minute, self._account.day
        return (
            f"<Limiter: {minute.limit} a minute, {day.used} of {day.limit} used today, "
            f"{minute.in_flight} in flight, {self._lanes.waiting} waiting>"
        )
