"""`cyclesoft sandbox`: the sandbox as a server for any client."""

from __future__ import annotations

import anyio
import click

from cyclesoft_async.sandbox import Sandbox


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free port."
)
@click.option(
    "--orders", type=click.IntRange(0), default=20_000, show_default=True, help="Number of workshop orders."
)
def sandbox(port: int, orders: int) -> None:
    """Serve a sandbox of CycleSoftware on 127.0.0.1 until Ctrl-C.

    The username is "user" and the password is "pass".
    """
    anyio.run(_serve, port, orders)


async def _serve(port: int, orders: int) -> None:
    async with Sandbox(port=port, orders=orders) as server:
        click.echo(f"{server.url} (user:pass, {orders:,} orders, 360 requests a minute); Ctrl-C stops it")
        await anyio.sleep_forever()
