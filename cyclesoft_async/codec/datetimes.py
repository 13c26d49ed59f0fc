"""Dutch wall time: the vendor writes `2023-03-07 16:54:23` without a zone and means Europe/Amsterdam.

Vendor page: "API types" (Introduction); the zone is proven by webhook timestamps that agree with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cyclesoft_async.errors import UsageError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")

_NEW_YEAR = datetime(2000, 1, 1)  # noqa: DTZ001 - naive on purpose
_NEW_YEAR_IN_AMSTERDAM = _NEW_YEAR.replace(tzinfo=AMSTERDAM)
_END_OF_CHANGES = 4 * 3_600


def in_amsterdam(moment: datetime) -> datetime:
    """Return the time in Amsterdam; a time without a zone is Amsterdam's own.

    The hour that October has twice is read as its first pass (summer time), as the wire does not say which.
    The hour that March skips is read by the winter clock: `02:30` becomes `03:30+02:00`.
    """
    if moment.tzinfo is None:
        since = moment - _NEW_YEAR
        # Clocks change at night only, so a time by day needs no way through UTC, which costs a microsecond.
        if since.seconds >= _END_OF_CHANGES:
            # The same as moment.replace(tzinfo=AMSTERDAM), in an eighth of the time: a sum is of wall times.
            return _NEW_YEAR_IN_AMSTERDAM + since
    return _normalized(moment)


def _normalized(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=AMSTERDAM)
    try:
        return aware.astimezone(UTC).astimezone(AMSTERDAM)
    except OverflowError:  # outside of the years 1 to 9999 in UTC
        return aware


def to_wire(moment: datetime) -> str:
    """The documented form of an aware time, `2023-03-07 16:54:23`, in Amsterdam.

    Raises:
        UsageError: The time is naive, so it could mean any zone's.
    """
    if moment.tzinfo is None:
        raise UsageError(
            "a datetime must have a zone, as a naive one is ambiguous: add tzinfo=models.AMSTERDAM"
        )
    return moment.astimezone(AMSTERDAM).replace(tzinfo=None).isoformat(" ", "seconds")
