"""When to send again, and how long to wait before."""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from cyclesoft_async._backoff import exponential_backoff
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    CertificateError,
    ConnectError,
    RateLimitedError,
    RequestError,
    ServerError,
    TransportError,
)

_PASSING_FAILURES = frozenset({500, 502, 503, 504})


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Retries with full jitter: a random share of an exponentially growing delay.

    A read is sent again after broken connections, timeouts, truncated bodies, 429, 500, 502, 503 and 504.
    A write is sent again only when it surely did not reach the server.
    """

    attempts: int = 4
    """How many times a request is sent at most."""
    first_delay: float = 0.5
    """Seconds; the upper bound of the delay before the second attempt, doubled for each further one."""
    max_delay: float = 20.0
    """Seconds; the upper bound of any delay, unless the server asks for a longer one."""
    budget: float = 120.0
    """Seconds after which a call is not sent again; waiting for the quota does not count, nor does looking
    whether a write was carried out."""

    @classmethod
    def none(cls) -> Self:
        """Send once, whatever happens."""
        return cls(attempts=1)

    def delay(
        self, error: RequestError, *, is_read: bool, attempt: int, elapsed: float, draw: float
    ) -> float | None:
        """Seconds to wait before sending again, or None to give up.

        Args:
            error: What became of this attempt.
            is_read: Whether sending twice does no more than sending once.
            attempt: Its number, from 1.
            elapsed: Seconds since the first attempt, without those that `budget` does not count.
            draw: A random number from 0 to 1.
        """
        if attempt >= self.attempts or not _may_repeat(error, is_read=is_read):
            return None
        wait = draw * exponential_backoff(attempt, first=self.first_delay, longest=self.max_delay)
        if isinstance(error, RateLimitedError | ServerError | AmbiguousWriteError):
            wait = max(wait, error.retry_after or 0.0)
        return wait if elapsed + wait <= self.budget else None


def _may_repeat(error: RequestError, *, is_read: bool) -> bool:
    match error:
        case CertificateError():
            return False
        case ConnectError():
            return True
        case TransportError() | RateLimitedError():
            return is_read
        case ServerError():
            return is_read and error.status in _PASSING_FAILURES
        case _:
            return False
