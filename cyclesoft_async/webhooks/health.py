"""Health of a receiver, from state that is kept: a health check writes nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from time import monotonic, time
from typing import Final

from cyclesoft_async.errors import InboxError

from .dispatcher import Dispatcher
from .figures import Sample, samples
from .inbox import Inbox, InboxStats

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_CHECK_SECONDS: Final = 5.0
_STALE_SECONDS: Final = 20.0
_LONGEST_WAIT: Final = 600.0
_STATS_SECONDS: Final = 60.0


class Health:
    """Knows whether a delivery can be stored now, and whether deliveries are handled.

    Args:
        inbox: Written to every five seconds: the figures of this receiver.
        dispatcher: Runs the handlers.
        longest_wait: Seconds that a delivery may be due without being handled.

    Attributes:
        stored_at: When something was stored last, by the monotonic clock.
        is_failing: Whether the last write failed.
        is_stopping: Whether the receiver is about to stop.
    """

    def __init__(self, inbox: Inbox, dispatcher: Dispatcher, longest_wait: float) -> None:
        self._inbox = inbox
        self._dispatcher = dispatcher
        self._longest_wait = max(longest_wait, _LONGEST_WAIT)
        self._unannounced_since: float | None = None
        self._waited = 0.0
        self._waited_at = 0.0
        self._stats: InboxStats | None = None
        self._stats_until = 0.0
        self.stored_at: float = 0.0
        self.is_failing: bool = False
        self.is_stopping = False

    async def watch(self) -> None:
        """Keep the state up to date, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(_CHECK_SECONDS)

    async def check(self) -> None:
        """Write to the inbox."""
        try:
            await self._inbox.check(self._dispatcher.figures.report())
            self.stored_at = monotonic()
            self.is_failing = False
            if "opentelemetry.metrics" in sys.modules:  # its exporter cannot await
                await self.metrics()
            self._unannounced_since = await self._inbox.oldest_unannounced()
        except InboxError:
            self.is_failing = True

    async def metrics(self) -> Sequence[Sample]:
        """Return the values of all metrics. Those of the inbox are up to a minute old: counting reads it.

        Raises:
            InboxError: The inbox cannot be read.
        """
        if monotonic() >= self._stats_until:
            self._stats_until = monotonic() + _STATS_SECONDS
            self._stats = await self._inbox.stats()
        return self.last_metrics()

    def last_metrics(self) -> Sequence[Sample]:
        """Return the values of all metrics, without reading the inbox."""
        return list(samples(self._dispatcher.figures.report(), self._stats))

    def storage_problems(self) -> list[str]:
        """Return why no delivery can be stored now."""
        if self.is_stopping:
            return ["the receiver is stopping"]
        if self.is_failing or monotonic() - self.stored_at > _STALE_SECONDS:
            return ["the inbox cannot be written"]
        return []

    def problems(self) -> list[str]:
        """Return what an operator should look at."""
        found = self.storage_problems()
        problem = None if self.is_stopping else self._inbox.problem()
        if problem is not None:
            found.append(f"deliveries cannot be claimed: {problem}")
        if self._dispatcher.hung:
            found.append(f"{self._dispatcher.hung} handlers ignore their cancellation")
        waited = self._longest_wait_now()
        if waited > self._longest_wait:
            found.append(f"a delivery has been due for {waited:.0f} seconds")
        return found

    def _longest_wait_now(self) -> float:
        if monotonic() - self._waited_at >= _CHECK_SECONDS:  # it looks at every entity that waits
            self._waited = self._dispatcher.longest_wait()
            self._waited_at = monotonic()
        unannounced = 0.0 if self._unannounced_since is None else time() - self._unannounced_since
        return max(self._waited, unannounced)
