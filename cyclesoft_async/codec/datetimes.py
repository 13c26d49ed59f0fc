"""Dutch wall time: the vendor writes `2023-03-07 16:54:23` without a zone and means Europe/Amsterdam.

Vendor page: "API types" (Introduction); the zone is proven by webhook timestamps that agree with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cyclesoft_async.errors import UsageError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")

_combine = datetime.combine
_LAST_HOUR_OF_CHANGES = 3


def in_amsterdam(moment: datetime) -> datetime:
    """Return the time in Amsterdam; a time without a zone is Amsterdam's own.

    The hour that October has twice is read as its first pass (summer time), as the wire does not say which.
    The hour that March skips is read by the winter clock: `02:30` becomes `03:30+02:00`.
    """
    # Clocks change at night only, so a time by day needs no way through UTC, which costs a microsecond.
    if moment.tzinfo is None and moment.hour > _LAST_HOUR_OF_CHANGES:
        # The same as moment.replace(tzinfo=AMSTERDAM), in a seventh of the time.
        return _combine(moment, moment.time(), AMSTERDAM)
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
