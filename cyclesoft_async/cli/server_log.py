"""Log of the server, without the contents of requests.

aiohttp logs a malformed request with a traceback that quotes its bytes. They can be those of a genuine
delivery, when its Content-Length is too short.
"""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

from cyclesoft_async.webhooks.attempts import where
from cyclesoft_async.webhooks.throttled_log import ThrottledLog


def server_logger() -> logging.Logger:
    """Return the logger for an `AppRunner`: one line a minute for each kind of error."""
    logger = logging.getLogger("cyclesoft_async.server")
    if not logger.filters:
        logger.addFilter(_WithoutContents())
    return logger


class _WithoutContents(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._log = ThrottledLog(logging.getLogger("cyclesoft_async.webhooks"))

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        if isinstance(error, HttpProcessingError):
            self._log.warning("a request is malformed and is answered 400")
        else:
            self._log.warning(f"a request failed: {where(error)}")
        return False
