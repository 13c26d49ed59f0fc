"""Runs: the days that each of them reads, those that it has read whole, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import ceil

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, bindparam, delete, exists, func, or_, select

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.pages import FetchedPage
from cyclesoft_async.bulksync.resources.mirrored import Received
from cyclesoft_async.bulksync.resources.workshop_orders import WORKSHOP_ORDERS
from cyclesoft_async.errors import StoreError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import RejectedRow

from . import rejected
from .queries import forget_runs_since, note_refetched, orders_per_day
from .tables import runs, windows
from .transaction import Transaction
from .upserts import mark_deleted, upsert_orders

_KEPT_RUNS = 30
_FORGOTTEN_AFTER = timedelta(days=30)
_COUNTED = ("requests", "orders", "pages", "refetched")
_COUNT = (
    runs.update()
    .where(runs.c.run_id == bindparam("of_run"))
    .values(
        active_at=bindparam("now"), **{name: runs.c[name] + bindparam(f"more_{name}") for name in _COUNTED}
    )
)


class ReadWindow(Struct, frozen=True, kw_only=True):
    """Days that were read whole, and what reading them took."""

    window: Window
    pages: int
    orders: int


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run with its figures over all of its attempts."""

    run_id: int
    date_from: date
    date_until: date
    started_at: datetime
    active_at: datetime
    """When something of it was last stored."""
    finished_at: datetime | None
    requests: int
    orders: int
    """Orders read in windows that were read whole, also those of which the store had a newer version."""
    rejected: int
    pages: int
    refetched: int
    suspicion: str | None
    """Why the lists are not to be believed, if they are not: the run cannot be resumed."""
    accepts_missing: bool
    """Whether the lists are believed even if orders are missing from them."""
    windows: Sequence[ReadWindow]
    """The days that were read whole."""

    @property
    def unread(self) -> list[Window]:
        """The days that are left to read."""
        return Window(self.date_from, self.date_until).minus(each.window for each in self.windows)


class RefetchedOrders(Struct, frozen=True, kw_only=True):
    """What the server answered when orders were requested one by one."""

    requested: Sequence[int]
    """The ids of all of them."""
    found: Sequence[Received[WorkshopOrder]]
    unreadable: Sequence[RejectedRow]
    deleted: Sequence[int]
    """The ids of those that the server does not have any more."""


def last_run(tx: Transaction, date_from: date, date_until: date) -> StoredRun | None:
    """Return the newest run of exactly these days."""
    of_range = (runs.c.date_from == date_from) & (runs.c.date_until == date_until)
    return _newest(tx, of_range)


def unfinished_run(tx: Transaction, date_from: date) -> StoredRun | None:
    """Return the newest unfinished run from this day on, unless a later run reaches as far."""
    later = runs.alias()
    is_replaced = exists().where(
        later.c.run_id > runs.c.run_id,
        later.c.date_from == runs.c.date_from,
        later.c.date_until >= runs.c.date_until,
    )
    is_resumable = runs.c.finished_at.is_(None) & runs.c.suspicion.is_(None)
    return _newest(tx, (runs.c.date_from == date_from) & is_resumable & ~is_replaced)


def current_run(tx: Transaction, run_id: int) -> StoredRun | None:
    """Return the run with this number, unless a later one of the same days has replaced it."""
    later = runs.alias()
    is_replaced = exists().where(
        later.c.run_id > runs.c.run_id,
        later.c.date_from == runs.c.date_from,
        later.c.date_until == runs.c.date_until,
    )
    return _newest(tx, (runs.c.run_id == run_id) & ~is_replaced)


def begin_run(
    tx: Transaction, date_from: date, date_until: date, *, accepts_missing: bool = False
) -> StoredRun:
    """Store a new run, of which nothing has been read."""
    now = datetime.now(UTC)
    values = {
        "date_from": date_from,
        "date_until": date_until,
        "started_at": now,
        "active_at": now,
        "accepts_missing": accepts_missing,
    }
    row = tx.connection.execute(runs.insert().values(values).returning(runs)).one()
    forget_runs_since(tx, row.run_id)
    return _run(tx, row)


def accept_missing(tx: Transaction, run_id: int) -> None:
    """Let a run believe the lists even if orders are missing from them."""
    tx.connection.execute(runs.update().where(runs.c.run_id == run_id).values(accepts_missing=True))


def known_days(tx: Transaction, whole: Window) -> Mapping[int, int]:
    """Return how many orders each day, as an ordinal, has that a run of late has read whole."""
    overlapping = (windows.c.first_day <= whole.last) & (windows.c.last_day >= whole.first)
    read = tx.connection.execute(select(windows.c.first_day, windows.c.last_day).where(overlapping)).all()
    days = {day for first, last in read for day in Window(first, last).days if day in whole.days}
    if not days:
        return {}
    stored = orders_per_day(tx, whole.first, whole.last)
    return {day: stored.get(date.fromordinal(day), 0) for day in days}


def page_size(tx: Transaction) -> int | None:
    """Return about how many orders a full page of the list has, by the windows read of late.

    A single page shows nothing: it need not be full.
    """
    of_pages = select(func.max(windows.c.orders * 1.0 / windows.c.pages)).where(windows.c.pages > 1)
    largest = tx.connection.scalar(of_pages)
    return None if not largest else ceil(largest)


def store_pages(
    tx: Transaction, run_id: int, pages: Sequence[FetchedPage[WorkshopOrder]], *, requests: int
) -> int:
    """Store orders and rejected rows of pages, and the windows that were read whole with them.

    Args:
        tx: The transaction.
        run_id: The run.
        pages: In the order in which they were fetched.
        requests: Requests that they took, to be added to the run's.

    Returns:
        How many rows were rejected: they cannot be read, or have a value too large for the database.

    Raises:
        StoreError: There is no such run any more.
    """
    orders = [pair for each in pages for pair in zip(each.page.items, each.page.raw_items, strict=True)]
    unstorable = [rejected.unstorable(row) for each in pages for row in each.page.rejected]
    unstorable += upsert_orders(tx, orders, run_id)
    rejected.reject(tx, unstorable, run_id)
    finished = [each for each in pages if each.is_last]
    _count(
        tx,
        run_id,
        requests=requests,
        orders=sum(each.rows for each in finished),
        pages=sum(each.pages for each in finished),
    )
    for each in finished:
        _add_window(tx, run_id, each)
    return len(unstorable)


def store_refetched(tx: Transaction, answers: RefetchedOrders, run_id: int | None) -> int:
    """Store orders that were requested one by one; None is no run.

    Returns:
        How many rows were rejected: they cannot be read, or have a value too large for the database.
    """
    unstorable = [rejected.unstorable(row) for row in answers.unreadable]
    unstorable += upsert_orders(tx, answers.found, run_id)
    rejected.reject(tx, unstorable, run_id)
    mark_deleted(tx, WORKSHOP_ORDERS, [(key,) for key in answers.deleted])
    if run_id is not None:
        note_refetched(tx, answers.requested, run_id)
        _count(tx, run_id, refetched=len(answers.requested))
    return len(unstorable)


def finish_run(tx: Transaction, run_id: int, *, requests: int) -> StoredRun | None:
    """Note that everything of a run has been read; None if there is no such run any more."""
    values = {
        "finished_at": datetime.now(UTC),
        "requests": runs.c.requests + requests,
        "rejected": rejected.count(tx, run_id),
    }
    finished = runs.update().where(runs.c.run_id == run_id).values(values).returning(runs)
    row = tx.connection.execute(finished).one_or_none()
    if row is None:
        return None
    rejected.forget_outdated(tx, run_id, row.started_at)
    _forget_earlier(tx, row)
    return _run(tx, row)


def give_up_run(tx: Transaction, run_id: int, *, suspicion: str, requests: int) -> None:
    """Note why the lists that a run has read are not to be believed: it cannot be resumed."""
    values = {"suspicion": suspicion, "requests": runs.c.requests + requests}
    tx.connection.execute(runs.update().where(runs.c.run_id == run_id).values(values))


def _count(tx: Transaction, run_id: int, **figures: int) -> None:
    """Add figures, relative to those stored, because several processes may work on the run.

    Raises:
        StoreError: There is no such run any more.
    """
    added = {f"more_{name}": figures.get(name, 0) for name in _COUNTED}
    noted = {"of_run": run_id, "now": datetime.now(UTC), **added}
    if not tx.connection.execute(_COUNT, noted).rowcount:
        raise StoreError("this run was given up: a later one has read its days meanwhile")


def _add_window(tx: Transaction, run_id: int, last: FetchedPage[WorkshopOrder]) -> None:
    days = {"run_id": run_id, "first_day": last.window.first, "last_day": last.window.last}
    # Two workers can read the same window: one that waited for another's lease may have ended after all.
    tx.connection.execute(delete(windows).where(*(windows.c[name] == value for name, value in days.items())))
    tx.connection.execute(windows.insert().values(**days, pages=last.pages, orders=last.rows))


def _forget_earlier(tx: Transaction, this: Row[tuple[object, ...]]) -> None:
    """Delete unfinished runs that this one replaces, and all but the newest runs.

    A Follower begins hundreds of runs a day. An unfinished run that stores something is left to its process.
    """
    is_within = (runs.c.date_from >= this.date_from) & (runs.c.date_until <= this.date_until)
    is_replaced = is_within & (runs.c.run_id < this.run_id) & (runs.c.active_at < this.started_at)
    is_forgotten = runs.c.active_at < datetime.now(UTC) - _FORGOTTEN_AFTER
    is_unfinished = runs.c.finished_at.is_(None) & runs.c.suspicion.is_(None)
    kept = select(runs.c.run_id).order_by(runs.c.run_id.desc()).limit(_KEPT_RUNS)
    tx.connection.execute(
        delete(runs).where(
            or_(
                is_unfinished & (is_replaced | is_forgotten),
                ~is_unfinished & runs.c.run_id.not_in(kept),
            )
        )
    )


def _newest(tx: Transaction, condition: ColumnElement[bool]) -> StoredRun | None:
    row = tx.connection.execute(
        select(runs).where(condition).order_by(runs.c.run_id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _run(tx, row)


def _run(tx: Transaction, row: Row[tuple[object, ...]]) -> StoredRun:
    of_run = select(windows).where(windows.c.run_id == row.run_id).order_by(windows.c.first_day)
    return StoredRun(
        run_id=row.run_id,
        date_from=row.date_from,
        date_until=row.date_until,
        started_at=row.started_at,
        active_at=row.active_at,
        finished_at=row.finished_at,
        requests=row.requests,
        orders=row.orders,
        rejected=rejected.count(tx, row.run_id) if row.finished_at is None else row.rejected,
        pages=row.pages,
        refetched=row.refetched,
        suspicion=row.suspicion,
        accepts_missing=row.accepts_missing,
        windows=[
            ReadWindow(window=Window(each.first_day, each.last_day), pages=each.pages, orders=each.orders)
            for each in tx.connection.execute(of_run)
        ],
    )
