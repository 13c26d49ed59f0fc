"""Dutch wall time: the vendor's naive datetimes, and the start of its day."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def wall_text(now: float) -> str:
    """Return unix seconds as Dutch wall time, `2023-03-07 12:13:47`."""
    return datetime.fromtimestamp(now, _AMSTERDAM).replace(tzinfo=None).isoformat(" ", "seconds")


def read_wall(text: str) -> datetime:
    """Read `2023-03-07 16:56:32` or `2023-03-07T16:56:32+01:00` as naive Dutch wall time.

    Raises:
        ValueError: The text has another format, or the time does not exist.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{text!r} is not a datetime")
    moment = datetime.fromisoformat(text).replace(microsecond=0)
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(_AMSTERDAM).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error


def next_midnight(now: float) -> float:
    """Return the next Dutch midnight after `now`, both in unix seconds."""
    tomorrow = datetime.fromtimestamp(now, _AMSTERDAM).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, _AMSTERDAM).timestamp()


def dutch_day(day: date) -> str:
    """Return a day as in some answers, `01-04-2022`."""
    return day.strftime("%d-%m-%Y")


def dutch_moment(wall: str) -> str:
    """Return a Dutch wall time as in some answers, `01-04-2022 10:09:26`."""
    return f"{dutch_day(date.fromisoformat(wall[:10]))}{wall[10:]}"
