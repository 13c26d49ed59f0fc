"""Rate limiter for a vendor who states a limit, or none, and whose answers report nothing but 429."""

from __future__ import annotations

import sys

from .headers import QuotaReport
from .limiter import RateLimiter
from .state import MINUTELY, EndpointLimit, Lane, Opening, QuotaState, Tokens
from .window import RateWindow

__all__ = ["FixedLimiter"]


class _FixedState(QuotaState):
    """One limit per moving minute, and nothing else."""

    def __init__(self, minutely: int) -> None:
        self._minute = RateWindow(MINUTELY, minutely)

    def take(self, endpoint: EndpointLimit | None, now: float) -> Tokens | None:  # noqa: ARG002 - has no endpoints
        token = self._minute.take(now)
        return None if token is None else (token,)

    def has_bulk_room(self, now: float) -> bool:  # noqa: ARG002 - has no day
        return True

    def has_endpoint_room(self, endpoint: EndpointLimit, now: float) -> bool:  # noqa: ARG002 - has no endpoints
        return True

    def earliest(
        self,
        lane: Lane,  # noqa: ARG002 - has no day
        endpoint: EndpointLimit | None,  # noqa: ARG002 - has no endpoints
        now: float,
        nth: int = 1,
        *,
        surely: bool = False,
    ) -> Opening:
        return Opening(self._minute.opens_at(now, nth, surely=surely), MINUTELY)

    def waits_for_answer(self, scope: str, now: float, nth: int) -> bool:  # noqa: ARG002 - has one limit
        return self._minute.waits_for_answer(now, nth)

    def basis(self, scope: str, now: float) -> str:  # noqa: ARG002 - has one limit
        return self._minute.basis(now)

    def bulk_obstacle(self) -> None:
        return None

    def resync(self, now: float, wall: float) -> None:
        pass

    def answered(self, tokens: Tokens, report: QuotaReport, now: float, wall: float) -> None:  # noqa: ARG002 - has no day
        [token] = tokens
        if report.is_refusal:
            self._minute.refused(token, now, report.retry_after)
        else:
            self._minute.answered(token, now)

    def unsent(self, tokens: Tokens) -> None:
        self._minute.unsent(tokens[0])

    def lost(self, tokens: Tokens, now: float) -> None:
        self._minute.lost(tokens[0], now)


class FixedLimiter(RateLimiter[_FixedState]):
    """Keeps requests within one limit per moving minute, first come, first served; after a 429 all wait.

    It belongs to the event loop in which it is first used.

    Args:
        minutely: Requests in any minute; None for no limit.
    """

    def __init__(self, minutely: int | None) -> None:
        state = _FixedState(sys.maxsize if minutely is None else minutely)
        super().__init__(state, max_concurrent=sys.maxsize)

    def snapshot(self) -> None:
        """Return nothing: what other clients spend from the same limit is not known."""

    def __repr__(self) -> str:
        return f"<FixedLimiter: {self._in_flight} in flight, {self._queue.waiting} waiting>"
