"""`cyclesoft webhooks list`, `show`, `replay`, `purge` and `stats`: look at an inbox and look after it."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path

import anyio
import click
import msgspec
from msgspec import structs

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox
from cyclesoft_async.webhooks.inbox import InboxStats, Selection, entries, failed_attempts

from .counted import counted
from .inbox_output import format_entry, format_line, format_stats, json_line
from .inbox_selection import selects_deliveries
from .options import check_inbox, make_inbox

WATCH_SECONDS = 2.0

INBOX = click.option(
    "--inbox",
    callback=check_inbox,
    metavar="PATH|URL",
    default="inbox.db",
    show_default=True,
    help="A file, or a PostgreSQL database: postgresql://user@host/name.",
)


@click.command("list")
@INBOX
@selects_deliveries
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Number of deliveries.")
@click.option("--before", type=int, metavar="SEQ", help="Only deliveries before this one: the next page.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per line, without bodies.")
def list_(selection: Selection, inbox: str, limit: int, before: int | None, as_json: bool) -> None:
    """List deliveries, newest first. Works while the receiver runs."""
    found = entries(inbox, where=selection, before=before, limit=limit)
    for entry in found:
        click.echo(json_line(entry) if as_json else format_line(entry))
    if not found:
        click.echo("no deliveries", err=True)
    if len(found) == limit:
        click.echo(f"for older ones: --before {found[-1].seq}", err=True)


@click.command(short_help="Show a delivery with its failed attempts and body.")
@INBOX
@click.argument("delivery_id", metavar="ID")
def show(inbox: str, delivery_id: str) -> None:
    """Show a delivery with its failed attempts and its body, which names people.

    Works while the receiver runs.
    """
    found = entries(inbox, delivery_id=delivery_id)
    if not found:
        raise _unknown(delivery_id)
    for entry in found:
        click.echo(format_entry(entry, failed_attempts(inbox, entry.seq)))


@click.command()
@INBOX
@selects_deliveries
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option("--dead", is_flag=True, help="All dead letters: the same as --state dead.")
def replay(selection: Selection, inbox: str, delivery_id: str | None, dead: bool) -> None:
    """Schedule done and dead deliveries to be handled again.

    With PostgreSQL a running receiver claims them at once. With a file, stop the receiver first: it handles
    them at its next start.
    """
    if dead:
        selection = structs.replace(selection, states=("dead",))
    selection = structs.replace(selection, delivery_id=delivery_id)
    if selection == Selection():
        raise UsageError("a selection is missing: use an ID, --dead, --since or another filter")
    store = make_inbox(check_exists(inbox))
    if delivery_id is not None and not entries(inbox, delivery_id=delivery_id, limit=1):
        raise _unknown(delivery_id)
    selected = anyio.run(partial(store.replay, where=selection, dry_run=True))
    click.echo(f"scheduling {counted(selected, 'delivery', 'deliveries')}", err=True)
    count = anyio.run(partial(store.replay, where=selection))
    click.echo(f"{counted(count, 'delivery', 'deliveries')} scheduled")


@click.command(short_help="Delete deliveries that were done or dead long ago.")
@INBOX
@selects_deliveries
@click.option(
    "--done-days", type=click.FloatRange(0), default=math.inf, help="Minimum age of done deliveries."
)
@click.option(
    "--dead-days",
    type=click.FloatRange(0),
    default=math.inf,
    help="Minimum age of dead and quarantined deliveries.",
)
@click.option("--compact", is_flag=True, help="Then rewrite the file without the space that is free in it.")
def purge(selection: Selection, inbox: str, done_days: float, dead_days: float, compact: bool) -> None:
    """Delete deliveries that have been done or dead for a number of days, 0 for all.

    A redelivery of a deleted delivery is handled as a new one.

    With a file, stop the receiver first. With PostgreSQL it may run.

    A file of an earlier version shrinks only with --compact, which needs free disk space of twice its size.
    """
    deletes = (done_days, dead_days) != (math.inf, math.inf)
    if not deletes and (not compact or selection != Selection()):
        raise UsageError("an age is missing: use --done-days, --dead-days or both")
    store = make_inbox(check_exists(inbox), done_days, dead_days)
    if compact and not isinstance(store, SqliteInbox):
        raise UsageError("--compact must be used with a file, PostgreSQL reuses free space by itself")
    if deletes:
        selected = anyio.run(partial(store.purge, selection, dry_run=True))
        click.echo(f"deleting {counted(selected, 'delivery', 'deliveries')}", err=True)
        count = anyio.run(store.purge, selection)
        click.echo(f"{counted(count, 'delivery', 'deliveries')} deleted")
    if compact and isinstance(store, SqliteInbox):
        _compact(store, Path(inbox))


@click.command(short_help="Count deliveries, and failed attempts by handler.")
@INBOX
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("--watch", is_flag=True, help="Print again every 2 seconds, until Ctrl-C.")
def stats(inbox: str, as_json: bool, watch: bool) -> None:
    """Count deliveries by state and event, and failed attempts by handler. Works while the receiver runs."""
    store = make_inbox(check_exists(inbox))
    while True:
        figures: InboxStats = anyio.run(store.stats)
        if watch and not as_json:
            click.clear()
        click.echo(msgspec.json.encode(figures).decode() if as_json else format_stats(figures))
        if not watch:
            return
        time.sleep(WATCH_SECONDS)  # the interval that --watch promises


def _compact(store: SqliteInbox, path: Path) -> None:
    before = path.stat().st_size
    click.echo(f"compacting needs {2 * before:,} bytes of free disk space", err=True)
    anyio.run(store.compact)
    click.echo(f"{before:,} bytes before, {path.stat().st_size:,} now")


def _unknown(delivery_id: str) -> UsageError:
    return UsageError(
        f"ID must be a delivery in the inbox, got {delivery_id!r}; see `cyclesoft webhooks list`"
    )


def check_exists(place: str) -> str:
    """Return the place of an inbox.

    Raises:
        UsageError: It is a file that does not exist.
        InboxError: It cannot be read.
    """
    if "://" not in place and not Path(place).is_file():
        raise UsageError(f"--inbox must be an existing file or a postgresql:// URL, got {place}")
    entries(place, limit=0)
    return place
