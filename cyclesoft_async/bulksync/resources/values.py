"""Values: times and JSON as the text that the database takes.

This runs for every row of a sync. The text of a day in UTC is made once: through `astimezone` it would
cost more than decoding the row.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from cyclesoft_async.models import AMSTERDAM

_TWO_DIGITS: Final = [f"{number:02}" for number in range(60)]
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

_ODD_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_PAIR_OR_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([0-9a-fA-F]{4})|.)", re.DOTALL
)
_SURROGATES: Final = range(0xD800, 0xE000)


def has_odd_escape(raw: bytes) -> bool:
    """Whether a row's JSON may hold NUL or half a surrogate pair, which PostgreSQL refuses."""
    # Not in the pattern, which is ten times as fast while it begins with a constant.
    return b"\0" in raw or _ODD_ESCAPE.search(raw) is not None


def raw_text(raw: bytes, *, careful: bool = False) -> str:
    """Return a row's JSON as it is stored: UTF-8 that every database reads as JSON.

    Args:
        raw: As it was received. Undocumented properties are not decoded, so their bytes need not be UTF-8.
        careful: Whether JSON that only a lenient parser reads is written anew.
    """
    text = raw.decode(errors="replace")
    if has_odd_escape(raw):
        # With one of them every query of the whole column would fail.
        text = _PAIR_OR_ESCAPE.sub(_legal_escape, text.replace("\0", ""))
    return json.dumps(json.loads(text, strict=False), ensure_ascii=False) if careful else text


def _legal_escape(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:  # a pair, or an escape of one letter
        return found[0]
    number = int(code, 16)
    if not number:
        return ""
    return "\\ufffd" if number in _SURROGATES else found[0]


def utc_text(moment: datetime | None) -> str | None:
    """Write an aware time as UTC, e.g. "2025-07-01 07:30:00.000000".

    Raises:
        OverflowError: It lies outside of the years 1 to 9999.
    """
    if moment is None:
        return None
    plain = moment.tzinfo is AMSTERDAM and not moment.microsecond
    day = _day(moment.date()) if plain else None
    if day is None:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    hours_ahead, this_day, day_before = day
    hour = moment.hour - hours_ahead
    if hour < 0:
        hour += 24
        this_day = day_before
    return f"{this_day} {_TWO_DIGITS[hour]}:{_TWO_DIGITS[moment.minute]}:{_TWO_DIGITS[moment.second]}.000000"


@lru_cache(maxsize=10_000)
def _day(day: date) -> tuple[int, str, str] | None:
    """Return how many hours Amsterdam is ahead of UTC, and the day and the one before it as text.

    None on a day on which the offset changes, and before 1940, when it was no whole number of hours.
    """
    first, last = (datetime.combine(day, at, AMSTERDAM).utcoffset() for at in (time.min, time.max))
    if first is None or first != last or first % _HOUR:
        return None
    return first // _HOUR, day.isoformat(), (day - _DAY).isoformat()
