"""Interface between an inbox, the receiver that fills it and the dispatcher that empties it.

::

    received ──> running ──> done
       ^            │ ├────> retrying ──> running …
       │            │ └────> dead
       └── replay ──┴─────────┘            quarantined: the same id arrived with another body
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from cyclesoft_async.webhooks.events import Event

if TYPE_CHECKING:
    from .stats import InboxStats, ReceiverFigures

State: TypeAlias = Literal["received", "running", "done", "retrying", "dead", "quarantined"]


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """A verified delivery, to be stored."""

    account_id: int
    """0 when the body names none."""
    id: str
    event_name: str | None
    ordering_key: str
    """Deliveries with the same key are handled one after the other. It names account and entity."""
    event_timestamp: float | None
    """Seconds since 1970, by the vendor's clock."""
    body: bytes
    state: Literal["received", "done", "dead"] = "received"
    """"done" if no handler matches, "dead" if the payload cannot be decoded."""
    problem: str | None = None
    event: Event | None = None
    """The decoded body. An inbox hands it on to this process's dispatcher, so that it is decoded once."""
    claim: bool = False
    """Whether to store it as claimed: the dispatcher holds a place for it. An inbox may ignore this."""


class Stored(Enum):
    """Result of storing a delivery."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The same id with the same body was stored before."""
    QUARANTINED = "quarantined"
    """The same id was stored before with another body. It is kept apart and never handled."""


class ClaimedDelivery(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that is being handled."""

    seq: int
    account_id: int
    """The account whose secret signed it, and whose event it must be. 0 when that is not known."""
    ordering_key: str
    body: bytes
    attempt: int
    """1 for the first."""
    replayed: bool
    """Whether handlers may have seen it before its attempts were counted from 1."""
    handled: tuple[str, ...]
    """Names of the handlers that have succeeded."""
    received_at: float
    """When it was stored, in seconds since 1970."""
    newest: float | None
    """The newest timestamp among the handled events with this key, in seconds since 1970."""
    first_attempt_at: float | None = None
    """When attempt 1 was claimed, in seconds since 1970. A replay starts anew. None: when it was received."""
    error: str | None = None
    """How the attempt before this one failed."""
    interrupted: int = 0
    """How many attempts in a row, directly before this one, ended with their process."""


class HandlerFailure(Struct, frozen=True, kw_only=True, gc=False):
    """A handler's failed attempt at a delivery."""

    handler: str
    error: str
    """The last line of its traceback."""
    seconds: float
    """How long the handler ran."""


class Completed(NamedTuple):
    """A delivery that all its handlers succeeded with."""

    seq: int
    ordering_key: str
    event_timestamp: float
    """Recorded as handled for its key, in seconds since 1970."""


class QueuedDelivery(NamedTuple):
    """A delivery that waits to be handled."""

    seq: int
    """Rises in the order of arrival."""
    ordering_key: str
    due_at: float
    """Not before this time, in seconds since 1970."""
    event: Event | None = None
    """The decoded body, when this process has it."""
    claimed: ClaimedDelivery | None = None
    """Set when it was stored as claimed."""


Announce: TypeAlias = Callable[[Sequence[QueuedDelivery]], None]


class Inbox(Protocol):
    """Durable storage for deliveries.

    Every method but `open` raises `InboxUnavailableError` when nothing could be written.
    """

    @property
    def claims_on_arrival(self) -> bool:
        """Whether `put` heeds `Delivery.claim`."""
        ...

    async def open(self, announce: Announce) -> None:
        """Open. From now on `announce` is called with the deliveries to handle, in order of arrival.

        An inbox that cannot be written yet opens all the same, and announces its deliveries once it can. One
        that several processes share announces to each its part: one delivery per ordering key at a time, and
        only a few more than were claimed.

        Raises:
            InboxLockedError: Another process has it open, and it cannot be shared.
            InboxError: It is not an inbox, or one of a newer version.
        """

    async def close(self) -> None:
        """Finish pending writes, and close."""

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery durably."""
        ...

    async def claim(self, seq: int) -> ClaimedDelivery | None:
        """Mark a delivery as running and count the attempt, before a handler sees it.

        None when another process that shares the inbox holds it now.
        """
        ...

    async def progress(self, seq: int, handled: Sequence[str]) -> None:
        """Record which handlers have succeeded so far."""

    async def complete(self, completed: Sequence[Completed]) -> None:
        """Mark deliveries as done, and their timestamps as handled for their keys."""

    async def postpone(
        self,
        seq: int,
        due_at: float,
        handled: Sequence[str],
        error: str,
        failures: Sequence[HandlerFailure] = (),
    ) -> None:
        """Mark a delivery as retrying, not before `due_at`, in seconds since 1970. Record failed handlers."""

    async def dead_letter(self, seq: int, error: str, failures: Sequence[HandlerFailure] = ()) -> None:
        """Mark a delivery as dead. Record failed handlers."""

    async def release(self, seq: int, handled: Sequence[str]) -> None:
        """Release a claimed delivery. The attempt does not count, but handlers may have seen it."""

    async def check(self, figures: ReceiverFigures | None = None) -> None:
        """Write something, to see whether that is possible: the figures of this receiver, for `stats`."""

    async def stats(self) -> InboxStats:
        """Return figures about the deliveries, and about the receivers that have the inbox open."""
        ...

    def problem(self) -> str | None:
        """Return why stored deliveries cannot be claimed now, as far as that is known without asking."""
        ...

    async def oldest_unannounced(self) -> float | None:
        """Return when the oldest delivery was received that may run now and is announced to no process.

        In seconds since 1970. None when there is none, as always for an inbox that one process owns.
        """
        ...
