"""Server of `cyclesoft webhooks serve`: signals, and time limits for connections."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from .server_log import server_logger

_SILENT_SECONDS: Final = 15.0
_SHUTDOWN_SECONDS: Final = 3.0


async def serve_until_signal(
    app: web.Application, host: str, port: int, *, ready: Callable[[int], None], reload: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM.

    Connections that send no complete request within 15 seconds are closed, and those that are idle for as
    long after one.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        ready: Called with the port once it listens.
        reload: Called on SIGHUP.
    """
    connections = _Connections(app)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=server_logger(),
        keepalive_timeout=_SILENT_SECONDS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    stop = asyncio.Event()
    _on_signals({"SIGINT": stop.set, "SIGTERM": stop.set, "SIGHUP": reload})
    await runner.setup()
    sweep = asyncio.create_task(connections.sweep(runner))
    try:
        await web.TCPSite(runner, host, port).start()
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        sweep.cancel()
        with suppress(asyncio.CancelledError):
            await sweep
        await runner.cleanup()


class _Connections:
    """Closes connections that never sent a complete request, which aiohttp keeps.

    Args:
        app: Its requests show which connections are in use.
    """

    def __init__(self, app: web.Application) -> None:
        self._used: set[RequestHandler] = set()
        self._seen_at: dict[RequestHandler, float] = {}

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._used.add(request.protocol)
            return await handler(request)

        app.middlewares.append(note)

    async def sweep(self, runner: web.AppRunner) -> None:
        """Close silent connections, until cancelled."""
        now = asyncio.get_running_loop().time
        while runner.server is not None:
            open_now = runner.server.connections
            self._used.intersection_update(open_now)
            self._seen_at = {one: self._seen_at.get(one, now()) for one in open_now}
            for connection, seen_at in self._seen_at.items():
                if connection not in self._used and now() - seen_at >= _SILENT_SECONDS:
                    connection.force_close()
            await asyncio.sleep(_SILENT_SECONDS / 5)


def _on_signals(callbacks: dict[str, Callable[[], None]]) -> None:
    loop = asyncio.get_running_loop()
    for name, callback in callbacks.items():
        number = getattr(signal, name, None)
        if number is not None:
            with suppress(NotImplementedError):  # on Windows Ctrl-C cancels the main task
                loop.add_signal_handler(number, callback)
