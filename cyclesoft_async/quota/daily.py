"""The day's limit: a count that starts anew at the moment that the server names."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

__all__ = ["Day"]

_DAY = 86_400.0
_FARTHEST = 2 * _DAY


class Day:
    """So many requests a day, other integrations' included.

    Times are seconds of the event loop's clock, like everywhere in this package. The end of the day is the
    server's to say. Until it has, the count starts anew a day after its first request, and when it is used up
    earlier, one request per window finds out. The same goes for a limit that is used up all of a sudden: one
    answer may be wrong.

    Args:
        limit: Requests a day, until the server says otherwise.
        window: Seconds between two requests that find out.
        wall: Tells the time, in unix seconds.
    """

    def __init__(self, limit: int, window: float, wall: Callable[[], float]) -> None:
        self.limit = limit
        self.used = 0
        self.ends_at = inf
        self.known_end = False
        self.confirmed = False
        self.reset: int | None = None
        """When it ends, in unix seconds, as the server named it."""
        self._window = window
        self._wall = wall
        self._probe_at = -inf
        self._doubted = False

    def room(self, now: float, reserve: int = 0) -> int:
        """How many requests may be sent at `now` when `reserve` is left alone; zero or less: none."""
        if now >= self.ends_at:
            self.used = 0
            self.ends_at, self.known_end, self.reset = inf, False, None
        room = self.limit - self.used - reserve
        if room <= 0 and self._probes() and now >= self._probe_at:
            return 1
        return room

    def opens_at(self, now: float, reserve: int = 0, nth: int = 1) -> float:
        """When the nth request may go at the earliest, as far as known; `now` when it may go at once."""
        if self.room(now, reserve) >= nth:
            return now
        if self._probes():
            return max(now, self._probe_at)
        if self.reset is not None:
            # The clock of the loop stands still while the machine is suspended.
            self.ends_at = now + self.reset - self._wall()
        return max(now, self.ends_at)

    def _probes(self) -> bool:
        return self._doubted or not self.known_end

    def spend(self, now: float) -> None:
        """Count a request that is sent at `now`."""
        self.used += 1
        self._probe_at = now + self._window
        if self.ends_at == inf:
            self.ends_at = now + _DAY

    def unsent(self) -> None:
        """A request counted before never reached the server."""
        self.used = max(0, self.used - 1)

    def observe(self, used: int, uncounted: int) -> None:
        """Learn from an answer how much was used; up to `uncounted` of our own were not yet counted then."""
        before = self.used
        if used != before:
            self.used = max(used, min(before, used + uncounted))
        if self.used >= self.limit:
            self._doubted = before > self.limit or self.used - before > self.limit // 100
        self.confirmed = True

    def mirror(
        self,
        *,
        limit: int,
        used: int,
        confirmed: bool,
        ends_at: float,
        known_end: bool,
        doubted: bool,
        probe_at: float,
    ) -> None:
        """Take over a day that is counted elsewhere."""
        self.limit, self.used, self.confirmed = limit, used, confirmed
        self.ends_at, self.known_end = ends_at, known_end
        self._doubted, self._probe_at = doubted, probe_at

    def refused(self) -> None:
        """The server says that the day is used up."""
        self.used = max(self.used, self.limit)
        self._doubted = False

    def ends(self, reset: int, now: float) -> bool:
        """Learn from an answer when the day ends, in unix seconds; False: this day can't end then."""
        ahead = reset - self._wall()
        if not 0 < ahead < _FARTHEST:
            return False
        self.ends_at, self.known_end, self.reset = now + ahead, True, reset
        return True
