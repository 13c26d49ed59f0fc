"""Where one process keeps the tokens of one limit; processes that share a quota have a `PostgresLedger`."""

from __future__ import annotations

from collections import deque
from math import inf

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """The tokens of one limit: how many are out, and when they come back.

    Times are seconds of the event loop's clock.
    """

    __slots__ = ("_out", "_returns")

    def __init__(self) -> None:
        self._out = 0
        self._returns: deque[float] = deque()

    def held(self, now: float) -> int:
        """How many tokens are out at `now`: not given back, or not back yet."""
        returns = self._returns
        while returns and returns[0] <= now:
            returns.popleft()
        return self._out + len(returns)

    def take(self) -> int:
        """Take one token, which stays out until it is given back; returns how many are out since `held`."""
        self._out += 1
        return self._out + len(self._returns)

    def give_back(self) -> None:
        """One token is back at once."""
        self._out -= 1

    def give_back_at(self, at: float) -> None:
        """Let one token come back at `at`, not earlier than those before it."""
        self._out -= 1
        self._returns.append(at)

    def back_at(self, nth: int) -> float:
        """When the nth token from now comes back; infinity when that is not known yet."""
        return self._returns[nth - 1] if nth <= len(self._returns) else inf

    def __repr__(self) -> str:
        return f"<MemoryLedger: {self._out} in flight, {len(self._returns)} on their way back>"
