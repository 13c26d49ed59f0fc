"""Quota headers of an answer: any may be missing, and some endpoints send none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from msgspec import Struct
from multidict import istr

__all__ = ["QuotaReport", "ReportReader", "read_retry_after"]

_DAY = 86_400.0
_TOO_MANY_REQUESTS = 429
_SMALL_DIFFERENCE = 60.0  # a Date is a whole number of seconds, and as old as the answer took
_MOST_DIGITS = 12  # unix seconds have ten

# Names that aiohttp's headers find without folding their case each time.
_MINUTELY_LIMIT = istr("X-RateLimit-Minutely-Limit")
_MINUTELY_REMAINING = istr("X-RateLimit-Minutely-Remaining")
_DAILY_LIMIT = istr("X-RateLimit-Daily-Limit")
_DAILY_REMAINING = istr("X-RateLimit-Daily-Remaining")
_DAILY_RESET = istr("X-RateLimit-Daily-Reset")
_DATE = istr("Date")
_TO_THE_MINUTE = 22  # characters of "Sat, 28 Nov 2026 02:22:01 GMT"


class QuotaReport(Struct, frozen=True, gc=False):
    """What one answer reports; None where a header is missing or makes no sense.

    Vendor page: "API limits" (Introduction).
    """

    minutely_limit: int | None = None
    minutely_remaining: int | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset: float | None = None
    """Unix seconds, by the client's clock."""
    is_refusal: bool = False
    """Its status is 429."""
    retry_after: float | None = None
    """Seconds."""


class ReportReader:
    """Reads what answers report; limits and the reset are parsed only when their text has changed."""

    def __init__(self) -> None:
        self._texts: tuple[str | None, str | None, str | None, str] = (None, None, None, "")
        self._limits: tuple[int | None, int | None, float | None] = (None, None, None)

    def read(self, status: int, headers: Mapping[str, str], wall: float) -> QuotaReport:
        """Read the head of an answer that arrived at `wall`, in unix seconds."""
        get = headers.get
        # The reset is read against the server's clock, which a sandbox can move without changing the reset.
        minute = get(_DATE, "")[:_TO_THE_MINUTE]
        texts = get(_MINUTELY_LIMIT), get(_DAILY_LIMIT), get(_DAILY_RESET), minute
        if texts != self._texts:
            self._texts = texts
            reset: float | None = _number(texts[2])
            if reset is not None:
                reset += _clock_difference(headers, wall)
            self._limits = _number(texts[0]) or None, _number(texts[1]) or None, reset
        minutely, daily, reset = self._limits
        minutely_remaining, daily_remaining = (
            _number(get(_MINUTELY_REMAINING)),
            _number(get(_DAILY_REMAINING)),
        )
        if status != _TOO_MANY_REQUESTS:
            return QuotaReport(minutely, minutely_remaining, daily, daily_remaining, reset)
        retry_after = read_retry_after(headers, wall)
        return QuotaReport(minutely, minutely_remaining, daily, daily_remaining, reset, True, retry_after)


def read_retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds to wait by an answer's Retry-After, a day at most; None if missing or malformed.

    A date is read against the answer's own Date, because the two clocks may differ.

    Args:
        headers: Of the answer.
        wall: The present moment in unix seconds, for an answer without a Date.
    """
    value = headers.get("Retry-After", "").strip()
    seconds: float | None = _number(value)
    if seconds is None:
        until = _unix_seconds(value)
        if until is None:
            return None
        answered_at = _unix_seconds(headers.get("Date", ""))
        seconds = until - (wall if answered_at is None else answered_at)
    return min(max(0.0, seconds), _DAY)


def _clock_difference(headers: Mapping[str, str], wall: float) -> float:
    """Return how far the client's clock is ahead of the server's; 0 if by less than a minute, or unknown."""
    answered_at = _unix_seconds(headers.get("Date", ""))
    if answered_at is None or abs(wall - answered_at) < _SMALL_DIFFERENCE:
        return 0
    return wall - answered_at


def _unix_seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> int | None:
    # int() alone would take signs, underscores, and as many digits as a header can hold.
    if value is not None and len(value) <= _MOST_DIGITS and value.isdecimal():
        return int(value)
    return None
