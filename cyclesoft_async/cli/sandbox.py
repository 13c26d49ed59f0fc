"""`cyclesoft sandbox`: the stand-in server, for trying things out with any client."""

from __future__ import annotations

import anyio
import click

from cyclesoft_async.sandbox import Sandbox


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: a free one.")
@click.option("--orders", type=click.IntRange(0), default=20_000, show_default=True)
def sandbox(port: int, orders: int) -> None:
    """Serve a CycleSoftware stand-in on 127.0.0.1 until Ctrl-C.

    The username is "user" and the password is "pass".
    """
    anyio.run(_serve, port, orders)


async def _serve(port: int, orders: int) -> None:
    async with Sandbox(port=port, orders=orders) as server:
        click.echo(f"{server.url} (user:pass, {orders:,} orders, 360 requests a minute); Ctrl-C stops it")
        await anyio.sleep_forever()
