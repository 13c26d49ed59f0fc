"""Where a run is: its windows of days, and the cursor that each of them goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, or_, select

from cyclesoft_async.bulksync.window import Window
from cyclesoft_async.errors import StoreError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import Page

from .rejected import forget_outdated
from .tables import runs, windows


class StoredWindow(Struct, frozen=True, kw_only=True):
    """A window of a run, as far as it has been read."""

    number: int
    window: Window
    cursor: str | None
    """Where its next page starts; None is the beginning."""
    done: bool
    in_order: bool
    """All its pages so far came in the order of the scheduled start."""
    reached: date | None
    """The last day that was read of while they did; None before the first."""
    pages: int
    orders: int


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run, with what it did up to now over all its attempts."""

    run_id: int
    date_from: date
    date_until: date
    started_at: datetime
    active_at: datetime
    """When something of it was last stored."""
    finished_at: datetime | None
    requests: int
    orders: int
    """Orders read, also those of which the store had a newer version."""
    rejected: int
    pages: int
    windows: Sequence[StoredWindow]


class WindowPage(Struct, frozen=True, kw_only=True):
    """A page that was read, and how its window stands after it."""

    run_id: int
    number: int
    page: Page[WorkshopOrder]
    orders: int
    """How many of its orders count as the window's; beyond a cut they are the next one's."""
    done: bool
    """Nothing more of the window is wanted; otherwise it goes on at the page's cursor."""
    in_order: bool
    """Whether all pages of the window up to this one came in the order of the scheduled start."""
    reached: date | None
    """The last day that was read of while they did."""


def last_run(connection: Connection, date_from: date, date_until: date) -> StoredRun | None:
    """The newest run of exactly these days."""
    of_range = (runs.c.date_from == date_from) & (runs.c.date_until == date_until)
    newest = select(runs).where(of_range).order_by(runs.c.run_id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return None if row is None else _run(connection, row)


def stopped_run(connection: Connection, date_from: date) -> StoredRun | None:
    """The newest unfinished run from this day on, unless a later run reaches as far."""
    later = runs.alias()
    is_replaced = exists().where(
        later.c.run_id > runs.c.run_id,
        later.c.date_from == runs.c.date_from,
        later.c.date_until >= runs.c.date_until,
    )
    stopped = (
        select(runs)
        .where(runs.c.date_from == date_from, runs.c.finished_at.is_(None), ~is_replaced)
        .order_by(runs.c.run_id.desc())
        .limit(1)
    )
    row = connection.execute(stopped).one_or_none()
    return None if row is None else _run(connection, row)


def current_run(connection: Connection, run_id: int) -> StoredRun | None:
    """The run with this number, unless a later one of the same days has taken its place."""
    later = runs.alias()
    is_replaced = exists().where(
        later.c.run_id > runs.c.run_id,
        later.c.date_from == runs.c.date_from,
        later.c.date_until == runs.c.date_until,
    )
    row = connection.execute(select(runs).where(runs.c.run_id == run_id, ~is_replaced)).one_or_none()
    return None if row is None else _run(connection, row)


def begin_run(
    connection: Connection, date_from: date, date_until: date, parts: Sequence[Window]
) -> StoredRun:
    """A new run of these windows, numbered from 0."""
    now = datetime.now(UTC)
    values = {"date_from": date_from, "date_until": date_until, "started_at": now, "active_at": now}
    row = connection.execute(runs.insert().values(values).returning(runs)).one()
    for number, window in enumerate(parts):
        _add_window(connection, row.run_id, number, window)
    return _run(connection, row)


def split(connection: Connection, run_id: int, number: int, cut: date) -> StoredWindow:
    """Cut a window in two: the later one, from `cut` on, is new."""
    _note_activity(connection, run_id)  # whoever splits a window of the same run at the same time waits here
    of_run = windows.c.run_id == run_id
    this = of_run & (windows.c.number == number)
    last = connection.execute(select(windows.c.last_day).where(this)).scalar_one()
    # Another process that works on the run may have cut it before this day; what lies beyond is in its hands.
    earlier, last = min(last, cut - timedelta(days=1)), max(last, cut)
    connection.execute(windows.update().where(this).values(last_day=earlier))
    count = connection.execute(select(func.count()).where(of_run)).scalar_one()
    return _add_window(connection, run_id, count, Window(cut, last))


def advance(connection: Connection, pages: Sequence[WindowPage]) -> None:
    """Put the windows where the pages end, and count them."""
    connection.execute(
        _ADVANCE,
        [
            {
                "of_run": page.run_id,
                "of_number": page.number,
                "cursor": page.page.cursor,
                "done": page.done,
                "in_order": page.in_order,
                "reached": page.reached,
                "more_orders": page.orders,
            }
            for page in pages
        ],
    )


def count(connection: Connection, pages: Sequence[WindowPage], *, requests: int, rejected: int) -> None:
    """Add what the pages brought to their run; relative, because several processes may work on it."""
    values = {
        "requests": runs.c.requests + requests,
        "orders": runs.c.orders + sum(page.orders for page in pages),
        "rejected": runs.c.rejected + rejected,
        "pages": runs.c.pages + len(pages),
    }
    _note_activity(connection, pages[0].run_id, values)


def count_rejected(connection: Connection, run_id: int, rejected: int) -> None:
    """Add rows that were put aside while orders were asked for one by one."""
    _note_activity(connection, run_id, {"rejected": runs.c.rejected + rejected})


def _note_activity(
    connection: Connection, run_id: int, values: Mapping[str, ColumnElement[int]] | None = None
) -> None:
    """Note that something of the run was stored just now.

    Raises:
        StoreError: There is no such run any more.
    """
    noted = runs.update().where(runs.c.run_id == run_id).values(active_at=datetime.now(UTC), **values or {})
    if not connection.execute(noted).rowcount:
        raise StoreError("this run was given up: a later one has read its days meanwhile")


def finish_run(connection: Connection, run_id: int, requests: int) -> None:
    """Note that everything of the run has been read."""
    this = connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id)
        .values(finished_at=datetime.now(UTC), requests=runs.c.requests + requests)
        .returning(runs)
    ).one_or_none()
    if this is not None:
        forget_outdated(connection, run_id, this.started_at)
        _forget_earlier(connection, this)


def _forget_earlier(connection: Connection, this: Row[tuple[object, ...]]) -> None:
    """Forget earlier runs of these days, or fewer, but for those that are still at work.

    Whoever follows begins hundreds of runs a day.
    """
    connection.execute(
        runs.delete().where(
            runs.c.run_id < this.run_id,
            runs.c.date_from >= this.date_from,
            runs.c.date_until <= this.date_until,
            or_(runs.c.finished_at.is_not(None), runs.c.active_at < this.started_at),
        )
    )


_ADVANCE = (
    windows.update()
    .where(windows.c.run_id == bindparam("of_run"), windows.c.number == bindparam("of_number"))
    .values(
        cursor=bindparam("cursor"),
        done=or_(windows.c.done, bindparam("done")),
        in_order=and_(windows.c.in_order, bindparam("in_order")),
        reached=bindparam("reached"),
        pages=windows.c.pages + 1,
        orders=windows.c.orders + bindparam("more_orders"),
    )
)


def _add_window(connection: Connection, run_id: int, number: int, window: Window) -> StoredWindow:
    connection.execute(
        windows.insert().values(
            run_id=run_id,
            number=number,
            first_day=window.first,
            last_day=window.last,
            done=False,
            in_order=True,
        )
    )
    return StoredWindow(
        number=number, window=window, cursor=None, done=False, in_order=True, reached=None, pages=0, orders=0
    )


def _run(connection: Connection, row: Row[tuple[object, ...]]) -> StoredRun:
    found = connection.execute(
        select(windows).where(windows.c.run_id == row.run_id).order_by(windows.c.number)
    )
    return StoredRun(
        **row._mapping,  # the columns are the fields
        windows=[
            StoredWindow(
                number=part.number,
                window=Window(part.first_day, part.last_day),
                cursor=part.cursor,
                done=part.done,
                in_order=part.in_order,
                reached=part.reached,
                pages=part.pages,
                orders=part.orders,
            )
            for part in found
        ],
    )
