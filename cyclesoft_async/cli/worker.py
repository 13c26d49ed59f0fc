"""`cyclesoft worker`: reads windows of a sync shared by several processes."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import anyio
import click

from cyclesoft_async import CycleSoftSession

from .credentials import session_from_user
from .errors import naming

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import Store


@click.command(short_help="Read the windows that `cyclesoft enqueue` enqueues.")
@click.option("--database", required=True, metavar="URL", help="For example postgresql://user@host/name.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Windows read concurrently.",
)
@click.option(
    "--same-account", is_flag=True, help="Take the database over after a changed user name or host."
)
def worker(database: str, concurrency: int, same_account: bool) -> None:
    """Read the windows that `cyclesoft enqueue --to URL` enqueues, until stopped.

    Start any number of workers, on any number of machines. They share the account's quota through the
    database, and take over the windows of a worker that dies. A password belongs in PGPASSWORD or ~/.pgpass.
    """
    from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - the extra may not be installed
    from cyclesoft_async.quota.postgres import PostgresLedger  # noqa: PLC0415 - see above

    with naming("--database"):
        store = Store(database, adopt=same_account)
        ledger = PostgresLedger(store.postgres_url)
    cs = session_from_user(ledger=ledger)
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
        raise failures.exceptions[0] from None  # the group has only one task
