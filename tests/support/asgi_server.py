"""An ASGI application under uvicorn, on a real loopback socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn

from cyclesoft_async.webhooks import AsgiApp
from tests.support.polling import until
from tests.support.webhook_server import Server


@asynccontextmanager
async def serving(app: AsgiApp) -> AsyncGenerator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=10)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await until(lambda: server.started or task.done())
            if task.done():
                raise RuntimeError("the application did not start")
            async with aiohttp.ClientSession() as http:
                yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", http)
        finally:
            server.should_exit = True
            await task
