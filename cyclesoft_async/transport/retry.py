"""Retry policy: when to send again, and after which delay."""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from cyclesoft_async._exponential_backoff import exponential_backoff
from cyclesoft_async.errors import (
    AmbiguousWriteError,
    CertificateError,
    ConnectError,
    RateLimitedError,
    RequestError,
    ServerError,
    TransportError,
)

_TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Retries with full jitter: a random share of an exponentially growing delay.

    A read is repeated after broken connections, timeouts, truncated bodies, 429, 500, 502, 503 and 504.
    A write is repeated only if it certainly did not reach the server.
    """

    attempts: int = 4
    """Maximum number of times a request is sent."""
    first_delay: float = 0.5
    """Upper bound in seconds of the delay before the second attempt. It doubles for each further one."""
    max_delay: float = 20.0
    """Upper bound in seconds of any delay, unless the server asks for a longer one."""
    budget: float = 120.0
    """Seconds after which a call is not repeated. Waiting for the quota does not count, nor does looking up
    whether a write was carried out."""

    @classmethod
    def none(cls) -> Self:
        """Return a policy that sends once."""
        return cls(attempts=1)

    def delay(
        self, error: RequestError, *, is_read: bool, attempt: int, elapsed: float, draw: float
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            error: Failure of this attempt.
            is_read: Whether sending twice has the same effect as sending once.
            attempt: Number of this attempt, from 1.
            elapsed: Seconds since the first attempt, without those that `budget` does not count.
            draw: Random number from 0 to 1.
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
            return is_read and error.status in _TRANSIENT_STATUSES
        case _:
            return False
