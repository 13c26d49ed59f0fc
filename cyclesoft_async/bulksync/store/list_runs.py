"""Lists: how far each list without days has been read, and which stored rows it lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, RowMapping, Text, and_, cast, delete, exists, func, literal, select

from cyclesoft_async.bulksync.resources import Batch, Mirrored
from cyclesoft_async.bulksync.resources.mirrored import Key, key_text

from . import rejected
from .tables import listed, lists
from .transaction import Transaction
from .upserts import mark_deleted, upsert

_NO_RUN: Final = {"cursor": None, "is_whole": None, "started_at": None, "active_at": None}


class ListState(Struct, frozen=True, kw_only=True):
    """How far a list has been read."""

    cursor: str | None
    """Where the run under way resumes; None if there is none, or nothing of it was stored."""
    is_whole: bool
    """Whether the run under way reads the whole list."""
    started_at: datetime | None
    """When the run under way began, by the server's clock."""
    active_at: datetime | None
    """When something of it was last stored."""
    completed_at: datetime | None
    """When the newest complete run began, by the server's clock."""
    whole_at: datetime | None
    """When the newest complete run over the whole list began, likewise."""
    whole_requests: int | None
    """Requests that it took."""


def state(tx: Transaction, name: str) -> ListState:
    """Return how far a list has been read."""
    row = tx.connection.execute(select(lists).where(lists.c.resource == name)).one_or_none()
    if row is None:
        return ListState(
            cursor=None,
            is_whole=False,
            started_at=None,
            active_at=None,
            completed_at=None,
            whole_at=None,
            whole_requests=None,
        )
    return ListState(
        cursor=row.cursor,
        is_whole=bool(row.is_whole),
        started_at=row.started_at,
        active_at=row.active_at,
        completed_at=row.completed_at,
        whole_at=row.whole_at,
        whole_requests=row.whole_requests,
    )


def asked_at(tx: Transaction, kind: Mirrored[Any], key: Key) -> datetime | None:
    """Return when the stored version of a row was requested, by the server's clock."""
    condition = and_(*(column == value for column, value in zip(kind.key, key, strict=True)))
    return tx.connection.scalar(select(kind.table.c.asked_at).where(condition))


def begin(tx: Transaction, name: str, *, started_at: datetime, is_whole: bool) -> None:
    """Note that a run over a list begins."""
    known = exists().where(lists.c.resource == name)
    tx.connection.execute(lists.insert().from_select(["resource"], select(literal(name)).where(~known)))
    begun = {
        "cursor": None,
        "is_whole": is_whole,
        "started_at": started_at,
        "active_at": datetime.now(UTC),
        "requests": 0,
    }
    tx.connection.execute(lists.update().where(lists.c.resource == name).values(begun))
    tx.connection.execute(delete(listed).where(listed.c.resource == name))


def store_batch(
    tx: Transaction, kind: Mirrored[Any], batch: Batch[Any], *, asked_at: datetime, is_whole: bool
) -> int:
    """Store rows of a list and its next cursor; return how many were rejected."""
    unstorable = [rejected.unstorable(row) for row in batch.rejected]
    unstorable += upsert(tx, kind, batch.rows, asked_at=asked_at)
    refused = {row.raw for row in unstorable}
    keys = {kind.key_of(item) for item, raw in batch.rows if raw not in refused}
    rejected.reject_listed(tx, kind, unstorable, readable=keys)
    if is_whole:
        identified = (kind.identify(row.raw) for row in unstorable)
        _note_listed(tx, kind, keys | {key for key in identified if key is not None})
    values = {"cursor": batch.cursor, "active_at": datetime.now(UTC), "requests": lists.c.requests + 1}
    tx.connection.execute(lists.update().where(lists.c.resource == kind.name).values(values))
    return len(unstorable)


def missing(tx: Transaction, kind: Mirrored[Any], started_at: datetime) -> Sequence[RowMapping]:
    """Return the keys, and what else finds them, of stored rows that the whole list has not shown.

    Without those that were requested by another way since the run began.
    """
    table = kind.table
    shown = exists().where(listed.c.resource == kind.name, listed.c.row_key == _key_expression(kind))
    columns = [column for column in table.columns if column.name != "raw"]
    # Both are whole seconds of the Date header.
    is_earlier = table.c.asked_at.is_(None) | (table.c.asked_at <= started_at)
    found = select(*columns).where(table.c.deleted_at.is_(None), is_earlier, ~shown)
    return tx.connection.execute(found.order_by(*kind.key)).mappings().all()


def settle_missing(
    tx: Transaction,
    kind: Mirrored[Any],
    *,
    found: Batch[Any],
    gone: Collection[Key],
    asked_at: datetime,
) -> int:
    """Store what single requests have shown of missing rows; return how many rows were rejected."""
    unstorable = [rejected.unstorable(row) for row in found.rejected]
    unstorable += upsert(tx, kind, found.rows, asked_at=asked_at)
    rejected.reject_listed(tx, kind, unstorable, readable=[])
    mark_deleted(tx, kind, gone)
    return len(unstorable)


def finish(tx: Transaction, kind: Mirrored[Any], *, started_at: datetime, is_whole: bool) -> None:
    """Note that a run has read its list to the end."""
    values: dict[str, object] = {**_NO_RUN, "completed_at": started_at}
    if is_whole:
        values |= {"whole_at": started_at, "whole_requests": lists.c.requests}
        rejected.forget_listed(tx, kind, started_at)
        tx.connection.execute(delete(listed).where(listed.c.resource == kind.name))
    tx.connection.execute(lists.update().where(lists.c.resource == kind.name).values(values))


def give_up(tx: Transaction, name: str) -> None:
    """Forget a run whose list is not to be believed, or whose cursor the server does not take any more."""
    tx.connection.execute(lists.update().where(lists.c.resource == name).values(_NO_RUN))
    tx.connection.execute(delete(listed).where(listed.c.resource == name))


def count(tx: Transaction, kind: Mirrored[Any]) -> int:
    """Return how many rows are stored that the server had at last sight."""
    rows = select(func.count()).select_from(kind.table).where(kind.table.c.deleted_at.is_(None))
    return tx.connection.execute(rows).scalar_one()


def _note_listed(tx: Transaction, kind: Mirrored[Any], keys: Collection[Key]) -> None:
    texts = sorted(map(key_text, keys))
    there = select(listed.c.row_key).where(listed.c.resource == kind.name, listed.c.row_key.in_(texts))
    known = set(tx.connection.execute(there).scalars())
    new: Sequence[Mapping[str, str]] = [
        {"resource": kind.name, "row_key": text} for text in texts if text not in known
    ]
    if new:
        tx.connection.execute(listed.insert(), new)


def _key_expression(kind: Mirrored[Any]) -> ColumnElement[str]:
    first, *others = [cast(column, Text) for column in kind.key]
    expression: ColumnElement[str] = first
    for other in others:
        expression = expression + "/" + other
    return expression
