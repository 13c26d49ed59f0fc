"""Warnings that a flood of requests can cause, limited to one line a minute."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

_SECONDS: Final = 60.0


class ThrottledLog:
    """Logs the first warning of a kind at once, and then one line a minute with their count.

    Args:
        logger: Where to log.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._counts: dict[str, int] = {}

    def warning(self, kind: str, detail: str = "") -> None:
        """Log a warning.

        Args:
            kind: What happened; a constant text.
            detail: Logged with the first of its kind only.
        """
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._logger.warning("%s%s", kind, detail)
        self._counts[kind] = 0
        asyncio.get_running_loop().call_later(_SECONDS, self._sum_up, kind)

    def _sum_up(self, kind: str) -> None:
        count = self._counts.pop(kind)
        if count:
            self._logger.warning("%s: %d times in the last minute", kind, count)
            self._counts[kind] = 0
            asyncio.get_running_loop().call_later(_SECONDS, self._sum_up, kind)
