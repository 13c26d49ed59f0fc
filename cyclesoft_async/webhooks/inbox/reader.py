"""Interface for reading an inbox without writing, also while receivers have it open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Literal, Self, TypeAlias

from .entry import Entry, FailedAttempt
from .selection import Selection
from .slices import Found
from .stats import Activity, InboxStats

Action: TypeAlias = Literal["replay", "dismiss"]


class Reader(ABC):
    """Reads an inbox. Several threads may use it at once. Closed by `close`, or as a context manager.

    Every method but `close` raises `InboxError` when there is no inbox, or it cannot be read.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Disconnect."""

    @abstractmethod
    def find(
        self,
        where: Selection,
        *,
        before: int | None = None,
        limit: int = 50,
        seconds: float = 0.025,
        with_bodies: bool = False,
    ) -> Found[Entry]:
        """Search deliveries for a bounded time, newest first.

        Args:
            where: Conditions.
            before: Only deliveries with a lower `seq`: `Found.next_before` gives the next page.
            limit: Largest number of deliveries. Negative for all.
            seconds: Time after which the search stops with what it has.
            with_bodies: Whether to read the bodies too. They are empty otherwise.
        """

    @abstractmethod
    def actionable(
        self, action: Action, where: Selection, *, limit: int = -1, seconds: float = inf
    ) -> Found[int]:
        """Return the `seq` of selected deliveries that can be replayed or dismissed, newest first.

        Args:
            action: Done and dead deliveries can be replayed, dead and quarantined ones dismissed.
            where: Conditions.
            limit: As for `find`.
            seconds: As for `find`.
        """

    @abstractmethod
    def activity(self, since: datetime, width: float) -> Activity:
        """Return how many deliveries were handled, and attempts failed, in spans of `width` seconds.

        Args:
            since: When the first span begins. Aware.
            width: Seconds.
        """

    @abstractmethod
    def failed_attempts(self, seq: int) -> Sequence[FailedAttempt]:
        """Return the failed attempts at a delivery, oldest first."""

    @abstractmethod
    def stats(self) -> InboxStats:
        """Return figures about the deliveries, and about the receivers that have the inbox open."""
