"""How far a sync is, on a terminal and elsewhere; its closing words, and those before it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cyclesoft_async import QuotaSnapshot
from cyclesoft_async.models import AMSTERDAM

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import SyncEstimate, SyncProgress, SyncReport, SyncStopped
    from cyclesoft_async.bulksync.store.rejected import RetriedRows
    from cyclesoft_async.bulksync.store.runs import StoredRun

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
        task = bar.add_task("pages", total=None)

        def show(seen: SyncProgress) -> None:
            bar.counts = _counts(seen)
            total = seen.pages + seen.pages_left
            bar.update(task, total=total, completed=seen.pages, description=_pages(seen))

        yield show


class _Lines:
    """A plain line for about every tenth of the pages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0

    def __call__(self, seen: SyncProgress) -> None:
        tenth = seen.pages * _PLAIN_LINES // (seen.pages + seen.pages_left)
        if tenth > self._printed:
            self._printed = tenth
            self._console.print(f"{_pages(seen)}, {_counts(seen)}", highlight=False, soft_wrap=True)


class WorkersLines:
    """A line for every window that workers have read."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet)
        self._printed = 0

    def __call__(self, run: StoredRun) -> None:
        """A line, if there is news."""
        done = sum(window.done for window in run.windows)
        if done > self._printed:
            self._printed = done
            words = f"{done}/{len(run.windows)} windows, {run.orders:,} orders, {run.requests:,} requests"
            self._console.print(words, highlight=False, soft_wrap=True)


def _pages(seen: SyncProgress) -> str:
    about = "about " if seen.pages_left else ""
    return f"{seen.pages:,} of {about}{seen.pages + seen.pages_left:,} pages"


def _counts(seen: SyncProgress) -> str:
    left = seen.quota
    return (
        f"{seen.orders:,} orders, {seen.requests:,} requests, "
        f"quota left: {left.minutely.remaining:,} this minute, {left.daily.remaining:,} today"
    )


def show_report(report: SyncReport, store: str) -> None:
    """The closing table, or the same as plain lines."""
    rows = {
        "orders": f"{report.orders:,}",
        "rejected rows": f"{report.rejected:,}",
        "asked for one by one": f"{report.refetched:,}",
        "pages": f"{report.pages:,}",
        "requests": f"{report.requests:,}",
        "requests of this attempt": f"{report.requests_now:,}",
        "answers 429": f"{report.rate_limited:,}",
        "seconds": f"{report.seconds:.1f}",
    }
    if not report.resumed:
        del rows["requests of this attempt"]
    _show(f"Synced to {store}", rows | _quota_rows(report.quota))


def show_estimate(expected: SyncEstimate) -> None:
    """What a sync would cost."""
    ready = expected.ready_at.astimezone(AMSTERDAM)
    days = "today" if expected.days == 1 else f"{expected.days:,} days, as the day's quota allows no more"
    rows = {
        "orders": f"about {expected.orders:,}",
        "requests": f"about {expected.requests:,}",
        "minutes": f"about {expected.minutes:.1f}",
        "takes": days,
        "ready": f"{ready:%Y-%m-%d %H:%M} Dutch time, if it begins now",
        "known from": f"the {expected.source}, at the price of {expected.requests_now:,} requests",
    }
    title = "What is left of the run that was stopped" if expected.resumes else "What a sync would cost"
    _show(title, rows | _quota_rows(expected.quota))


def show_retried(retried: RetriedRows) -> None:
    """What came of rejected rows."""
    _show("Rejected rows", {"stored": f"{retried.stored:,}", "still rejected": f"{retried.rejected:,}"})


def show_run(run: StoredRun) -> None:
    """What workers did."""
    Console().print(f"{run.orders:,} orders, {run.requests:,} requests", highlight=False, soft_wrap=True)


def stop_words(stop: SyncStopped) -> str:
    """Why a sync was stopped, how far it got, and when it can go on."""
    done = stop.progress
    # Before the first page nothing is known of what there is to read.
    left = f", about {done.pages_left:,} requests are left" if done.pages else ""
    # Up to the next whole minute: better a little late than too early.
    back = stop.resets_at.astimezone(AMSTERDAM) + timedelta(seconds=59)
    return (
        f"the {stop.scope} quota is used up; {done.orders:,} orders are stored{left}; "
        f"there is quota again at {back:%H:%M on %Y-%m-%d} Dutch time"
    )


def _quota_rows(quota: QuotaSnapshot) -> dict[str, str]:
    return {
        "quota left, minute": f"{quota.minutely.remaining:,} of {quota.minutely.limit:,}",
        "quota left, day": f"{quota.daily.remaining:,} of {quota.daily.limit:,}",
    }


def _show(title: str, rows: dict[str, str]) -> None:
    console = Console()
    if not console.is_terminal:
        for name, value in rows.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
        return
    table = Table(title=title, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
