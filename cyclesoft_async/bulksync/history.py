"""What the last run of a range tells the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import AMSTERDAM

from .store.runs import StoredRun
from .store.store import StoreWriter

_RESUMABLE = timedelta(days=1)
_FRESH = timedelta(days=7)


def to_go_on_with(last: StoredRun | None, *, resume: bool | None) -> StoredRun | None:
    """The run to go on with, if there is one; `resume` is as in `sync_workshop_orders`.

    Raises:
        UsageError: There is none, and there must be.
    """
    unfinished = last if last is not None and last.finished_at is None else None
    if resume and unfinished is None:
        raise UsageError("there is no unfinished run of these days to go on with")
    if resume is None and unfinished is not None:
        return unfinished if datetime.now(UTC) - unfinished.active_at < _RESUMABLE else None
    return unfinished if resume else None


async def known_orders(writer: StoreWriter, last: StoredRun | None) -> Mapping[date, int]:
    """Orders a day, if the last run has read all days and they can't have changed much; else nothing."""
    if last is None or last.finished_at is None:
        return {}
    is_past = last.date_until < last.finished_at.astimezone(AMSTERDAM).date()
    if not is_past and datetime.now(UTC) - last.finished_at > _FRESH:
        return {}
    return await writer.orders_per_day(last.date_from, last.date_until)
