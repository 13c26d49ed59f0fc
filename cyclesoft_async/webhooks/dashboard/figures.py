"""Figures of the overview, counted in the background and kept, because they read much of the inbox."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from typing import Final

from msgspec import Struct

from cyclesoft_async.errors import InboxError
from cyclesoft_async.webhooks.inbox import Activity, InboxStats, Reader

from .charts import Chart

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_KEPT_SECONDS: Final = 15.0
# Counting a million deliveries takes a second. Deliveries that arrive meanwhile must not notice it.
_SHARE: Final = 0.02
_MINUTE: Final = 60.0
_SPANS: Final = 60
_QUARTER: Final = 900.0
_QUARTERS: Final = 96


class Figures(Struct, frozen=True):
    """Figures at one moment."""

    stats: InboxStats
    charts: tuple[Chart, ...]
    counted_at: datetime
    """Aware, in UTC."""


class FiguresCache:
    """The latest figures of an inbox. One reader counts; the others get what there is.

    Args:
        reader: Reads the inbox.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._figures: Figures | None = None
        self._count_again_at = -inf
        self._counting: asyncio.Task[Figures] | None = None

    async def get(self) -> Figures:
        """Return the latest figures, and count anew in the background if they are old.

        Raises:
            InboxError: The inbox cannot be read, and there are no figures yet.
        """
        if self._counting is None and monotonic() >= self._count_again_at:
            self._counting = asyncio.create_task(self._count())
        if self._figures is None and self._counting is not None:
            return await asyncio.shield(self._counting)
        assert self._figures is not None  # noqa: S101 - set by the task that ended
        return self._figures

    def stop(self) -> None:
        """Stop counting."""
        if self._counting is not None:
            self._counting.cancel()

    async def _count(self) -> Figures:
        began = monotonic()
        try:
            self._figures = await asyncio.to_thread(_read, self._reader)
        except InboxError as error:
            if self._figures is None:
                raise
            logger.warning("the overview keeps its figures: %s", error)
        finally:
            self._counting = None
        now = monotonic()
        self._count_again_at = now + max(_KEPT_SECONDS, (now - began) / _SHARE)
        return self._figures


def _read(reader: Reader) -> Figures:
    now = datetime.now(UTC)
    by_minute = reader.activity(now - timedelta(hours=1), _MINUTE)
    by_quarter = reader.activity(now - timedelta(days=1), _QUARTER)
    return Figures(reader.stats(), (*_charts(by_minute, by_quarter),), now)


def _charts(by_minute: Activity, by_quarter: Activity) -> list[Chart]:
    return [
        Chart(title=f"{what}, {period}", counts=[counts.get(span, 0) for span in range(spans)], unit=unit)
        for what, kind in (("Handled deliveries", "handled"), ("Failed attempts", "failed"))
        for period, found, spans, unit in (
            ("last hour", by_minute, _SPANS, "minute"),
            ("last day", by_quarter, _QUARTERS, "quarter of an hour"),
        )
        for counts in [found.handled if kind == "handled" else found.failed]
    ]
