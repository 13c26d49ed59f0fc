"""One moving-window limit, seen from outside: a pure state machine over `now`, which knows no clock.

The server counts a request at some moment between its sending and its answer. A token that comes back one
window after the *answer* is therefore never back before the server has forgotten the request.

Others may spend from the same window, and only the answers tell of it: `used` counts ours and theirs. Which
of our own the server had counted by then is known only within bounds, because answers overlap:

* at most all that were sent before the answer came and could still be in the window;
* at least those whose answers had come before the request was sent, and that were sent within the window.

So others use between `used - most` and `used - least`. The lower bound is proof; without proof nobody else is
assumed, which costs nothing. Once there is proof, the upper bound of the freshest answer holds while requests
are in flight. When all have been answered the lower one is exact, because the request that the server counted
last saw all others.
"""

from __future__ import annotations

from collections import deque
from math import inf

from msgspec import Struct

from .ledger import MemoryLedger

__all__ = ["Bucket", "Spend"]


class Spend(Struct, eq=False):
    """One token, spent on one request, and what was known when the request was sent."""

    bucket: Bucket
    sent_at: float
    ordinal: int
    held: int
    flying: int


class Bucket:
    """A limit of so many requests in a moving window of so many seconds.

    A wary bucket lets one request go at a time, or one every twelfth of the window when answers are slow. It
    is wary at the start if told so, after a refusal, and when others spend and nothing was heard for a while.
    What becomes of a request that was sent since then clears the view, unless it never reached the server.
    """

    def __init__(
        self, name: str, limit: int, window: float, ledger: MemoryLedger, *, wary: bool = False
    ) -> None:
        self.name = name
        self.limit = limit
        self.confirmed = False
        self.in_flight = 0
        self.sent = 0
        self._window = window
        self._moment = window / 60
        self._patience = window / 12
        self._ledger = ledger
        # The sendings that the server surely counted or will count, oldest first.
        self._sends: deque[float] = deque()
        self._last_sent = -inf
        # Wary since that many were sent; None: not wary.
        self._wary: int | None = 0 if wary else None
        self._paused_until = -inf
        self._pause = self._moment
        self._proven = 0
        self._ceiling = 0
        # Counts while others' use is proven: when that was heard of last, and until when it is fresh.
        self._heard = -inf
        self._fresh_until = inf
        self._freshest = 0

    def room(self, now: float) -> int:
        """How many requests may be sent at `now`; zero or less: none."""
        if now < self._paused_until:
            return 0
        room = self.limit - self._ledger.held(now)
        if self._proven:
            room -= self._foreign(now)
            if self._wary is None and now > self._fresh_until:
                return min(room, 1)
        if self._wary is None or room <= 0:
            return room
        return 0 if self._is_probing(now) else 1

    def opens_at(self, now: float, nth: int = 1, *, surely: bool = False) -> float:
        """When the nth request may go at the earliest, as far as known; `now` when it may go at once.

        Surely not before: without counting on what the answer to a request in flight may still refute.
        """
        refutable = surely and self.in_flight > 0
        at = max(now, self._paused_until)
        if self._is_probing(now) and not refutable:
            at = max(at, self._last_sent + self._patience)
        rounds, ahead = divmod(nth - 1, self.limit)
        foreign = self._foreign(now) if self._proven and not refutable else 0
        missing = ahead + 1 + self._ledger.held(now) + foreign - self.limit
        if missing > 0:
            back = min(self._ledger.back_at(missing), now + self._window)
            at = max(at, min(back, self._heard + self._window) if foreign else back)
        return at + rounds * self._window

    def waits_for_answer(self, now: float, nth: int) -> bool:
        """Whether there is room for the nth request but for the answer to one that goes alone."""
        return self._is_probing(now) and self.unused(now) >= nth

    def unused(self, now: float) -> int:
        """How much of the limit nobody uses at `now`, as far as known."""
        return self.limit - self._ledger.held(now) - (self._foreign(now) if self._proven else 0)

    def empty_at(self, now: float) -> float:
        """When nothing of the limit is used any more if nothing else is sent, as far as known."""
        at = now
        if self.in_flight:
            at = now + self._window
        elif held := self._ledger.held(now):
            at = self._ledger.back_at(held)
        return max(at, self._heard + self._window) if self._proven else at

    def _foreign(self, now: float) -> int:
        if now >= self._heard + self._window:
            return 0
        return self._ceiling if self.in_flight else self._proven

    def _is_probing(self, now: float) -> bool:
        """Whether a request that goes alone is on its way, and not for long."""
        return (
            self._wary is not None
            and self.sent > self._wary
            and self.in_flight > 0
            and now < self._last_sent + self._patience
        )

    def _pass_time(self, now: float) -> None:
        """Nothing was heard for a while: keep in mind what that means, before something else happens."""
        if self._wary is None:
            self._wary = self.sent
        if now >= self._heard + self._window:
            self._proven = self._ceiling = 0
            self._fresh_until = inf

    def spend(self, now: float) -> Spend:
        """Take a token for a request that is sent at `now`, when there is room, as `room` just said."""
        if now > self._fresh_until:
            self._pass_time(now)
        held = self._ledger.take()
        self.in_flight += 1
        self.sent += 1
        self._last_sent = now
        sends, gone = self._sends, now - self._window
        while sends and sends[0] <= gone:
            sends.popleft()
        sends.append(now)
        return Spend(self, now, self.sent, held, self.in_flight)

    def answered(self, spend: Spend, now: float) -> None:
        """The answer came: the token comes back one window from `now`."""
        self._ledger.give_back_at(now + self._window)
        self.in_flight -= 1
        if self._wary is not None and spend.ordinal > self._wary:
            self._wary, self._pause = None, self._moment

    def unsent(self, spend: Spend) -> None:
        """The request never reached the server: the token is back at once, and nothing was learned."""
        self._ledger.give_back()
        self.in_flight -= 1
        self._uncount(spend)

    def lost(self, spend: Spend, now: float) -> None:
        """The server may or may not have counted the request: the token comes back one window from `now`."""
        pause = self._pause
        self.answered(spend, now)
        self._pause = pause  # the server has not said that it has room
        self._uncount(spend)

    def refused(self, spend: Spend, now: float, retry_after: float | None) -> None:
        """The server had no room: nobody goes for a while, longer every time, then one goes alone."""
        news = self._wary is None or spend.ordinal > self._wary
        self.lost(spend, now)
        self._wary = self.sent
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
            if self._proven:
                self._heard = min(self._heard, now + retry_after - self._window)
                self._fresh_until = self._heard + self._moment
        elif news:
            self._paused_until = now + self._pause
            self._pause = min(2 * self._pause, self._window)

    def _uncount(self, spend: Spend) -> None:
        if self._sends and self._sends[0] <= spend.sent_at:
            self._sends.remove(spend.sent_at)

    def observe(self, spend: Spend, used: int, now: float) -> None:
        """Learn how much was used when the server counted this request; comes before `answered`."""
        if now > self._fresh_until:
            self._pass_time(now)
        sends, gone = self._sends, now - self._window
        while sends and sends[0] <= gone:
            sends.popleft()
        later = self.sent - spend.ordinal
        most = spend.held + later
        least = len(sends) - later - spend.flying + 1
        if spend.ordinal > self._freshest:
            self._freshest, self._ceiling = spend.ordinal, used - least
            if self._proven or used > most:
                self._proven = max(0, min(max(self._proven, used - most), used - least))
        # What an older request saw is older news: it may prove more, but it takes nothing back.
        elif used - most > self._proven:
            self._proven = used - most
            self._ceiling = max(self._ceiling, self._proven)
        if self._proven:
            self._heard, self._fresh_until = now, now + self._moment
        else:
            self._fresh_until = inf

    def __repr__(self) -> str:
        return (
            f"<Bucket {self.name}: limit {self.limit}, {self.in_flight} in flight, others use {self._proven}>"
        )
