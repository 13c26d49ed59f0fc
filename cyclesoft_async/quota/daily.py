"""Daily limit: a count that restarts at the moment that the server names. Plain state, no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from .headers import QuotaReport
from .window import WINDOW, Token

__all__ = ["DailyQuota"]

_DAY = 86_400.0
# Midnight in Amsterdam is 25 hours ahead at most, on the day in October; the rest is for clocks that differ.
_LONGEST_DAY = 26 * 3_600.0
_PROBE_REFUSAL_EVERY = 3_600.0


@dataclass(eq=False, slots=True)
class DailyQuota:
    """A limit of requests a day, other integrations' included.

    The server names the day's end. Until it has, the count restarts after a day, and while it is used up one
    request per window probes whether a new day has begun. A day that is used up all of a sudden is probed as
    well, because one answer may be wrong.
    """

    limit: int
    used: int = 0
    confirmed: bool = False
    began_at: float = -inf
    ends_at: float = -inf
    known_end: bool = False
    reset: float | None = None
    """When the day ends, as the server put it, in unix seconds."""
    odd_reset: float | None = None
    """The last reset that could not be the end of a day; time does not make it right."""
    last_sent: float = -inf
    probe_every: float = inf
    """Seconds between probes of a day that is used up although its end is known."""
    rumoured_limit: int | None = None
    """A lower limit that only one answer has named so far."""

    def room(self, now: float, reserve: int = 0) -> int:
        """Return how many requests may be sent at `now` if `reserve` stays unused; zero or less for none."""
        if now >= self.ends_at:
            self._begin(now)
        room = self.limit - self.used - reserve
        return 1 if room <= 0 and now >= self._probe_at() else room

    def opens_at(self, now: float, reserve: int = 0, nth: int = 1) -> float:
        """Return the earliest time the nth request may be sent; `now` if at once."""
        if self.room(now, reserve) >= nth:
            return now
        return max(now, min(self.ends_at, self._probe_at()))

    def basis(self) -> str:
        """Return what the verdict "no room" rests on."""
        if not self.known_end:
            return "the end of the day is unknown; one request a minute probes"
        if self.probe_every < inf:
            return "the server reported a sudden change; single requests probe whether it is true"
        return "by the server's X-RateLimit-Daily-Reset" if self.confirmed else "by this client's own count"

    def unsent(self) -> None:
        """Take back a request that never reached the server."""
        self.used = max(0, self.used - 1)

    def resync(self, now: float, wall: float) -> None:
        """Recompute the day's end: an event loop's clock stands still while the machine is suspended."""
        if self.reset is not None:
            self.ends_at = now + self.reset - wall

    def learn(self, report: QuotaReport, token: Token, sent: int, now: float, wall: float) -> None:
        """Learn from an answer.

        Args:
            report: What it reports.
            token: Of its request.
            sent: How many requests have been sent in all.
            now: The moment, by the clock of all times here.
            wall: The same moment in unix seconds.
        """
        remaining, limit = report.daily_remaining, report.daily_limit
        # The server may not have counted the requests that were in flight then or sent since.
        uncounted = token.concurrent - 1 + sent - token.ordinal
        is_usual = limit == self.limit and report.daily_reset == self.reset and self.confirmed
        if is_usual and remaining is not None and remaining > uncounted and token.sent_at >= self.began_at:
            used = self.limit - remaining
            if not used <= self.used <= used + uncounted:
                self.used = max(used, min(self.used, used + uncounted))
            self.rumoured_limit = None
            return
        if not self._is_today(report, token.sent_at, now, wall):
            return
        is_lower = is_rumour = False
        if limit is not None and limit != self.limit:
            is_lower = limit < self.limit and self.confirmed
            is_rumour = is_lower and limit != self.rumoured_limit
        if is_rumour:
            self.rumoured_limit = limit
        elif limit is not None:
            self.rumoured_limit, self.limit = None, limit
        if remaining is None:
            return
        before = self.used
        if not is_rumour:
            used = self.limit - remaining
            self.used = max(used, min(before, used + uncounted))
            self.confirmed = True
        if report.is_refusal and remaining == 0:
            is_doubtful = is_lower or self.probe_every < inf or self.limit - before > self.limit // 100
            self.used = max(self.used, self.limit)
            self.probe_every = _PROBE_REFUSAL_EVERY if is_doubtful else inf
        elif self.used >= self.limit and not is_rumour:
            # More than the limit were sent before: this is a probe's answer, and the server had room for it.
            is_doubtful = is_lower or before > self.limit or self.used - before > self.limit // 100
            self.probe_every = WINDOW if is_doubtful else inf

    def shift(self, seconds: float) -> None:
        """Move every time: the clock was put back or forward."""
        self.began_at += seconds
        self.ends_at += seconds
        self.last_sent += seconds

    def _is_today(self, report: QuotaReport, sent_at: float, now: float, wall: float) -> bool:
        """Take over the day's end, and return whether the answer's numbers are of the present day."""
        reset = report.daily_reset
        is_recent = sent_at >= self.began_at
        if reset is None or (reset == self.reset and self.known_end):
            return is_recent
        if 0 < reset - wall < _LONGEST_DAY and reset != self.odd_reset:
            self.ends_at, self.known_end, self.reset = now + reset - wall, True, reset
            return True
        self.odd_reset = reset
        if not self.known_end:
            return is_recent  # no reset makes sense: the clocks differ, or the header is a constant
        if is_recent and not report.is_refusal and report.daily_remaining and self.used >= self.limit:
            # The server had room although the day seemed used up: the end that was known is not true.
            self._begin(now)
            return True
        return False  # of yesterday

    def _begin(self, now: float) -> None:
        self.used, self.began_at, self.probe_every = 0, now, inf
        self.ends_at, self.known_end, self.reset = now + _DAY, False, None

    def _probe_at(self) -> float:
        return self.last_sent + (self.probe_every if self.known_end else WINDOW)
