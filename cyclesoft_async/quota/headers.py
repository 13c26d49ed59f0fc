"""What the headers of an answer say about the quota; any may be missing, and some endpoints send none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

__all__ = ["QuotaHeaders", "read_headers", "read_retry_after"]

_DAY = 86_400.0
_LONGEST = 12  # digits; unix seconds have ten


class QuotaHeaders(NamedTuple):
    """The numbers of one answer; None where the header is missing or makes no sense.

    Vendor page: "API limits" (Introduction).
    """

    minutely_limit: int | None
    minutely_remaining: int | None
    daily_limit: int | None
    daily_remaining: int | None
    daily_reset: int | None
    """Unix seconds."""


_NOTHING = QuotaHeaders(None, None, None, None, None)


def read_headers(headers: Mapping[str, str]) -> QuotaHeaders:
    """Read the quota headers of an answer."""
    get = headers.get
    minute = get("X-RateLimit-Minutely-Limit", ""), get("X-RateLimit-Minutely-Remaining", "")
    day = get("X-RateLimit-Daily-Limit", ""), get("X-RateLimit-Daily-Remaining", "")
    reset = get("X-RateLimit-Daily-Reset", "")
    if not (reset or any(minute) or any(day)):
        return _NOTHING
    return QuotaHeaders(
        _number(minute[0]) or None,
        _number(minute[1]),
        _number(day[0]) or None,
        _number(day[1]),
        _number(reset),
    )


def read_retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds to wait from the moment `wall` (unix seconds), a day at most; None when not said."""
    value = headers.get("Retry-After", "").strip()
    seconds: float | None = _number(value)
    if seconds is None:
        try:
            moment = parsedate_to_datetime(value)
            seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - wall
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), _DAY)


def _number(value: str) -> int | None:
    # int() alone would take signs, underscores, and as many digits as a header can hold.
    return int(value) if value.isdecimal() and value.isascii() and len(value) <= _LONGEST else None
