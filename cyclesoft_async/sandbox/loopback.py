"""HTTP server, on loopback unless told otherwise."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web

LOOPBACK: Final = "127.0.0.1"
_SHUTDOWN_SECONDS: Final = 1.0
_DISABLED_LOGGER: Final = logging.getLogger(__name__)
_DISABLED_LOGGER.disabled = True  # errors are in the responses; log lines would break progress bars


class Loopback:
    """Serves an application on a host, 127.0.0.1 by default. Port 0 takes a free one."""

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        self._port = port
        self._host = host
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:PORT` by default, while it is open."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the sandbox is not running; use it in an `async with` block")
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def open(self, app: web.Application) -> None:
        """Start serving.

        Raises:
            OSError: The port is taken.
        """
        self._runner = web.AppRunner(
            app, access_log=None, logger=_DISABLED_LOGGER, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
