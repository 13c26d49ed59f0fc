"""`cyclesoft migrate`: the tables in PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import anyio
import click

from cyclesoft_async.errors import UsageError

from .errors import naming

Migrate: TypeAlias = Callable[[str], Awaitable[None]]
"""Creates or upgrades tables in the database at a URL. Idempotent."""


@click.command(short_help="Create or upgrade the tables in PostgreSQL.")
@click.option("--database", required=True, metavar="URL", help="For example postgresql://user@host/name.")
def migrate(database: str) -> None:
    """Create the tables in a PostgreSQL database, or upgrade those of an older version.

    Run it before the receivers and workers of a new version start. Running ones need not stop. Its role
    must be allowed to create tables, theirs need not be. A password belongs in PGPASSWORD or ~/.pgpass.
    """
    for name, bring_up_to_date in _migrations().items():
        with naming("--database"):
            anyio.run(bring_up_to_date, database)
        click.echo(f"{name}: up to date")


def _migrations() -> Mapping[str, Migrate]:
    """Return the migrations by name, in the order in which they run."""
    try:
        from cyclesoft_async.bulksync import Store  # noqa: PLC0415 - an extra
        from cyclesoft_async.quota.postgres import migrate as migrate_quota  # noqa: PLC0415 - see above
        from cyclesoft_async.webhooks.inbox.postgres import migrate as migrate_inbox  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None

    return {
        "webhook inbox": migrate_inbox,
        "shared quota": migrate_quota,
        "synced orders": lambda url: Store(url).migrate(),
    }
