"""Sync of several tables: workshop orders by days, then everything that they refer to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from time import monotonic
from typing import Any, Final

import anyio
from msgspec import Struct

from cyclesoft_async._arguments import check_type
from cyclesoft_async.errors import PermissionDeniedError, UsageError
from cyclesoft_async.session import CycleSoftSession

from .account_hash import account_hash
from .fetch.list_reader import ListReport, read_list
from .report import SyncProgress, SyncReport
from .resources import LISTED, MONEY, WORKSHOP_ORDERS, Listed
from .store.account import check_account, claim_account
from .store.migrations import build_indexes
from .store.open_store import StoreWriter
from .store.store import Store
from .sync_orders import sync_workshop_orders

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

SHOP_TABLES: Final[Sequence[str]] = (WORKSHOP_ORDERS.name, *(resource.name for resource in LISTED))
"""Names of the resources that `sync` copies by default: workshop orders and what they refer to."""
ALL_TABLES: Final[Sequence[str]] = (*SHOP_TABLES, *(resource.name for resource in MONEY))
"""Names of all resources: also invoices, payments and stock."""


class TablesReport(Struct, frozen=True, kw_only=True):
    """Figures of a sync of several tables."""

    orders: SyncReport | None
    """The workshop orders; None if they were not asked for."""
    tables: Mapping[str, ListReport]
    """The other tables, by name."""
    denied: Sequence[str]
    """Tables that the user's scopes do not allow to read."""
    requests: int
    """Requests that the session put on the wire meanwhile."""
    seconds: float


async def sync(
    cs: CycleSoftSession,
    store: Store,
    resources: Sequence[str] = SHOP_TABLES,
    *,
    date_from: date | None = None,
    date_until: date | None = None,
    concurrency: int = 8,
    resume: bool | None = None,
    accept_missing: bool = False,
    on_progress: Callable[[SyncProgress], None] | None = None,
    on_rows: Callable[[str, int], None] | None = None,
) -> TablesReport:
    """Copy workshop orders and what they refer to into a database.

    Workshop orders come first, so that everything that they name is there at the end. The other lists are
    then read at the same time. Of customers and service items the changes since the last run are read, of
    the others the whole list; all of them whole every seven days, which is when deleted rows are noticed.
    Unchanged rows are not written. A stopped sync is resumed by the same call.

    Args:
        cs: The session; its quota is shared with all of its other calls.
        store: The database.
        resources: Names of `ALL_TABLES`; `SHOP_TABLES` by default.
        date_from: First day of the orders' scheduled start, in Amsterdam, inclusive. Needed for orders only.
        date_until: Last day, inclusive; likewise.
        concurrency: As for `sync_workshop_orders`.
        resume: As for `sync_workshop_orders`; False also reads the whole of every list from its beginning.
        accept_missing: Believe the lists even if known rows are missing from them that the server has.
        on_progress: Called in the event loop after every stored page of orders.
        on_rows: Called in the event loop after every stored page of another list, with table and rows.

    Raises:
        UsageError: A name is unknown, the days are missing or empty, or the store belongs to another account.
        PermissionDeniedError: The user may not read the only table that was asked for.
        QuotaExhausted: The day's quota is used up; while orders are read it is a `SyncStopped`.
        SyncSuspicious: A list is not complete; nothing of it was marked as deleted.
        RequestError: A call went wrong for good; what was stored until then stays.
        StoreError: The database cannot be opened or written; what was stored until then stays.
    """
    check_type("store", store, Store)
    wanted = check_names(resources)
    began, before = monotonic(), cs.quota.sent
    orders = None
    if WORKSHOP_ORDERS.name in wanted:
        if date_from is None or date_until is None:
            raise UsageError("workshop orders are read by days: set date_from and date_until")
        orders = await sync_workshop_orders(
            cs,
            store,
            date_from=date_from,
            date_until=date_until,
            concurrency=concurrency,
            resume=resume,
            accept_missing=accept_missing,
            on_progress=on_progress,
        )
    listed = [resource for resource in (*LISTED, *MONEY) if resource.name in wanted]
    reading = _Lists(cs, store, whole=resume is False, accept_missing=accept_missing, on_rows=on_rows)
    if listed:
        await reading.read(listed)
    if reading.denied and not reading.reports and orders is None:
        raise reading.denied[min(reading.denied)]
    return TablesReport(
        orders=orders,
        tables=reading.reports,
        denied=sorted(reading.denied),
        requests=cs.quota.sent - before,
        seconds=monotonic() - began,
    )


def check_names(resources: Sequence[str]) -> Sequence[str]:
    """Return the names of the resources.

    Raises:
        UsageError: There is none, or one is unknown.
    """
    unknown = [name for name in resources if name not in ALL_TABLES]
    if isinstance(resources, str) or unknown or not resources:
        raise UsageError(f"resources must be names of {', '.join(ALL_TABLES)}, got {resources!r}")
    return resources


class _Lists:
    """Lists that are read at the same time."""

    def __init__(
        self,
        cs: CycleSoftSession,
        store: Store,
        *,
        whole: bool,
        accept_missing: bool,
        on_rows: Callable[[str, int], None] | None,
    ) -> None:
        self._cs = cs
        self._store = store
        self._whole = whole
        self._accept_missing = accept_missing
        self._on_rows = on_rows or _ignore
        self.reports: dict[str, ListReport] = {}
        self.denied: dict[str, PermissionDeniedError] = {}

    async def read(self, resources: Sequence[Listed[Any]]) -> None:
        failures: list[Exception] = []

        async def read_one(resource: Listed[Any]) -> None:
            try:
                await self._read_one(writer, resource)
            except Exception as failure:  # noqa: BLE001 - raised below: the other lists are read to their ends
                failures.append(failure)

        account = account_hash(self._cs)
        async with self._store.open() as writer:
            await writer.run(check_account, account, adopt=self._store.adopt)
            async with anyio.create_task_group() as tasks:
                for resource in resources:
                    tasks.start_soon(read_one, resource)
            if self.reports:
                await writer.run(claim_account, account, adopt=self._store.adopt)
                await writer.run(build_indexes)
        if failures:
            raise failures[0]

    async def _read_one(self, writer: StoreWriter, resource: Listed[Any]) -> None:
        try:
            self.reports[resource.name] = await read_list(
                self._cs,
                writer,
                resource,
                whole=self._whole,
                accept_missing=self._accept_missing,
                on_stored=self._on_rows,
            )
        except PermissionDeniedError as denied:
            logger.warning("%s are not synced: %s", resource.name, denied)
            self.denied[resource.name] = denied


def _ignore(_name: str, _rows: int) -> None:
    """Report nothing."""
