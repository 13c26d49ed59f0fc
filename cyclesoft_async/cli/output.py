"""Output of `cyclesoft sync`: progress, report and estimate."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cyclesoft_async import QuotaSnapshot
from cyclesoft_async.models import AMSTERDAM

from .counted import counted

if TYPE_CHECKING:
    from cyclesoft_async.bulksync import SyncEstimate, SyncProgress, SyncReport
    from cyclesoft_async.bulksync.store.rejected import RetriedRows
    from cyclesoft_async.bulksync.store.runs import StoredRun
    from cyclesoft_async.errors import QuotaExhausted

    from .tables_runner import TablesResult

_PLAIN_LINES = 10

ShowProgress: TypeAlias = "Callable[[SyncProgress], None]"
ShowRows: TypeAlias = Callable[[str, int], None]


@contextmanager
def progress_display(*, quiet: bool) -> Generator[ShowProgress]:
    """Yield a function that shows progress on stderr: a bar on a terminal, lines elsewhere."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _progress_bar(console) as show:
            yield show
    else:
        yield _ProgressLines(console)


class _Bar(Progress):
    """Progress bar with the counts on a second line: together they exceed 80 columns."""

    counts = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.counts)


@contextmanager
def _progress_bar(console: Console) -> Generator[ShowProgress]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("left:"), TimeRemainingColumn()
    with _Bar(*columns, console=console) as bar:
        task = bar.add_task("pages", total=None)

        def show(progress: SyncProgress) -> None:
            bar.counts = _counts(progress)
            total = progress.pages + progress.pages_left
            bar.update(task, total=total, completed=progress.pages, description=_pages(progress))

        yield show


class _ProgressLines:
    """Prints a line for about every tenth of the pages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0

    def __call__(self, progress: SyncProgress) -> None:
        tenth = progress.pages * _PLAIN_LINES // (progress.pages + progress.pages_left)
        if tenth > self._printed:
            self._printed = tenth
            self._console.print(f"{_pages(progress)}, {_counts(progress)}", highlight=False, soft_wrap=True)


class WorkersProgress:
    """Prints a line on stderr for every window that the workers have finished."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._printed = 0

    def __call__(self, run: StoredRun) -> None:
        """Print a line if another window is done."""
        done = len(run.windows)
        if done > self._printed:
            self._printed = done
            words = f"{counted(done, 'window')}, {_orders_and_requests(run)}"
            self._console.print(words, highlight=False, soft_wrap=True)


@contextmanager
def rows_display(*, quiet: bool) -> Generator[ShowRows]:
    """Yield a function that shows on a terminal's stderr how many rows of each table are stored."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _name, _rows: None
        return
    stored = dict[str, int]()
    with console.status("reading the other tables") as status:

        def show(name: str, rows: int) -> None:
            stored[name] = rows
            status.update(f"{counted(sum(stored.values()), 'row')} of {counted(len(stored), 'other table')}")

        yield show


def _orders_and_requests(done: SyncProgress | StoredRun) -> str:
    return f"{counted(done.orders, 'order')}, {counted(done.requests, 'request')}"


def _pages(progress: SyncProgress) -> str:
    about = "about " if progress.pages_left else ""
    return f"{progress.pages:,} of {about}{counted(progress.pages + progress.pages_left, 'page')}"


def _counts(progress: SyncProgress) -> str:
    left = progress.quota
    return (
        f"{_orders_and_requests(progress)}, "
        f"quota left: {left.minutely.remaining:,} this minute, {left.daily.remaining:,} today"
    )


def print_report(report: SyncReport, store: str) -> None:
    """Print the report of a sync."""
    rows = {
        "days": f"{report.date_from} to {report.date_until}",
        "orders": f"{report.orders:,}",
        "rejected rows": f"{report.rejected:,}",
        "refetched orders": f"{report.refetched:,}",
        "pages": f"{report.pages:,}",
        "requests": f"{report.requests:,}",
        "requests of this attempt": f"{report.requests_now:,}",
        "429 responses": f"{report.rate_limited:,}",
        "seconds": f"{report.seconds:.1f}",
    }
    if not report.resumed:
        del rows["requests of this attempt"]
    _print_rows(f"Synced to {store}", rows | _quota_rows(report.quota))


def print_tables(result: TablesResult, store: str) -> None:
    """Print the report of a sync of several tables, and the question that they answer together."""
    report, rows = result.report, dict[str, str]()
    if (orders := report.orders) is not None:
        rows["days of workshop orders"] = f"{orders.date_from} to {orders.date_until}"
        rows["workshop_orders"] = counted(orders.orders, "row") + _rejected(orders.rejected)
    for name, each in report.tables.items():
        deleted = f", {each.deleted:,} deleted" if each.deleted else ""
        noun = "row" if each.is_whole else "changed row"
        rows[name] = counted(each.rows, noun) + deleted + _rejected(each.rejected)
    rows |= dict.fromkeys(report.denied, "not allowed by the user's scopes")
    rows |= {"requests": f"{report.requests:,}", "seconds": f"{report.seconds:.1f}"}
    _print_rows(f"Synced to {store}", rows | _quota_rows(result.quota))
    if result.ready_count is not None:
        click.echo(f"repairs that are ready: {result.ready_count:,}, see the view ready_for_pickup")
    for repair in result.ready:
        words = (repair.status_text, repair.customer_name, repair.phone_number, repair.bike, repair.mechanic)
        click.echo(f"{repair.workshop_order_id}: " + ", ".join(word or "unknown" for word in words))


def _rejected(count: int) -> str:
    return f", {count:,} rejected" if count else ""


def print_cost(expected: SyncEstimate) -> None:
    """Print the estimate of a sync."""
    ready = expected.ready_at.astimezone(AMSTERDAM)
    days = "today" if expected.days == 1 else f"{counted(expected.days, 'day')}, limited by the daily quota"
    rows = {
        "orders": f"about {expected.orders:,}",
        "requests": f"about {expected.requests:,}",
        "minutes": f"about {expected.minutes:.1f}",
        "takes": days,
        "done": f"{ready:%Y-%m-%d %H:%M} Dutch time, if started now",
        "estimated from": f"the {expected.source}, for {counted(expected.requests_now, 'request')}",
    }
    title = "Remaining cost of the stopped run" if expected.resumes else "Estimated cost of the sync"
    _print_rows(title, rows | _quota_rows(expected.quota))


def print_retried(retried: RetriedRows) -> None:
    """Print the result of --retry-rejected."""
    _print_rows("Rejected rows", {"stored": f"{retried.stored:,}", "still rejected": f"{retried.rejected:,}"})


def print_run(run: StoredRun) -> None:
    """Print the totals of a run by workers."""
    Console().print(_orders_and_requests(run), highlight=False, soft_wrap=True)


def stop_message(stop: QuotaExhausted) -> str:
    """Return why a sync stopped, its progress, and when it can resume."""
    done = ""
    progress: SyncProgress | None = getattr(stop, "progress", None)
    if progress is not None:
        done = f" stored until now: {counted(progress.orders, 'order')}"
        # Before the first page the number of pages is unknown.
        done += f", left: about {counted(progress.pages_left, 'request')};" if progress.pages else ";"
    # Rounded up to a whole minute, as a moment too early is too early.
    back = stop.resets_at.astimezone(AMSTERDAM) + timedelta(seconds=59)
    return f"the {stop.scope} quota is used up;{done} the quota resets at {back:%H:%M on %Y-%m-%d} Dutch time"


def _quota_rows(quota: QuotaSnapshot) -> dict[str, str]:
    return {
        "quota left, minute": f"{quota.minutely.remaining:,} of {quota.minutely.limit:,}",
        "quota left, day": f"{quota.daily.remaining:,} of {quota.daily.limit:,}",
    }


def _print_rows(title: str, rows: dict[str, str]) -> None:
    console = Console()
    if not console.is_terminal:
        for name, value in rows.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
        return
    table = Table(title=title, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
