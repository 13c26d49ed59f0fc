"""`cyclesoft worker`: reads windows of a sync that several processes share."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import anyio
import click

from cyclesoft_async import CycleSoftSession

from .credentials import session_from_user

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store


@click.command()
@click.option("--database", required=True, metavar="URL", help="For example postgresql://user@host/name.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=4, show_default=True, help="Windows at a time."
)
def worker(database: str, concurrency: int) -> None:
    """Read what `cyclesoft sync --workers --to URL` asks for, until stopped.

    Start as many as you like, on as many machines: they share the account's quota through the database, and
    what one leaves behind that dies, others take. A password belongs in PGPASSWORD or in ~/.pgpass.
    """
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed
    from cyclesoft_async.quota.postgres import PostgresLedger  # noqa: PLC0415 - see above

    store = Store(database)
    cs = session_from_user(ledger=PostgresLedger(store.postgres_url))
    logging.basicConfig(format="%(asctime)s %(message)s")
    anyio.run(_work, cs, store, concurrency)


async def _work(cs: CycleSoftSession, store: Store, concurrency: int) -> None:
    from cyclesoft_async.bulksync.workers import work  # noqa: PLC0415 - the extra may not be installed

    try:
        with anyio.open_signal_receiver(signal.SIGTERM) as stops:
            async with cs, anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: work(cs, store, concurrency=concurrency))
                click.echo(f"working for {store!r}")
                async for _ in stops:
                    tasks.cancel_scope.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the only task's: a group has no exit code
