"""Rate limiter of a process that shares its account's quota through a database.

A request is sent only with a token that the database has granted. While calls wait or outcomes are
unreported, one task takes turns. Each locks and loads the account's state, applies the outcomes since the
last turn, grants tokens to the calls that wait, and stores it. Tokens whose call has gone return with the
next turn, so that this process keeps no stock from others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from math import inf

from cyclesoft_async.errors import LedgerError
from cyclesoft_async.quota.headers import QuotaReport
from cyclesoft_async.quota.limiter import Limiter
from cyclesoft_async.quota.permit import Permit
from cyclesoft_async.quota.queue import Waiter
from cyclesoft_async.quota.state import (
    MINUTELY,
    AccountState,
    EndpointLimit,
    Lane,
    Opening,
    Tokens,
)

from .holder import OutcomeKind, TokenHolder
from .ledger_connection import TURN_SECONDS, LedgerConnection, TurnError

__all__ = ["SharedLimiter"]

PATIENCE = 30.0
"""Seconds that calls wait for a database that is unavailable."""

# Between the grant and the sending; a process that is stopped just there for longer may overdraw.
_LEEWAY = 30.0
_LONGEST_LEASE = 86_400.0
# Another process may return tokens at any moment: sleep for a 60th of the wait, within these bounds.
_NAP, _LONGEST_NAP = 1.0, 60.0
_SHORT_NAP = 0.005
_PROBE_NAP = 0.05
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_CLOSING_SECONDS = 2.0
_FRESH = 1.0
"""Seconds for which the state of the last turn is worth a verdict."""


class SharedLimiter(Limiter):
    """Keeps the requests of several processes within their account's quota, together.

    It belongs to the event loop in which it is first used.

    Args:
        connection: To the database.
        account: Key of the account in the database.
        max_concurrent: Requests of this process in flight at the same time, at most.
        bulk_reserve: Requests of the day that bulk work leaves unused; None for a twentieth of the limit.
    """

    def __init__(
        self, connection: LedgerConnection, account: str, *, max_concurrent: int, bulk_reserve: int | None
    ) -> None:
        super().__init__(max_concurrent=max_concurrent, bulk_reserve=bulk_reserve)
        self._connection = connection
        self._account = account
        self._bulk_reserve = bulk_reserve
        self._holder = TokenHolder()
        self._lease = _LEEWAY
        self._impatient: set[Waiter] = set()
        # The database's clock minus the event loop's, and when the last turn was, by the event loop's.
        self._clock_ahead = 0.0
        self._turn_at = -inf
        self._news = asyncio.Event()
        self._turns: asyncio.Task[None] | None = None
        self._unavailable_since: float | None = None
        self._failed_at = -inf
        self._failure = ""
        self._hung_up = False

    def expect(self, seconds: float) -> None:
        """Keep the tokens of a crashed process spent for so long, besides the window."""
        self._lease = max(self._lease, min(seconds, _LONGEST_LEASE) + _LEEWAY)

    def try_acquire(
        self,
        *,
        lane: Lane = "interactive",  # noqa: ARG002 - the database grants
        endpoint: EndpointLimit | None = None,  # noqa: ARG002 - the database grants
    ) -> Permit | None:
        """Return None: only a turn grants."""
        return None

    def record_answer(self, tokens: Tokens, status: int, headers: Mapping[str, str]) -> None:
        """Report an answer with the next turn."""
        # The day ends by the database's clock.
        report = self._reader.read(status, headers, wall=self._now())
        self._refused += report.is_refusal
        self._record(tokens, "answered", report)

    def record_unsent(self, tokens: Tokens) -> None:
        """Return tokens with the next turn."""
        self._sent -= 1
        self._record(tokens, "unsent")

    def record_lost(self, tokens: Tokens) -> None:
        """Report an unknown outcome with the next turn."""
        self._record(tokens, "lost")

    def _record(
        self,
        tokens: Tokens,
        kind: OutcomeKind,
        report: QuotaReport = QuotaReport(),  # noqa: B008 - frozen
    ) -> None:
        self._in_flight -= 1
        self._holder.record(tokens, kind, self._bind().time(), report)
        self._grant_ready()

    async def aclose(self) -> None:
        """Refuse the calls that wait and all later ones, report outcomes, and close the connection."""
        await super().aclose()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while self._turns is not None and not self._turns.done():
                    await self._turns
        self._hung_up = True
        await self._connection.aclose()

    def _now(self) -> float:
        return self._bind().time() + self._clock_ahead

    def _resync(self, now: float) -> None:
        """Do nothing: the database's clock is right, also after this machine was suspended."""

    def _grant_ready(self) -> None:
        """Take a turn soon."""
        self._news.set()
        if not self._hung_up and (self._turns is None or self._turns.done()):
            self._turns = self._bind().create_task(self._take_turns())

    async def _take_turns(self) -> None:
        clock, pause = self._bind().time, _FIRST_PAUSE
        while self._holder.has_news or (self._queue.waiting and self._in_flight < self._max_concurrent):
            began_at = clock()
            try:
                await self._take_turn()
            except TurnError as failure:
                self._handle_failure(failure, clock())
                if not failure.is_transient:
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause, self._unavailable_since = _FIRST_PAUSE, None
            self._fail_impatient(began_at, clock())
            await self._nap()

    async def _take_turn(self) -> None:
        """Report the outcomes and grant tokens, in one transaction.

        Raises:
            TurnError: The database is unavailable or unusable; the turn may have been committed.
        """
        holder = self._holder
        granted: list[tuple[Waiter, Tokens]] = []

        def act(state: AccountState, now: float) -> bool:
            local_now = self._bind().time()
            self._state, self._clock_ahead, self._turn_at = state, now - local_now, local_now
            state.bulk_reserve = self._bulk_reserve
            is_changed = holder.begin_turn(state, now, local_now)
            while self._queue.waiting and self._in_flight + len(granted) < self._max_concurrent:
                ready = self._take_next(now)
                if ready is None:
                    break
                granted.append(ready)
                holder.hold(ready[1], now + self._lease)
            return is_changed or bool(granted)

        try:
            await self._connection.turn(self._account, act)
        except BaseException:
            holder.fail_turn()
            for waiter, _ in reversed(granted):
                if not waiter.future.done():
                    self._queue.rejoin(waiter)
            raise
        holder.commit_turn()
        for waiter, tokens in granted:
            permit = self._permit(tokens)
            if waiter.future.done():
                permit.unsent()
            else:
                waiter.future.set_result(permit)

    async def _nap(self) -> None:
        """Sleep until a token may be there, or until this process has something to report or to ask for."""
        if self._holder.has_news or not self._queue.waiting:
            return
        now = self._now()
        seconds = max(self._next_opening(now) - now, _SHORT_NAP)
        seconds = min(seconds, max(_NAP, seconds / 60), _LONGEST_NAP)
        if any(window.waits_for_answer(now) for window in self._state.windows()):
            seconds = min(seconds, _PROBE_NAP)
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _handle_failure(self, failure: TurnError, now: float) -> None:
        """Let calls wait for a while; those whose max_wait is over wait for a second attempt only."""
        self._failure = str(failure)
        has_failed_lately = now <= self._failed_at + PATIENCE
        self._failed_at = now
        if self._unavailable_since is None or not has_failed_lately:
            self._unavailable_since = now
        elif failure.is_transient and now < self._unavailable_since + PATIENCE:
            for waiter in list(self._impatient):
                if waiter.gives_up_at <= now:
                    self._time_out(waiter)
        if not failure.is_transient or now >= self._unavailable_since + PATIENCE:
            for waiter in self._queue.waiters():
                self._time_out(waiter)

    def _set_deadline(self, waiter: Waiter, loop: asyncio.AbstractEventLoop, max_wait: float) -> None:
        now, place = self._now(), len(waiter.line)
        is_hopeless = self._earliest(waiter, now, place, surely=True).at > now + max_wait
        if is_hopeless or (max_wait <= 0 and self._in_flight >= self._max_concurrent):
            self._queue.leave(waiter)
            raise self._exhausted(waiter, now, place)
        waiter.gives_up_at = waiter.asked_at + max(0.0, max_wait)
        self._impatient.add(waiter)
        # A turn takes a moment, too; what fails is known after that.
        until = max(waiter.gives_up_at, waiter.asked_at + TURN_SECONDS + 1)
        waiter.deadline = loop.call_at(until, self._time_out, waiter)
        self._grant_ready()

    def _fail_impatient(self, began_at: float, loop_now: float) -> None:
        """Fail the waiters whose deadline is sooner, as the turn that began at `began_at` has shown."""
        now = self._now()
        for waiter in list(self._impatient):
            if waiter.future.done():
                self._impatient.discard(waiter)
            elif waiter.asked_at <= began_at:
                at = max(self._earliest(waiter, now).at, now)
                if loop_now + at - now > waiter.gives_up_at:
                    self._time_out(waiter)

    def _earliest(self, waiter: Waiter, now: float, nth: int = 1, *, surely: bool = False) -> Opening:
        # What other processes return is not known at once, so only a fresh state is sure.
        if surely and (self._holder.has_news or now - self._clock_ahead > self._turn_at + _FRESH):
            return Opening(now, MINUTELY)
        return super()._earliest(waiter, now, nth, surely=surely)

    def _time_out(self, waiter: Waiter) -> None:
        self._impatient.discard(waiter)
        if self._unavailable_since is None:
            super()._time_out(waiter)
        else:
            self._refuse(waiter, LedgerError(f"the shared quota is unavailable: {self._failure}"))
