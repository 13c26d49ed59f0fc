"""Reads a list that has no days into the store, page by page, resumably."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from random import sample
from typing import Any, Final, TypeVar

from msgspec import Raw, Struct
from sqlalchemy import RowMapping

from cyclesoft_async.bulksync.report import SyncSuspicious
from cyclesoft_async.bulksync.resources import Batch, Listed
from cyclesoft_async.bulksync.resources.listed import decoded
from cyclesoft_async.bulksync.store import list_runs
from cyclesoft_async.bulksync.store.list_runs import ListState
from cyclesoft_async.bulksync.store.open_store import StoreWriter
from cyclesoft_async.errors import PaginationError, ResponseError
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.transport import Response

from .concurrently import for_each
from .readers import bulk_session

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_RESUMABLE: Final = timedelta(days=1)
# The list of what changed cannot show a row that was deleted, nor one that moved past a page boundary.
_WHOLE_EVERY: Final = timedelta(days=7)
# Before the beginning of the last run: its first page may have been made before a change was written.
_OVERLAP: Final = timedelta(hours=1)
_SAMPLE: Final = 20
_MOST_THERE: Final = 2
_AT_ONCE: Final = 8


class ListReport(Struct, frozen=True, kw_only=True):
    """Figures of one table of a sync."""

    rows: int
    """Rows that the server's list brought."""
    rejected: int
    """Rows that could not be read; they are in the table `rejected_rows`."""
    deleted: int
    """Rows that the server does not have any more."""
    is_whole: bool
    """Whether the whole list was read, or what changed since the last run."""


class _Counted:
    def __init__(self) -> None:
        self.rows = self.rejected = self.deleted = 0


async def read_list(
    cs: CycleSoftSession,
    writer: StoreWriter,
    resource: Listed[Any],
    *,
    whole: bool = False,
    accept_missing: bool = False,
    on_stored: Callable[[str, int], None] = lambda _name, _rows: None,
) -> ListReport:
    """Bring a table up to date.

    What changed since the last complete run is read where the list can be asked for that, and the whole list
    at the first time, every seven days, and where it cannot. A run that was stopped within a day resumes.

    Args:
        cs: The session.
        writer: The store.
        resource: What to read.
        whole: Whether to read the whole list in any case, from its beginning.
        accept_missing: Believe the list even if rows are missing from it that the server has.
        on_stored: Called after every request with the resource's name and the rows so far.

    Raises:
        SyncSuspicious: The list lacks rows that the server still has. None is marked as deleted.
        QuotaExhausted: The quota is used up; what was stored stays, and the next run resumes.
        RequestError: A call went wrong for good.
    """
    bulk = bulk_session(cs)
    state = await writer.run(list_runs.state, resource.name)
    run = _Run(bulk, writer, resource, on_stored)
    resumed = not whole and _is_resumable(state)
    try:
        started_at, is_whole = await run.read(state, whole=whole, resumed=resumed)
    except (PaginationError, ResponseError) as error:
        if not resumed or not _refuses_cursor(error):
            raise
        # An old cursor: what it stood for may be gone.
        await writer.run(list_runs.give_up, resource.name)
        started_at, is_whole = await run.read(state, whole=whole, resumed=False)
    if is_whole and resource.shows_all:
        await run.settle_missing(started_at, accept_missing=accept_missing)
    await writer.run(list_runs.finish, resource.kind, started_at=started_at, is_whole=is_whole)
    counted = run.counted
    logger.info(
        "synced %s: %d rows, %d rejected, %d deleted",
        resource.name,
        counted.rows,
        counted.rejected,
        counted.deleted,
        extra={"resource": resource.name, "rows": counted.rows},
    )
    return ListReport(
        rows=counted.rows, rejected=counted.rejected, deleted=counted.deleted, is_whole=is_whole
    )


def changed_since(resource: Listed[Any], state: ListState, *, whole: bool = False) -> datetime | None:
    """Return since when a new run would ask for changes; None if it would read the whole list."""
    if whole or not resource.is_incremental or state.completed_at is None or state.whole_at is None:
        return None
    if datetime.now(UTC) - state.whole_at > _WHOLE_EVERY:
        return None
    return state.completed_at - _OVERLAP


class _Run:
    """A run over one list."""

    def __init__(
        self,
        bulk: CycleSoftSession,
        writer: StoreWriter,
        resource: Listed[Any],
        on_stored: Callable[[str, int], None],
    ) -> None:
        self._bulk = bulk
        self._writer = writer
        self._resource = resource
        self._on_stored = on_stored
        self.counted = _Counted()

    async def read(self, state: ListState, *, whole: bool, resumed: bool) -> tuple[datetime, bool]:
        """Read the list to its end; return when the run began, and whether it read the whole list."""
        since = changed_since(self._resource, state, whole=whole)
        cursor, started_at, is_whole = None, None, since is None
        if resumed:
            cursor, started_at, is_whole = state.cursor, state.started_at, state.is_whole
        seen = set[str]()
        while True:
            batch, asked_at = await self._request(None if cursor else since, cursor)
            if started_at is None:
                started_at = asked_at
                await self._writer.run(
                    list_runs.begin, self._resource.name, started_at=started_at, is_whole=is_whole
                )
            self.counted.rejected += await self._writer.run(
                list_runs.store_batch, self._resource.kind, batch, asked_at=asked_at, is_whole=is_whole
            )
            self.counted.rows += len(batch.rows)
            self._on_stored(self._resource.name, self.counted.rows)
            cursor = batch.cursor
            if cursor is None:
                return started_at, is_whole
            if cursor in seen:
                raise PaginationError("the server repeated a cursor", status=HTTPStatus.OK)
            seen.add(cursor)

    async def settle_missing(self, started_at: datetime, *, accept_missing: bool) -> None:
        """Mark as deleted what the whole list lacks, once that is certain."""
        resource = self._resource
        missing = await self._writer.run(list_runs.missing, resource.kind, started_at)
        if not missing:
            return
        if resource.find is None:
            batch, asked_at = await self._request(None, None)
            await self._settle(missing, batch, asked_at)
            return
        sampled = missing if accept_missing else sample(missing, min(_SAMPLE, len(missing)))
        there = await self._find(sampled)
        if len(there.rows) > _MOST_THERE and not accept_missing:
            await self._writer.run(list_runs.give_up, resource.name)
            raise SyncSuspicious(
                f"the list of {resource.name} lacks {len(missing):,} known rows, and {len(there.rows)} of"
                f" {len(sampled)} that were requested one by one are still there. Nothing was marked as"
                " deleted. Sync again later, or believe the lists with --accept-missing, accept_missing=True"
            )
        await self._settle(sampled, there, datetime.now(UTC))
        requested = {id(row) for row in sampled}
        left = [row for row in missing if id(row) not in requested]
        for start in range(0, len(left), _SAMPLE):
            some = left[start : start + _SAMPLE]
            await self._settle(some, await self._find(some), datetime.now(UTC))

    async def _settle(self, missing: Sequence[RowMapping], found: Batch[Any], asked_at: datetime) -> None:
        kind = self._resource.kind
        there = {kind.key_of(item) for item, _ in found.rows}
        there |= {key for row in found.rejected if (key := kind.identify(row.raw)) is not None}
        keys = {tuple(row[column.name] for column in kind.key) for row in missing}
        gone = keys - there
        self.counted.rejected += await self._writer.run(
            list_runs.settle_missing, kind, found=found, gone=gone, asked_at=asked_at
        )
        self.counted.deleted += len(gone)

    async def _find(self, rows: Sequence[RowMapping]) -> Batch[Any]:
        """Request rows one by one; those that the server does not have are left out."""
        find = self._resource.find
        found: list[bytes] = []

        async def request(row: RowMapping) -> None:
            raw = None if find is None else await find(self._bulk, row)
            if raw is not None:
                found.append(raw)

        await for_each(rows, request, at_once=_AT_ONCE)
        return decoded(map(Raw, found), self._resource.kind.model)

    async def _request(self, since: datetime | None, cursor: str | None) -> tuple[Batch[Any], datetime]:
        async def read(bulk: CycleSoftSession) -> Batch[Any]:
            return await self._resource.read(bulk, since, cursor)

        batch, response = await self._bulk.with_raw_response(read)
        return batch, date_of(response)


def _is_resumable(state: ListState) -> bool:
    if state.cursor is None or state.active_at is None:
        return False
    return datetime.now(UTC) - state.active_at < _RESUMABLE


def _refuses_cursor(error: Exception) -> bool:
    status = getattr(error, "status", None)
    return isinstance(error, PaginationError) or status in {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }


def date_of(response: Response) -> datetime:
    """Return when a response was made, by the server's clock if it says so."""
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
