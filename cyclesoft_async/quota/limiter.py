"""Rate limiter: grants a permit per request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Generic, TypeVar

from cyclesoft_async.errors import CycleSoftError, QuotaExhausted, SessionError, UsageError
from cyclesoft_async.snapshots import QuotaSnapshot, WindowQuota

from .headers import ReportReader
from .permit import Permit
from .queue import PermitQueue, Waiter
from .state import DAILY, AccountState, EndpointLimit, Lane, Opening, QuotaState, Tokens
from .window import WINDOW

__all__ = ["Limiter", "RateLimiter"]

S = TypeVar("S", bound=QuotaState)

logger: logging.Logger = logging.getLogger("cyclesoft_async")

# Event loops may call as much too early as their clock is coarse.
_COARSE = 1e-6
# The clock of the loop stands still while the machine is suspended, the end of the day comes nearer.
_LONGEST_NAP = 300.0
# The answer that a call waits for comes at any moment; it is worth another try after this one.
_SOON, _MOMENT = 0.1, 1.0
# A shorter wait is business as usual.
_LONG_WAIT = 5.0


class RateLimiter(Generic[S]):
    """Grants a permit per request, each as soon as the quota allows.

    It belongs to the event loop in which it is first used.

    Args:
        state: What may be sent when.
        max_concurrent: Requests in flight at the same time, at most.
        wall: Clock in unix seconds.
    """

    def __init__(self, state: S, *, max_concurrent: int, wall: Callable[[], float] = time.time) -> None:
        self._state = state
        self._max_concurrent = max_concurrent
        self._wall = wall
        self._reader = ReportReader()
        self._queue = PermitQueue()
        self._in_flight: int = 0
        self._sent: int = 0
        self._refused: int = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_up: asyncio.TimerHandle | None = None
        self._announced_until = -inf
        self._closed = False

    def try_acquire(
        self, *, lane: Lane = "interactive", endpoint: EndpointLimit | None = None
    ) -> Permit | None:
        """Return a permit if the request may be sent at once; None if it has to `acquire` one."""
        if self._queue.waiting or self._in_flight >= self._max_concurrent or self._closed:
            return None
        now = (self._loop or self._bind()).time()
        if lane == "bulk" and not self._state.has_bulk_room(now):
            return None
        tokens = self._state.take(endpoint, now)
        return None if tokens is None else self._permit(tokens)

    async def acquire(
        self,
        *,
        lane: Lane = "interactive",
        endpoint: EndpointLimit | None = None,
        max_wait: float | None = None,
    ) -> Permit:
        """Wait for the permit to send one request.

        Args:
            lane: Interactive calls go before bulk ones.
            endpoint: The limit that the endpoint has on top of the account's.
            max_wait: Seconds to wait at most; None for no limit.

        Raises:
            QuotaExhausted: The wait would take longer than `max_wait`; raised as soon as that is certain.
            SessionError: The limiter is closed, or was closed while the call waited.
            UsageError: `bulk_reserve` leaves nothing of any day to bulk work.
        """
        permit = self.try_acquire(lane=lane, endpoint=endpoint)
        if permit is not None:
            return permit
        if self._closed:
            raise _closed()
        loop = self._loop or self._bind()
        waiter = self._queue.join(loop.create_future(), lane, endpoint, loop.time())
        if len(waiter.line) == 1:
            self._grant_ready()
        try:
            if max_wait is not None and not waiter.future.done():
                self._set_deadline(waiter, loop, max_wait)
            return await waiter.future
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise
        finally:
            if waiter.deadline is not None:
                waiter.deadline.cancel()

    def record_answer(self, tokens: Tokens, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer; called by a permit."""
        self._in_flight -= 1
        wall = self._wall()
        report = self._reader.read(status, headers, wall)
        if report.is_refusal:
            self._refused += 1
        self._state.answered(tokens, report, (self._loop or self._bind()).time(), wall)
        if self._queue.waiting:
            self._grant_ready()

    def record_unsent(self, tokens: Tokens) -> None:
        """Take back the tokens of a request that never reached the server; called by a permit."""
        self._in_flight -= 1
        self._sent -= 1
        self._state.unsent(tokens)
        if self._queue.waiting:
            self._grant_ready()

    def record_lost(self, tokens: Tokens) -> None:
        """Record a request that the server may or may not have counted; called by a permit."""
        self._in_flight -= 1
        self._state.lost(tokens, self._now())
        if self._queue.waiting:
            self._grant_ready()

    async def aclose(self) -> None:
        """Refuse the calls that wait and all later ones."""
        self._closed = True
        if self._wake_up is not None:
            self._wake_up.cancel()
        for waiter in self._queue.waiters():
            self._refuse(waiter, _closed())

    def _bind(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _now(self) -> float:
        """Return the moment by the state's clock."""
        return (self._loop or self._bind()).time()

    def _resync(self, now: float) -> None:
        self._state.resync(now, self._wall())

    def _permit(self, tokens: Tokens) -> Permit:
        self._in_flight += 1
        self._sent += 1
        return Permit(self, tokens)

    def _grant_ready(self) -> None:
        """Grant ready waiters and schedule the next wake-up."""
        now = self._now()
        while self._queue.waiting and self._in_flight < self._max_concurrent:
            ready = self._take_next(now)
            if ready is None:
                self._schedule_wake_up(now)
                return
            waiter, tokens = ready
            waiter.future.set_result(self._permit(tokens))

    def _take_next(self, now: float) -> tuple[Waiter, Tokens] | None:
        """Remove the waiter whose turn it is and take its tokens; None if no waiter may go."""
        queue, state = self._queue, self._state
        while (waiter := queue.next(state, now)) is not None:
            if waiter.future.done():  # cancelled, but its task has yet to notice
                queue.leave(waiter)
                continue
            tokens = state.take(waiter.endpoint, now)
            if tokens is None:
                break
            queue.take_turn(waiter)
            return waiter, tokens
        return None

    def _schedule_wake_up(self, now: float) -> None:
        seconds = min(self._next_opening(now) - now, _LONGEST_NAP) + _COARSE
        loop = self._loop or self._bind()
        at = loop.time() + seconds
        if self._wake_up is not None:
            if self._wake_up.when() <= at:
                return
            self._wake_up.cancel()
        self._wake_up = loop.call_at(at, self._on_wake_up)

    def _on_wake_up(self) -> None:
        self._wake_up = None
        self._grant_ready()

    def _next_opening(self, now: float) -> float:
        """Return the earliest time capacity may free up. Fail waiters whose deadline is sooner."""
        next_opening = inf
        for head in self._queue.heads():
            at = self._earliest(head, now).at
            next_opening = min(next_opening, at)
            # Only a day that is used up, or a Retry-After, takes longer than that.
            if at > now + WINDOW:
                self._fail_hopeless(head, at - now)
        self._announce_wait(next_opening, now)
        return next_opening

    def _announce_wait(self, until: float, now: float) -> None:
        """Log a long wait, once: its calls are silent otherwise until they are sent."""
        waiting, seconds = self._queue.waiting, until - now
        if waiting and seconds > _LONG_WAIT and now >= self._announced_until:
            self._announced_until = until
            logger.info("no quota for %.0f s, %d waiting", seconds, waiting)

    def _fail_hopeless(self, head: Waiter, seconds: float) -> None:
        """Fail the waiters of a line whose deadline comes before the `seconds` that the line has to wait."""
        obstacle = self._state.bulk_obstacle() if head.lane == "bulk" else None
        until = (self._loop or self._bind()).time() + seconds
        for waiter in list(head.line):
            if obstacle is not None:
                self._refuse(waiter, UsageError(obstacle))
            elif waiter.gives_up_at < until:
                self._time_out(waiter)

    def _set_deadline(self, waiter: Waiter, loop: asyncio.AbstractEventLoop, max_wait: float) -> None:
        """Fail the waiter now if `max_wait` is certainly too short, else when it is over."""
        now, place = self._now(), len(waiter.line)
        if max_wait <= 0 or self._earliest(waiter, now, place, surely=True).at > now + max_wait:
            self._queue.leave(waiter)
            raise self._exhausted(waiter, now, place)
        waiter.gives_up_at = loop.time() + max_wait
        waiter.deadline = loop.call_at(waiter.gives_up_at, self._time_out, waiter)

    def _time_out(self, waiter: Waiter) -> None:
        if not waiter.future.done():
            self._refuse(waiter, self._exhausted(waiter, self._now(), 1))

    def _refuse(self, waiter: Waiter, error: CycleSoftError) -> None:
        self._queue.leave(waiter)
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def _withdraw(self, waiter: Waiter) -> None:
        """Remove a waiter that was cancelled, maybe after its permit had been granted."""
        self._queue.leave(waiter)
        if not waiter.future.cancelled() and waiter.future.exception() is None:
            waiter.future.result().unsent()

    def _earliest(self, waiter: Waiter, now: float, nth: int = 1, *, surely: bool = False) -> Opening:
        opening = self._state.earliest(waiter.lane, waiter.endpoint, now, nth, surely=surely)
        if opening.scope != DAILY:
            return opening
        self._resync(now)
        return self._state.earliest(waiter.lane, waiter.endpoint, now, nth, surely=surely)

    def _exhausted(self, waiter: Waiter, now: float, nth: int) -> QuotaExhausted:
        at, scope = self._earliest(waiter, now, nth)
        if at <= now + _SOON or self._state.waits_for_answer(scope, now, nth):
            return QuotaExhausted(self._moment(max(at, now + _MOMENT), now), "concurrency")
        return QuotaExhausted(self._moment(at, now), scope, self._state.basis(scope, now))

    def _moment(self, at: float, now: float) -> datetime:
        return datetime.fromtimestamp(self._wall() + at - now, UTC)


class Limiter(RateLimiter[AccountState]):
    """Keeps the requests of a session within the account's quota, and uses nearly all of it.

    It belongs to the event loop in which it is first used.

    Args:
        max_concurrent: Requests in flight at the same time, at most.
        bulk_reserve: Requests of the day that bulk work leaves unused; None for a twentieth of the limit.
        wall: Clock in unix seconds.
    """

    def __init__(
        self,
        *,
        max_concurrent: int = 32,
        bulk_reserve: int | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(AccountState(bulk_reserve=bulk_reserve), max_concurrent=max_concurrent, wall=wall)

    def snapshot(self) -> QuotaSnapshot:
        """Return the quota as it is known at this moment."""
        now = self._now() if self._loop is not None else 0.0
        self._resync(now)
        opens_at = self._state.earliest("interactive", None, now).at
        return QuotaSnapshot(
            minutely=self._minutely(now),
            daily=self._daily(now),
            resets_at=self._moment(opens_at, now) if opens_at > now else None,
            waiting=self._queue.waiting,
            in_flight=self._in_flight,
            sent=self._sent,
            refused=self._refused,
        )

    def _minutely(self, now: float) -> WindowQuota:
        minute = self._state.minute
        unused = min(max(0, minute.unused(now)), minute.limit)
        return WindowQuota(
            limit=minute.limit,
            used=minute.limit - unused,
            remaining=unused,
            resets_at=self._moment(minute.empty_at(now), now) if unused < minute.limit else None,
            source="header" if minute.confirmed else "estimate",
        )

    def _daily(self, now: float) -> WindowQuota:
        day = self._state.day
        remaining = min(max(0, day.room(now)), day.limit)
        return WindowQuota(
            limit=day.limit,
            used=day.used,
            remaining=remaining,
            resets_at=self._moment(day.ends_at, now) if day.known_end else None,
            source="header" if day.confirmed else "estimate",
        )

    def expect(self, seconds: float) -> None:
        """Expect requests to take so long until they are answered or given up; one process need not know."""

    def __repr__(self) -> str:
        minute, day = self._state.minute, self._state.day
        return (
            f"<{type(self).__name__}: {minute.limit} a minute, {day.used} of {day.limit} used today, "
            f"{self._in_flight} in flight, {self._queue.waiting} waiting>"
        )


def _closed() -> SessionError:
    return SessionError("the session is closed")
