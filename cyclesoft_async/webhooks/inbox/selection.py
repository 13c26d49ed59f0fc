"""Selection of deliveries, the same for listing, replaying and purging, in every inbox."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from cyclesoft_async.errors import UsageError

from .protocol import State


class Selection(Struct, frozen=True, kw_only=True):
    """Conditions that all must hold. The default selects every delivery.

    Raises:
        UsageError: A datetime is naive.
    """

    delivery_id: str | None = None
    states: tuple[State, ...] = ()
    """One of these. Empty: any."""
    event_name: str | None = None
    account_id: int | None = None
    entity: str | None = None
    """Kind and id of the entity, such as "workshop_order/17", with or without "ACCOUNT/" before it."""
    since: datetime | None = None
    """Received at this time or later."""
    until: datetime | None = None
    """Received before this time."""
    handler: str | None = None
    """Name of a handler that failed at least once."""
    seqs: tuple[int, ...] = ()
    """One of these `Entry.seq`. Empty: any."""
    error: str | None = None
    """Text that occurs in the last error. Upper and lower case are the same."""

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.utcoffset() is None:
                raise UsageError(f"{name} must be an aware datetime, got {moment!r}")
