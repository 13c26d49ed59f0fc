"""Waits for facts that nothing announces: in a log, a file, a database, or another program."""

import asyncio
from collections.abc import Callable


async def until(fact: Callable[[], bool]) -> None:
    """Wait until something is so, or fail the test."""
    async with asyncio.timeout(120):
        while not fact():  # noqa: ASYNC110 - any fact, which sets no event
            await asyncio.sleep(0.005)  # lets what is waited for run; how long it takes is not assumed


async def listening(host: str, port: int) -> None:
    """Wait until a server accepts connections."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.05)  # another program's port tells nothing before it listens
                continue
            writer.close()
            await writer.wait_closed()
            return
