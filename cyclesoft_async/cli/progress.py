"""How far a sync is, on a terminal and elsewhere, and its closing words."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import SyncProgress, SyncReport

_PLAIN_LINES = 10

Show: TypeAlias = "Callable[[SyncProgress], None]"


@contextmanager
def progress_display(*, quiet: bool) -> Generator[Show]:
    """What to call with the progress: a bar on a terminal, a line now and then elsewhere."""
    console = Console()
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        yield _Lines(console)


class _Bar(Progress):
    """The bar, and the counts on a line of their own: together they are wider than a small terminal."""

    counts = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.counts)


@contextmanager
def _bar(console: Console) -> Generator[Show]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("to go:"), TimeRemainingColumn()
    with _Bar(*columns, console=console) as bar:
        task = bar.add_task("windows", total=None)

        def show(seen: SyncProgress) -> None:
            bar.counts = _counts(seen)
            bar.update(task, total=seen.windows, completed=seen.windows_done, description=_windows(seen))

        yield show


class _Lines:
    """A plain line for about every tenth of the windows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0

    def __call__(self, seen: SyncProgress) -> None:
        tenth = seen.windows_done * _PLAIN_LINES // seen.windows
        if tenth > self._printed:
            self._printed = tenth
            self._console.print(f"{_windows(seen)}, {_counts(seen)}", highlight=False, soft_wrap=True)


def _windows(seen: SyncProgress) -> str:
    return f"{seen.windows_done}/{seen.windows} windows"


def _counts(seen: SyncProgress) -> str:
    left = seen.quota
    return (
        f"{seen.orders:,} orders, {seen.requests:,} requests, "
        f"quota left: {left.minutely.remaining:,} this minute, {left.daily.remaining:,} today"
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
