"""What the receiver and the dispatcher want from an inbox.

::

    received ──> running ──> done
       ^            │ ├────> retrying ──> running …
       │            │ └────> dead
       └── replay ──┴─────────┘            quarantined: the same id came with another body
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

State: TypeAlias = Literal["received", "running", "done", "retrying", "dead", "quarantined"]


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """A verified delivery, to be stored."""

    account_id: int
    """0 when the body names none."""
    id: str
    event_name: str | None
    lane: str
    """Deliveries of one lane are handled one after the other: it names account and entity."""
    event_timestamp: float | None
    """Seconds since 1970, by the vendor's clock."""
    body: bytes
    state: Literal["received", "done", "dead"] = "received"
    """Done when nobody wants it, dead when nobody understands it."""
    problem: str | None = None


class Stored(Enum):
    """What became of a delivery."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The same id with the same body was stored before."""
    QUARANTINED = "quarantined"
    """The same id was stored before, with another body: kept aside, and never handled."""


class Queued(NamedTuple):
    """A delivery that waits to be handled."""

    seq: int
    """Rises in the order of arrival."""
    lane: str
    due_at: float
    """Not before this time, in seconds since 1970."""


class Work(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that is being handled."""

    seq: int
    account_id: int
    """The account whose secret signed it, and whose event it has to be; 0 when that is not known."""
    lane: str
    body: bytes
    attempt: int
    """1 for the first."""
    replayed: bool
    """Whether handlers may have seen it before its attempts were counted from 1."""
    handled: tuple[str, ...]
    """Names of the handlers that succeeded already."""
    received_at: float
    """When it was stored, in seconds since 1970."""
    newest: float | None
    """The newest timestamp among the handled events of the lane, in seconds since 1970."""


Announce: TypeAlias = Callable[[Sequence[Queued]], None]


class Inbox(Protocol):
    """Keeps deliveries.

    Every method but `open` raises `InboxUnavailableError` when nothing could be written.
    """

    async def open(self, announce: Announce) -> None:
        """Start; from now on `announce` is called with what waits to be handled, in order of arrival.

        An inbox that takes no writes yet opens all the same, and announces what it has when it does. One that
        several processes share announces to each what it shall handle: one delivery of a lane at a time, and
        only a few more than were claimed.

        Raises:
            InboxLockedError: Another process has it open, and it can't be shared.
            InboxError: It is no inbox, or one of a newer version.
        """

    async def close(self) -> None:
        """Write what is waiting to be written, and stop."""

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery; on return it is on disk."""
        ...

    async def claim(self, seq: int) -> Work | None:
        """Mark a delivery as running and count the attempt, before a handler sees it.

        None when another process that shares the inbox has taken it over: there is nothing more to do.
        """
        ...

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Remember which handlers succeeded so far."""

    async def finish(self, seq: int, lane: str, event_timestamp: float) -> None:
        """Mark a delivery as done, and its timestamp as handled in its lane."""

    async def postpone(self, seq: int, due_at: float, handled: Sequence[str], error: str) -> None:
        """Mark a delivery as retrying, not before `due_at`, in seconds since 1970."""

    async def bury(self, seq: int, error: str) -> None:
        """Mark a delivery as dead."""

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Give a claimed delivery back: the attempt does not count, but handlers may have seen it."""

    async def check(self) -> None:
        """Write something, to see whether that is possible."""
