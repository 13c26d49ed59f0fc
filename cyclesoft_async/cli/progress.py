"""How far a sync is, on a terminal and elsewhere, and its closing words."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cyclesoft_async.bulksync import SyncProgress, SyncReport

_PLAIN_LINES = 10

Show = Callable[[SyncProgress], None]


@contextmanager
def progress_display(*, quiet: bool) -> Generator[Show]:
    """What to call with the progress: bars on a terminal, a line now and then elsewhere."""
    console = Console()
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _bars(console) as show:
            yield show
    else:
        yield _Lines(console)


@contextmanager
def _bars(console: Console) -> Generator[Show]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=console,
    ) as bars:
        task = bars.add_task("windows", total=None, counts="")
        yield lambda seen: bars.update(
            task,
            total=seen.windows,
            completed=seen.windows_done,
            description=f"{seen.windows_done}/{seen.windows} windows",
            counts=_counts(seen),
        )


class _Lines:
    """A plain line for about every tenth of the windows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0

    def __call__(self, seen: SyncProgress) -> None:
        tenth = seen.windows_done * _PLAIN_LINES // seen.windows
        if tenth > self._printed:
            self._printed = tenth
            line = f"{seen.windows_done}/{seen.windows} windows, {_counts(seen)}"
            self._console.print(line, highlight=False, soft_wrap=True)


def _counts(seen: SyncProgress) -> str:
    left = seen.quota
    return (
        f"{seen.orders:,} orders, {seen.requests:,} requests, "
        f"quota left {left.minutely.remaining:,} a minute, {left.daily.remaining:,} today"
    )


def show_report(report: SyncReport, url: str) -> None:
    """The closing table, or the same as plain lines."""
    rows = {
        "orders": f"{report.orders:,}",
        "rejected rows": f"{report.rejected:,}",
        "pages": f"{report.pages:,}",
        "requests": f"{report.requests:,}",
        "answers 429": f"{report.rate_limited:,}",
        "seconds": f"{report.seconds:.1f}",
        "quota left, minute": f"{report.quota.minutely.remaining:,} of {report.quota.minutely.limit:,}",
        "quota left, day": f"{report.quota.daily.remaining:,} of {report.quota.daily.limit:,}",
    }
    console = Console()
    if not console.is_terminal:
        for name, value in rows.items():
            console.print(f"{name}: {value}", highlight=False)
        return
    table = Table(title=f"Synced to {url}", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
