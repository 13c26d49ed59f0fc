"""`cyclesoft webhooks dashboard`: pages on which operators look at an inbox."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from aiohttp import web

from cyclesoft_async._extras import missing_extra
from cyclesoft_async.webhooks import SqliteInbox, cut_unread_bodies

from .inbox_commands import INBOX, check_exists
from .options import make_inbox, warn_if_open_to_others
from .serving import serve_until_signal

if TYPE_CHECKING:
    from cyclesoft_async.webhooks import PostgresInbox

PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Who may see the dashboard: a line NAME:operator:PASSWORD or NAME:viewer:PASSWORD for each.",
)


def add_dashboard(
    app: web.Application, prefix: str, inbox: SqliteInbox | PostgresInbox, password_file: Path
) -> None:
    """Serve the dashboard of an inbox to those in a password file.

    Raises:
        UsageError: The file is not as it should be.
        ModuleNotFoundError: The extra is not installed.
    """
    try:
        from cyclesoft_async.webhooks import dashboard as pages  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise missing_extra(error, "cli,dashboard") from None

    warn_if_open_to_others(password_file)
    pages.add_dashboard(app, prefix, inbox, pages.PasswordFile(password_file))
    # Who signed in, looked and acted is worth a line in any case.
    audit = logging.getLogger("cyclesoft_async.webhooks.dashboard")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    audit.addHandler(handler)
    audit.setLevel(logging.INFO)


@click.command(short_help="Serve pages on which operators look at an inbox.")
@INBOX
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True)
@PASSWORD_FILE
def dashboard(inbox: str, host: str, port: int, password_file: Path | None) -> None:
    """Serve pages on which operators look at an inbox, replay and dismiss deliveries, until Ctrl-C.

    With a file, nothing can be replayed while a receiver has it open: use `cyclesoft webhooks serve
    --dashboard` then. Put a proxy with TLS in front when others than this machine connect.
    """
    if password_file is None:
        raise click.UsageError("--password-file is missing: a line NAME:operator:PASSWORD for each operator")
    store = make_inbox(check_exists(inbox))
    app = web.Application(middlewares=[cut_unread_bodies])
    add_dashboard(app, "/inbox", store, password_file)

    def ready(actual_port: int) -> None:
        click.echo(f"http://{host}:{actual_port}/inbox/ of {store!r}; Ctrl-C stops it")

    with suppress(KeyboardInterrupt):
        asyncio.run(serve_until_signal(app, host, port, ready=ready, reload=lambda: None))
