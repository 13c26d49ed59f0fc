"""`cyclesoft sandbox`: the sandbox as a server for any client."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio
import click

from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import Deliveries, Sandbox

from .counted import counted
from .options import SECRET_FILE, read_secrets

_LOOPBACK: Final = "127.0.0.1"


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free port."
)
@click.option(
    "--orders", type=click.IntRange(0), default=20_000, show_default=True, help="Number of workshop orders."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another shop.")
@click.option("--host", default=_LOOPBACK, show_default=True, help="Address to listen on.")
@click.option("--deliver-to", metavar="URL", help="Send a signed webhook to this URL for every change.")
@SECRET_FILE
def sandbox(
    *, port: int, orders: int, seed: int, host: str, deliver_to: str | None, secret_file: Path | None
) -> None:
    """Serve a sandbox of CycleSoftware on 127.0.0.1 until Ctrl-C.

    The username is "user" and the password is "pass".
    """
    if secret_file is not None and deliver_to is None:
        raise UsageError("--secret-file needs --deliver-to: it signs what is delivered")
    secret = None if deliver_to is None else read_secrets(secret_file)[0]
    anyio.run(_serve, Sandbox(port=port, orders=orders, seed=seed, host=host), deliver_to, secret)


async def _serve(server: Sandbox, deliver_to: str | None, secret: str | None) -> None:
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(server)
        contents = f"user:pass, {counted(server.orders, 'order')}, 360 requests a minute"
        click.echo(f"{server.url} ({contents}); Ctrl-C stops it")
        if deliver_to is not None and secret is not None:
            await opened.enter_async_context(Deliveries(server, deliver_to, os.fsencode(secret)))
            click.echo(f"delivers every change to {deliver_to}")
        await anyio.sleep_forever()
