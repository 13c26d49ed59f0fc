"""`cyclesoft webhooks`: a receiver, and the tools for its inbox."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import get_args

import anyio
import click
import msgspec

from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.webhooks import WebhookReceiver, events
from cyclesoft_async.webhooks.diagnosis import diagnose as find_matches
from cyclesoft_async.webhooks.inbox import Entry, State, entries
from cyclesoft_async.webhooks.signature import Algorithm, secret_bytes

from .options import SECRET_FILE, check_inbox_extra, make_inbox, read_secrets
from .server import serve_until_signal

_inbox = click.option(
    "--inbox",
    callback=check_inbox_extra,
    metavar="PATH|URL",
    default="inbox.db",
    show_default=True,
    help="A file, or a PostgreSQL database: postgresql://user@host/name.",
)


@click.group()
def webhooks() -> None:
    """Receive webhooks and manage their inbox.

    Secrets are read from CYCLESOFT_WEBHOOK_SECRETS, one per line, or from --secret-file, never from an
    argument, which `ps` would show. For the same reason a PostgreSQL password belongs in PGPASSWORD or
    ~/.pgpass, and not in the URL.
    """


@webhooks.command()
@_inbox
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
def serve(inbox: str, secret_file: Path | None, host: str, port: int, algorithm: Algorithm) -> None:
    """Receive deliveries at POST / and print a line per event, until Ctrl-C.

    SIGHUP makes it read --secret-file again.
    """
    store = make_inbox(inbox)
    receiver = WebhookReceiver(read_secrets(secret_file), store, algorithm=algorithm)
    receiver.on_any(_print_event)

    def ready() -> None:
        click.echo(f"http://{host}:{port}/ into {store!r}; Ctrl-C stops it")

    def reload() -> None:
        try:
            receiver.rotate(read_secrets(secret_file))
        except (OSError, UsageError) as error:
            click.echo(f"secrets not reloaded: {error}", err=True)
        else:
            click.echo("secrets reloaded", err=True)

    with suppress(KeyboardInterrupt):
        asyncio.run(serve_until_signal(receiver.app(), host, port, ready=ready, reload=reload))


@webhooks.command("list")
@_inbox
@click.option("--state", type=click.Choice(get_args(State)), help="Only deliveries in this state.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Number of deliveries.")
def list_(inbox: str, state: State | None, limit: int) -> None:
    """List the newest deliveries, newest first. Works while the receiver runs."""
    for entry in entries(inbox, state=state, limit=limit):
        error = f"  {_single_line(entry.error)}" if entry.error else ""
        click.echo(
            f"{_local_time(entry.received_at)}  {entry.state:<11}  {entry.id}  {entry.event_name or '-'}"
            f"  {entry.entity}{error}"
        )


@webhooks.command()
@_inbox
@click.argument("delivery_id", metavar="ID")
def show(inbox: str, delivery_id: str) -> None:
    """Show a delivery with its body, which names people. Works while the receiver runs."""
    found = entries(inbox, delivery_id=delivery_id)
    if not found:
        raise UsageError(
            f"ID must be a delivery in the inbox, got {delivery_id}; see `cyclesoft webhooks list`"
        )
    for entry in found:
        click.echo(_format_entry(entry))


@webhooks.command()
@_inbox
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--dead", is_flag=True, help="All dead letters.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"]),
    help="All deliveries since this Amsterdam time; with --dead only dead letters.",
)
def replay(inbox: str, delivery_id: str | None, dead: bool, since: datetime | None) -> None:
    """Schedule deliveries to be handled again.

    With PostgreSQL a running receiver claims them at once. With a file, stop the receiver first: it handles
    them at its next start.
    """
    if delivery_id is None and not dead and since is None:
        raise UsageError("a selection is missing: use an ID, --dead or --since")
    moment = since and since.replace(tzinfo=AMSTERDAM)
    store = make_inbox(_check_exists(inbox))
    count = anyio.run(partial(store.replay, delivery_id, since=moment, only_dead=dead))
    click.echo(f"{count:,} deliveries scheduled")


@webhooks.command()
@_inbox
@click.option(
    "--done-days", type=click.FloatRange(0), default=math.inf, help="Minimum age of done deliveries."
)
@click.option(
    "--dead-days",
    type=click.FloatRange(0),
    default=math.inf,
    help="Minimum age of dead and quarantined deliveries.",
)
def purge(inbox: str, done_days: float, dead_days: float) -> None:
    """Delete deliveries that have been done or dead for a number of days, 0 for all.

    A redelivery of a deleted delivery is handled as a new one.

    With a file, stop the receiver first. With PostgreSQL it may run.
    """
    if done_days == dead_days == math.inf:
        raise UsageError("a selection is missing: use --done-days, --dead-days or both")
    count = anyio.run(make_inbox(_check_exists(inbox), done_days, dead_days).purge)
    click.echo(f"{count:,} deliveries deleted")


@webhooks.command()
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
    click.echo(f"{_local_time(event.occurred_at)}  {event.event_name}  {event.id}  {entity}{marks}")


def _check_exists(place: str) -> str:
    if "://" not in place and not Path(place).is_file():
        raise UsageError(f"--inbox must be an existing file or a postgresql:// URL, got {place}")
    entries(place, limit=0)
    return place


def _format_entry(entry: Entry) -> str:
    rows = {
        "id": entry.id,
        "event": entry.event_name or "-",
        "entity": entry.entity,
        "state": entry.state,
        "received": _local_time(entry.received_at),
        "occurred": _local_time(entry.occurred_at) if entry.occurred_at else "-",
        "attempts": entry.attempts,
        "replays": entry.replays,
        "error": entry.error or "-",
    }
    head = "\n".join(f"{name + ':':<10}{value}" for name, value in rows.items())
    try:
        body = msgspec.json.format(entry.body).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = repr(entry.body)
    return f"{head}\n{body}\n"


def _local_time(moment: datetime) -> str:
    try:
        return f"{moment.astimezone(AMSTERDAM):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # in Amsterdam it is already the year 10000
        return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def _single_line(text: str) -> str:
    return " ".join(text.split())
