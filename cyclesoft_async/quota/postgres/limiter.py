"""The limiter of a process that shares its account's quota: it asks the database, one turn at a time.

Nobody goes without a token of the database's. While calls wait or there is something to report, one task
takes turns. Each takes along everything that there is to report, and asks for as many tokens as calls wait;
tokens that nobody wants any more go back with the next turn, so that no stock is kept from other processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from math import inf

from cyclesoft_async.errors import LedgerError
from cyclesoft_async.quota.limiter import Limiter
from cyclesoft_async.quota.queue import Waiter
from cyclesoft_async.quota.window import Spend

from .connection import CALL_SECONDS, Link
from .errors import LinkError
from .state import SharedAccount

__all__ = ["SharedLimiter"]

PATIENCE = 30.0
"""Seconds that calls wait for a database that is away."""

# Between the grant and the sending; a process that is stopped just there for longer may overdraw.
_LEEWAY = 30.0
_LONGEST_LEASE = 86_400.0
# Another process may give tokens back at any moment, so nobody sleeps until the next one returns by itself.
_NAP = 1.0
_SHORT_NAP = 0.005
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_CLOSING_SECONDS = 2.0


class SharedLimiter(Limiter):
    """Keeps the requests of several processes within their account's quota, together.

    It belongs to the event loop in which it is first used.

    Args:
        link: To the database.
        account: This process's view of the account.
        max_concurrent: Requests of this process in flight at the same time, at most.
    """

    def __init__(self, link: Link, account: SharedAccount, *, max_concurrent: int) -> None:
        super().__init__(max_concurrent=max_concurrent, account=account)
        self._link = link
        self._shared = account
        self._longest_call = 0.0
        self._news = asyncio.Event()
        self._turns: asyncio.Task[None] | None = None
        # The calls with a `max_wait`: when they came, and until when they wait.
        self._impatient: dict[Waiter, tuple[float, float]] = {}
        self._away_since: float | None = None
        self._failed_at = -inf
        self._trouble = ""
        self._hung_up = False

    def expect(self, seconds: float) -> None:
        """See `Limiter`; tokens of a crashed process stay spent for so much longer."""
        self._longest_call = max(self._longest_call, min(seconds, _LONGEST_LEASE))

    def _set_alarm(self, now: float) -> None:  # noqa: ARG002 - the database knows the time
        self._ring()

    def _answered(self, spends: tuple[Spend, ...], status: int, headers: Mapping[str, str]) -> None:
        super()._answered(spends, status, headers)
        self._ring()

    def _unsent(self, spends: tuple[Spend, ...]) -> None:
        super()._unsent(spends)
        self._ring()

    def _lost(self, spends: tuple[Spend, ...]) -> None:
        super()._lost(spends)
        self._ring()

    def _ring(self) -> None:
        """There is something to ask or to report."""
        self._news.set()
        if not self._hung_up and (self._turns is None or self._turns.done()):
            self._turns = self._running().create_task(self._take_turns())

    async def _take_turns(self) -> None:
        clock = self._running().time
        pause = _FIRST_PAUSE
        while True:
            slots = self._max_concurrent - self._account.minute.in_flight
            lines = self._lanes.sizes() if slots else []
            if not (lines or self._shared.has_news):
                return
            asked_at = clock()
            ask = self._shared.ask(lines, slots, self._longest_call + _LEEWAY, asked_at)
            try:
                reply = await self._link.turn(ask)
            except LinkError as error:
                self._fail(error, clock())
                if not error.is_passing:
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause, self._away_since = _FIRST_PAUSE, None
            self._shared.learn(reply, clock())
            self._pump()
            self._shared.give_back(clock())
            self._dismiss(asked_at, clock())
            await self._nap(clock())

    def _fail(self, error: LinkError, now: float) -> None:
        """The database is away: calls wait for a while, those that are impatient only for a second try."""
        self._trouble = str(error)
        asked_lately = now <= self._failed_at + PATIENCE
        self._failed_at = now
        if self._away_since is None or not asked_lately:
            self._away_since = now
        elif error.is_passing and now < self._away_since + PATIENCE:
            for waiter, (_, until) in list(self._impatient.items()):
                if until <= now:
                    self._give_up(waiter)
        if not error.is_passing or now >= self._away_since + PATIENCE:
            for waiter in self._lanes.everybody():
                self._give_up(waiter)

    async def _nap(self, now: float) -> None:
        """Sleep until a token may be there, or something happens here."""
        seconds = max(self._opens_at(now) - now, _SHORT_NAP)
        if self._shared.has_news or not self._lanes.waiting:
            return
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, max(_NAP, seconds / 60))):
                await self._news.wait()

    def _set_deadline(self, waiter: Waiter, loop: asyncio.AbstractEventLoop, max_wait: float) -> None:
        now = loop.time()
        until, place = now + max(0.0, max_wait), len(waiter.line)
        at, _ = self._account.earliest(waiter.lane, waiter.endpoint, now, place, surely=True)
        if at > until or (max_wait <= 0 and self._account.minute.in_flight >= self._max_concurrent):
            self._lanes.leave(waiter)
            raise self._exhausted(waiter, now, place)
        self._impatient[waiter] = now, until
        # Asking takes a moment, too; what fails is known after that.
        waiter.deadline = loop.call_at(max(until, now + CALL_SECONDS + 1), self._give_up, waiter)
        self._ring()

    def _dismiss(self, asked_at: float, now: float) -> None:
        """A reply came: nobody waits longer who now knows that it is in vain."""
        for waiter, (came, until) in list(self._impatient.items()):
            if waiter.future.done():
                self._impatient.pop(waiter)
            elif came <= asked_at:
                at, _ = self._account.earliest(waiter.lane, waiter.endpoint, now)
                if max(at, now) > until:
                    self._give_up(waiter)

    def _give_up(self, waiter: Waiter) -> None:
        self._impatient.pop(waiter, None)
        if self._away_since is None:
            super()._give_up(waiter)
        else:
            self._refuse(waiter, LedgerError(f"the shared quota can't be asked: {self._trouble}"))

    async def aclose(self) -> None:
        """See `Gate`. Tell the database what there is to tell, and close the connection."""
        await super().aclose()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while self._turns is not None and not self._turns.done():
                    await self._turns
        self._hung_up = True
        await self._link.aclose()
