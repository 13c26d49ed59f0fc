"""Output of the inbox commands. Control characters of payloads and errors never reach the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from cyclesoft_async.errors import printable_line
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.webhooks.inbox import Entry, FailedAttempt, InboxStats, ReceiverFigures

from .counted import counted


def format_line(entry: Entry) -> str:
    """Return a delivery as one line."""
    error = f"  {printable_line(entry.error)}" if entry.error else ""
    return (
        f"{local_time(entry.received_at)}  {entry.state:<11}  {printable_line(entry.id)}"
        f"  {printable_line(entry.event_name or '-')}  {printable_line(entry.entity)}{error}"
    )


def json_line(entry: Entry) -> str:
    """Return a delivery as a JSON object, without its body."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "body"}
    return _escaped(msgspec.json.encode(fields).decode())


def format_entry(entry: Entry, failed: Sequence[FailedAttempt]) -> str:
    """Return a delivery with its failed attempts and its body."""
    rows = {
        "id": entry.id,
        "event": entry.event_name or "-",
        "entity": entry.entity,
        "state": entry.state,
        "received": local_time(entry.received_at),
        "occurred": local_time(entry.occurred_at) if entry.occurred_at else "-",
        "attempts": str(entry.attempts),
        "replays": str(entry.replays),
        "error": entry.error or "-",
    }
    lines = [f"{name + ':':<10}{printable_line(value)}" for name, value in rows.items()]
    lines += [
        f"failed:   {local_time(one.failed_at)}  attempt {one.attempt}  {printable_line(one.handler)}"
        f"  after {one.seconds:.3f} s  {printable_line(one.error)}"
        for one in failed
    ]
    try:
        body = msgspec.json.format(entry.body).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = repr(entry.body)
    return "\n".join((*lines, _escaped(body), ""))


def format_stats(stats: InboxStats) -> str:
    """Return figures about an inbox as lines."""
    lines = [
        f"{one.count:>12,}  {one.state:<11}  {printable_line(one.event_name or '-')}" for one in stats.counts
    ]
    if stats.oldest_due_at is None:
        lines.append("no delivery is due")
    else:
        age = (datetime.now(UTC) - stats.oldest_due_at).total_seconds()
        lines.append(f"the oldest due delivery has waited {age:,.0f} s")
    for receiver in stats.receivers:
        lines += _receiver_lines(receiver)
    lines += [
        f"{counted(one.failures, 'failed attempt', width=12)} of {printable_line(one.handler)}, last"
        f" {local_time(one.last_failed_at)}, mean {one.mean_seconds:.3f} s, worst {one.worst_seconds:.3f} s"
        for one in stats.handlers
    ]
    return "\n".join(lines)


def _receiver_lines(receiver: ReceiverFigures) -> list[str]:
    return [
        f"receiver {receiver.id} since {local_time(receiver.started_at)}: {receiver.stored:,} stored,"
        f" {counted(receiver.duplicates, 'duplicate')}, {receiver.quarantined:,} quarantined,"
        f" {receiver.refused:,} refused, {receiver.unavailable:,} answered 503",
        *(
            f"{counted(one.attempts, 'call', width=12)} of {printable_line(one.handler)},"
            f" {one.failures:,} failed, mean"
            f" {one.mean_seconds:.3f} s, worst {one.worst_seconds:.3f} s"
            for one in receiver.handlers
        ),
        *(
            f"     running  {printable_line(one.handler)} for {one.seconds:,.1f} s with event"
            f" {printable_line(one.event_id)}"
            for one in receiver.running
        ),
    ]


def local_time(moment: datetime) -> str:
    """Return a time in Amsterdam."""
    try:
        return f"{moment.astimezone(AMSTERDAM):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # in Amsterdam it is already the year 10000
        return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def _escaped(text: str) -> str:
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
