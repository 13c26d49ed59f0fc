"""What the headers of an answer say about the quota; any may be missing, and some endpoints send none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from msgspec import Struct
from multidict import istr

__all__ = ["QuotaHeaders", "read_headers", "read_retry_after"]

_DAY = 86_400.0
_LONGEST = 12  # digits; unix seconds have ten

# Names that aiohttp's headers find without folding their case each time.
_MINUTELY_LIMIT = istr("X-RateLimit-Minutely-Limit")
_MINUTELY_REMAINING = istr("X-RateLimit-Minutely-Remaining")
_DAILY_LIMIT = istr("X-RateLimit-Daily-Limit")
_DAILY_REMAINING = istr("X-RateLimit-Daily-Remaining")
_DAILY_RESET = istr("X-RateLimit-Daily-Reset")


class QuotaHeaders(Struct, frozen=True):
    """The numbers of one answer; None where the header is missing or makes no sense.

    Vendor page: "API limits" (Introduction).
    """

    minutely_limit: int | None
    minutely_remaining: int | None
    daily_limit: int | None
    daily_remaining: int | None
    daily_reset: int | None
    """Unix seconds."""


def read_headers(headers: Mapping[str, str]) -> QuotaHeaders:
    """Read the quota headers of an answer."""
    get = headers.get
    return QuotaHeaders(
        _number(get(_MINUTELY_LIMIT)) or None,
        _number(get(_MINUTELY_REMAINING)),
        _number(get(_DAILY_LIMIT)) or None,
        _number(get(_DAILY_REMAINING)),
        _number(get(_DAILY_RESET)),
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


# Limits and what is left of a minute are the same few hundred numbers again and again.
@lru_cache(maxsize=512)
def _number(value: str | None) -> int | None:
    # int() alone would take signs, underscores, and as many digits as a header can hold.
    if value and value.isdecimal() and value.isascii() and len(value) <= _LONGEST:
        return int(value)
    return None
