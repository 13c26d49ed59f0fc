"""`cyclesoft webhooks`: a receiver, and the tools for its inbox."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import get_args

import click
from aiohttp import web

from cyclesoft_async.errors import UsageError, printable_line
from cyclesoft_async.webhooks import WebhookReceiver, cut_unread_bodies, events
from cyclesoft_async.webhooks.diagnosis import diagnose as find_matches
from cyclesoft_async.webhooks.signature import Algorithm, secret_bytes

from .dashboard import PASSWORD_FILE, add_dashboard, dashboard
from .inbox_commands import INBOX, list_, purge, replay, show, stats
from .inbox_output import local_time
from .options import SECRET_FILE, make_inbox, read_secrets
from .serving import serve_until_signal
from .trigger import trigger


@click.group()
def webhooks() -> None:
    """Receive webhooks and manage their inbox.

    Secrets are read from CYCLESOFT_WEBHOOK_SECRETS, one per line, or from --secret-file, never from an
    argument, which `ps` would show. For the same reason a PostgreSQL password belongs in PGPASSWORD or
    ~/.pgpass, and not in the URL.
    """


@webhooks.command(short_help="Receive deliveries and print a line per event.")
@INBOX
@SECRET_FILE
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--algorithm",
    type=click.Choice(get_args(Algorithm)),
    default="sha256",
    show_default=True,
    help="Hash of the signatures.",
)
@click.option(
    "--dashboard",
    "with_dashboard",
    is_flag=True,
    help="Also serve pages for operators at /inbox; needs --password-file.",
)
@PASSWORD_FILE
def serve(
    *,
    inbox: str,
    secret_file: Path | None,
    host: str,
    port: int,
    algorithm: Algorithm,
    with_dashboard: bool,
    password_file: Path | None,
) -> None:
    """Receive deliveries at POST / and print a line per event, until Ctrl-C.

    SIGHUP makes it read --secret-file again.
    """
    if with_dashboard != (password_file is not None):
        raise UsageError("--dashboard and --password-file must be used together")
    store = make_inbox(inbox)
    receiver = WebhookReceiver(read_secrets(secret_file), store, algorithm=algorithm)
    receiver.on_any(_print_event)

    def ready(actual_port: int) -> None:
        click.echo(f"http://{host}:{actual_port}/ into {store!r}; Ctrl-C stops it")

    def reload() -> None:
        try:
            receiver.rotate(read_secrets(secret_file))
        except (OSError, UsageError) as error:
            click.echo(f"secrets not reloaded: {error}", err=True)
        else:
            click.echo("secrets reloaded", err=True)

    app = receiver.app() if password_file is None else web.Application(middlewares=[cut_unread_bodies])
    if password_file is not None:
        receiver.add_to(app, "/")
        add_dashboard(app, "/inbox", store, password_file)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_until_signal(app, host, port, ready=ready, reload=reload))


for _command in (list_, show, replay, purge, stats, dashboard, trigger):
    webhooks.add_command(_command)


@webhooks.command(short_help="Find out how a captured delivery was signed.")
@SECRET_FILE
@click.option(
    "--body",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="File with the raw body.",
)
@click.option("--signature", required=True, help="Value of the header X-CycleSoftware-Signature.")
def diagnose(secret_file: Path | None, body: Path, signature: str) -> None:
    """Find out how a captured delivery was signed, and which settings accept it."""
    matches = find_matches(body.read_bytes(), signature, secret_bytes(read_secrets(secret_file)))
    for match in matches:
        click.echo(f"{match.algorithm}, {match.encoding}; secret {match.secret}, body {match.body}")
        click.echo(f"  {match.settings}")
    if not matches:
        raise UsageError(
            "--signature matches no algorithm and encoding: check the secret, and that the body is unchanged"
        )


async def _print_event(event: events.Event) -> None:
    entity = f"{event.entity.kind} {event.entity.id}" if event.entity else "-"
    marks = "".join((" stale" * event.stale, " again" * event.is_redelivery))
    name, id_ = printable_line(event.event_name), printable_line(event.id)
    click.echo(f"{local_time(event.occurred_at)}  {name}  {id_}  {entity}{marks}")
