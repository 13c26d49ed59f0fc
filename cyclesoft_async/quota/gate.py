"""What lets requests go: everybody asks it before each send."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf

from cyclesoft_async.errors import CycleSoftError, QuotaExhausted, SessionError, UsageError

from .permit import Permit
from .queue import Lanes, Waiter
from .state import WINDOW, Account, EndpointLimit, Lane
from .window import Spend

__all__ = ["Gate"]

# Event loops may call as much too early as their clock is coarse.
_COARSE = 1e-6
# The clock of the loop stands still while the machine is suspended, the end of the day comes nearer.
_LONGEST_NAP = 300.0
# The answer that a call waits for comes at any moment; it is worth another try after this one.
_SOON, _MOMENT = 0.1, 1.0


class Gate:
    """Lets requests go as their account allows, each as soon as may be.

    It belongs to the event loop in which it is first used.

    Args:
        account: What may be sent when.
        max_concurrent: Requests in flight at the same time, at most.
    """

    def __init__(self, account: Account, *, max_concurrent: int) -> None:
        self._account = account
        self._max_concurrent = max_concurrent
        self._lanes = Lanes()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

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
            SessionError: It is closed, or was while the call waited.
            UsageError: Of no day is anything left to bulk work.
        """
        if self._closed:
            raise _closed()
        loop = self._loop or self._running()
        account = self._account
        if not self._lanes.waiting and endpoint is None and lane == "interactive":
            now = loop.time()
            if account.minute.in_flight < self._max_concurrent and account.has_room(now):
                return Permit(self, account.spend(None, now))
        bucket = None if endpoint is None else account.endpoint(endpoint)
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
        if not waiter.future.done():
            self._refuse(waiter, self._exhausted(waiter, self._running().time(), 1))

    def _exhausted(self, waiter: Waiter, now: float, place: int) -> QuotaExhausted:
        account = self._account
        at, scope = account.earliest(waiter.lane, waiter.endpoint, now, place)
        if at <= now + _SOON or account.waits_for_answer(scope, now, place):
            at, scope = max(at, now + _MOMENT), "concurrency"
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
        opens_at = min(self._opens_at(now), now + _LONGEST_NAP)
        if self._alarm is not None:
            if self._alarm.when() <= opens_at + _COARSE:
                return
            self._alarm.cancel()
        self._alarm = self._running().call_at(opens_at + _COARSE, self._wake)

    def _opens_at(self, now: float) -> float:
        """When time alone may have made room for somebody; those who wait in vain are told."""
        opens_at = inf
        for head in self._lanes.heads():
            at, _ = self._account.earliest(head.lane, head.endpoint, now)
            opens_at = min(opens_at, at)
            # Only a day that is used up, or a pause that the server asked for, take longer than that.
            if at > now + WINDOW:
                self._refuse_until(at, head)
        return opens_at

    def _refuse_until(self, at: float, head: Waiter) -> None:
        """An answer may have put everybody off until then: who would have given up by then need not wait."""
        account = self._account
        is_hopeless = head.lane == "bulk" and not account.has_bulk()
        for waiter in list(head.line):
            if is_hopeless:
                words = f"bulk_reserve leaves bulk work none of the {account.day.limit} requests of a day"
                self._refuse(waiter, UsageError(words))
            elif waiter.deadline is not None and waiter.deadline.when() < at:
                self._give_up(waiter)

    def _refuse(self, waiter: Waiter, error: CycleSoftError) -> None:
        self._lanes.leave(waiter)
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def _wake(self) -> None:
        self._alarm = None
        self._pump()

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None:
        now = (self._loop or self._running()).time()
        self._account.answered(spends, status, headers, now)
        if self._lanes.waiting:
            self._pump()

    def _unsent(self, spends: tuple[Spend, ...]) -> None:
        self._account.unsent(spends)
        self._pump()

    def _lost(self, spends: tuple[Spend, ...]) -> None:
        self._account.lost(spends, self._running().time())
        self._pump()

    def _moment(self, at: float, now: float) -> datetime:
        return datetime.fromtimestamp(self._account.wall() + at - now, UTC)

    async def aclose(self) -> None:
        """Refuse those who wait, and whoever comes later."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for waiter in self._lanes.everybody():
            self._refuse(waiter, _closed())


def _closed() -> SessionError:
    return SessionError("the session is closed")
