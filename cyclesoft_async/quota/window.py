"""Moving-window rate limit as its client sees it: plain state, no clock, no I/O.

The server counts a request at some moment between its sending and its answer. A token therefore returns one
window after the *answer*: never before the server has forgotten the request.

Other clients may spend from the same limit, and only answers reveal it. `used` counts their requests and
ours. How many of ours the server had counted by then is known within bounds, because requests overlap:

* at most all that held a token when the request was sent, and all that were sent since;
* at least those sent within the window whose answers arrived before the request was sent.

Foreign use therefore lies between `used` minus the first (`foreign_min`, a proof) and `used` minus the second
(`foreign_max`). Without proof no foreign use is assumed, which costs nothing. With proof, the upper bound of
the freshest answer holds while requests are in flight. Once all are answered the lower bound is exact: the
request that the server counted last saw all of them.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from math import inf

from msgspec import Struct

from .pause_after_429 import Pause

__all__ = ["WINDOW", "RateWindow", "Token"]

WINDOW = 60.0
"""Seconds of the vendor's moving window."""

_FRESH = WINDOW / 60
"""Seconds for which what an answer showed of foreign use is fresh."""
_PROBE = WINDOW / 12
"""Seconds after which a probe that is not answered yet makes way for another."""


class Token(Struct, eq=False, array_like=True, gc=False):
    """One unit of a limit, taken for one request, with what was known when the request was sent."""

    name: str
    """The limit's name."""
    ordinal: int
    sent_at: float
    held: int
    """Tokens that had not returned then, itself included."""
    concurrent: int
    """Requests in flight then, itself included."""
    holder: str = ""
    """The process that sent the request, where several share a quota."""
    expires_at: float = inf
    """When the request counts as lost if its process has crashed."""


@dataclass(eq=False, slots=True)  # Python stores attributes of a Struct more slowly
class RateWindow:
    """A limit of requests in a moving window.

    A probing window grants one request at a time, or one every twelfth of the window while answers are slow.
    It probes after a 429, and when foreign use is known but not fresh. The outcome of a request that was sent
    since then ends the probing, unless that request never reached the server.
    """

    name: str
    limit: int
    confirmed: bool = False
    sent: int = 0
    last_sent: float = -inf
    in_flight: dict[int, Token] = field(default_factory=dict)
    returns: deque[float] = field(default_factory=deque)
    """When the tokens of answered requests return, earliest first."""
    counted: deque[float] = field(default_factory=deque)
    """Sending times of the requests that the server surely counted or will count, earliest first."""
    probing_since: int | None = None
    """How many had been sent when probing began; None while not probing."""
    pause: Pause = field(default_factory=Pause)
    foreign_min: int = 0
    foreign_max: int = 0
    foreign_seen_at: float = -inf
    foreign_fresh_until: float = inf
    freshest: int = 0
    """The highest ordinal that an answer has reported on."""

    def take(self, now: float) -> Token | None:
        """Take a token for a request that is sent at `now`; None if there is no room."""
        returns, counted, in_flight = self.returns, self.counted, self.in_flight
        while returns and returns[0] <= now:
            returns.popleft()
        concurrent = len(in_flight) + 1
        held = concurrent + len(returns)
        if self.probing_since is None and not self.foreign_min:
            if held > self.limit:
                return None
        elif self.room(now) <= 0:
            return None
        elif now > self.foreign_fresh_until:
            self._lose_sight(now)
        gone = now - WINDOW
        while counted and counted[0] <= gone:
            counted.popleft()
        counted.append(now)
        self.sent = ordinal = self.sent + 1
        self.last_sent = now
        token = in_flight[ordinal] = Token(self.name, ordinal, now, held, concurrent)
        return token

    def room(self, now: float) -> int:
        """Return how many requests may be sent at `now`; zero or less for none."""
        if now < self.pause.until:
            return 0
        room = self.limit - self._held(now) - self._foreign(now)
        if self.probing_since is not None and room > 0:
            return 0 if self._has_probe(now) else 1
        return min(room, 1) if self.foreign_min and now > self.foreign_fresh_until else room

    def opens_at(self, now: float, nth: int = 1, *, surely: bool = False) -> float:
        """Return the earliest time the nth request may be sent; `now` if at once.

        With `surely`, what the answer to a request in flight may still refute does not count.
        """
        refutable = surely and bool(self.in_flight)
        at = max(now, self.pause.until)
        if self._has_probe(now) and not refutable:
            at = max(at, self.last_sent + _PROBE)
        rounds, ahead = divmod(nth - 1, self.limit)
        foreign = 0 if refutable else self._foreign(now)
        missing = ahead + 1 + self._held(now) + foreign - self.limit
        if missing > 0:
            back = now + WINDOW
            if missing <= len(self.returns):
                back = min(back, self.returns[missing - 1])
            at = max(at, min(back, self.foreign_seen_at + WINDOW) if foreign else back)
        return at + rounds * WINDOW

    def waits_for_answer(self, now: float, nth: int = 1) -> bool:
        """Return whether only the answer to a probe keeps the nth request from being sent."""
        return self._has_probe(now) and self.unused(now) >= nth

    def unused(self, now: float) -> int:
        """Return how much of the limit is unused at `now`, as far as known."""
        return self.limit - self._held(now) - self._foreign(now)

    def empty_at(self, now: float) -> float:
        """Return when nothing of the limit is used any more if no further request is sent."""
        at = now
        if self.in_flight:
            at = now + WINDOW
        elif self._held(now):
            at = self.returns[-1]
        return max(at, self.foreign_seen_at + WINDOW) if self.foreign_min else at

    def basis(self, now: float) -> str:
        """Return what the verdict "no room" rests on."""
        if now < self.pause.until:
            return "the server refused with status 429"
        if self._foreign(now):
            return "by the server's count, which includes other clients' requests"
        return "by this client's own count"

    def answered(self, token: Token, at: float) -> None:
        """Record an answer: the token returns one window from `at`."""
        del self.in_flight[token.ordinal]
        returns, back = self.returns, at + WINDOW
        if returns and returns[-1] > back:
            insort(returns, back)
        else:
            returns.append(back)
        if self.probing_since is not None and token.ordinal > self.probing_since:
            self.probing_since = None
            self.pause.reset()

    def unsent(self, token: Token) -> None:
        """Record that the request never reached the server: the token returns at once."""
        del self.in_flight[token.ordinal]
        self._uncount(token)

    def lost(self, token: Token, at: float) -> None:
        """Record an unknown outcome: the server may have counted the request, but has not shown room."""
        backoff = self.pause.backoff
        self.answered(token, at)
        self.pause.backoff = backoff
        self._uncount(token)

    def refused(self, token: Token, at: float, retry_after: float | None) -> None:
        """Handle a 429: pause, then probe with one request.

        Refusals of requests that were sent together count as one.
        """
        is_news = self.probing_since is None or token.ordinal > self.probing_since
        self.lost(token, at)
        self.probing_since = self.sent
        if is_news:
            self.pause.begin(at)
        if retry_after is not None and self.pause.lengthen(at, retry_after) and self.foreign_min:
            # The server has room by then, despite the foreign use seen so far.
            self.foreign_seen_at = min(self.foreign_seen_at, self.pause.until - WINDOW)
            self.foreign_fresh_until = self.foreign_seen_at + _FRESH

    def observe(self, token: Token, used: int, at: float) -> None:
        """Learn how much was used when the server counted this request; comes before its outcome."""
        later = self.sent - token.ordinal
        most = token.held + later
        if used <= most and not self.foreign_min:
            return
        if at > self.foreign_fresh_until:
            self._lose_sight(at)
        counted, gone = self.counted, at - WINDOW
        while counted and counted[0] <= gone:
            counted.popleft()
        least = len(counted) - later - token.concurrent + 1
        if token.ordinal > self.freshest:
            self.freshest, self.foreign_max = token.ordinal, used - least
            self.foreign_min = max(0, min(max(self.foreign_min, used - most), used - least))
        # An older request's answer is older news: it may prove more, but it takes nothing back.
        elif used - most > self.foreign_min:
            self.foreign_min = used - most
            self.foreign_max = max(self.foreign_max, used - least)
        if self.foreign_min:
            self.foreign_seen_at, self.foreign_fresh_until = at, at + _FRESH
        else:
            self.foreign_fresh_until = inf

    def expire(self, now: float) -> bool:
        """Treat requests whose lease is over as lost; return whether there were any.

        They prove nothing about the server's room, so they end no probing.
        """
        probing_since = self.probing_since
        expired = [token for token in self.in_flight.values() if token.expires_at <= now]
        for token in expired:
            self.lost(token, token.expires_at)
            self.probing_since = probing_since
        return bool(expired)

    def shift(self, seconds: float) -> None:
        """Move every time: the clock was put back or forward."""
        self.returns = deque(at + seconds for at in self.returns)
        self.counted = deque(at + seconds for at in self.counted)
        for token in self.in_flight.values():
            token.sent_at += seconds
            token.expires_at += seconds
        self.last_sent += seconds
        self.pause.until += seconds
        self.foreign_seen_at += seconds
        self.foreign_fresh_until += seconds

    def _held(self, now: float) -> int:
        returns = self.returns
        while returns and returns[0] <= now:
            returns.popleft()
        return len(self.in_flight) + len(returns)

    def _foreign(self, now: float) -> int:
        if not self.foreign_min or now >= self.foreign_seen_at + WINDOW:
            return 0
        return self.foreign_max if self.in_flight else self.foreign_min

    def _has_probe(self, now: float) -> bool:
        return (
            self.probing_since is not None
            and self.sent > self.probing_since
            and bool(self.in_flight)
            and now < self.last_sent + _PROBE
        )

    def _lose_sight(self, now: float) -> None:
        """Foreign use is known but no longer fresh: probe, and forget it after a window."""
        if self.probing_since is None:
            self.probing_since = self.sent
        if now >= self.foreign_seen_at + WINDOW:
            self.foreign_min = self.foreign_max = 0
            self.foreign_fresh_until = inf

    def _uncount(self, token: Token) -> None:
        if self.counted and self.counted[0] <= token.sent_at:
            self.counted.remove(token.sent_at)
