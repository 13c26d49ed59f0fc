"""Orders that the list does not have any more are asked for one by one: they were moved, or deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import anyio
import msgspec
from msgspec import Raw

from cyclesoft_async.bulksync.store.queries import ANONYMOUS, OrderKey
from cyclesoft_async.bulksync.store.store import StoreWriter
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import NotFoundError, QuotaExhausted, ResponseDecodeError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import RejectedRow
from cyclesoft_async.session import CycleSoftSession

from .readers import in_bulk

logger = logging.getLogger("cyclesoft_async.bulksync")


async def refetch_unseen(
    cs: CycleSoftSession,
    writer: StoreWriter,
    run_id: int,
    *,
    concurrency: int,
    stored: Callable[[int, int], None] = lambda _asked, _aside: None,
) -> None:
    """Ask for every order that the store has in the days of the run, and the run has not come across.

    Args:
        cs: The session.
        writer: The store.
        run_id: The run; all of its windows are done.
        concurrency: How many orders are asked for at the same time; as many are stored together.
        stored: Called after every transaction: how many were asked for, and how many of them were put aside.

    Raises:
        QuotaExhausted: The quota is used up; what was answered before is stored.
        RequestError: A call went wrong for good.
    """
    bulk = in_bulk(cs)
    keys = await writer.unseen(run_id)
    for start in range(0, len(keys), concurrency):
        some = keys[start : start + concurrency]
        stored(len(some), await refetch(bulk, writer, some, run_id=run_id))


async def refetch(
    bulk: CycleSoftSession, writer: StoreWriter, keys: Sequence[OrderKey], *, run_id: int | None
) -> int:
    """Ask for these orders, all at the same time, and store what the server says.

    Args:
        bulk: The session, with the options that the requests are to have.
        writer: The store.
        keys: The orders. Of one that the server does not know, `is_active` becomes false.
        run_id: The run that has seen them then.

    Returns:
        How many were put aside: the server's answer could not be read, or has a value too large.

    Raises:
        QuotaExhausted: The quota is used up; what was answered before is stored.
        RequestError: A call went wrong for good.
    """
    asked = _Asked(bulk)
    try:
        async with anyio.create_task_group() as askers:
            for key in keys:
                askers.start_soon(asked.ask, key)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    rejected = await writer.write_orders(asked.found, unreadable=asked.unreadable, run_id=run_id)
    await writer.mark_deleted(asked.gone)
    if asked.stopped is not None:
        raise asked.stopped
    return rejected


class _Asked:
    """What became of some orders."""

    def __init__(self, bulk: CycleSoftSession) -> None:
        self._bulk = bulk
        self.found: list[tuple[WorkshopOrder, bytes]] = []
        self.unreadable: list[RejectedRow] = []
        self.gone: list[int] = []
        self.stopped: QuotaExhausted | None = None

    async def ask(self, key: OrderKey) -> None:
        path = f"/api/v1/customers/{key.customer_id}/workshop-order/{key.workshop_order_id}.json"
        try:
            raw = await self._bulk.request("GET", path, type=Raw)
        except NotFoundError:
            # Whether the server knows anonymous customers by that number nobody says: no proof.
            if key.customer_id != ANONYMOUS:
                self.gone.append(key.workshop_order_id)
        except ResponseDecodeError:
            order_id = key.workshop_order_id
            logger.warning("order %d can't be read; what the store has of it stays", order_id)
        except QuotaExhausted as why:
            self.stopped = why
        else:
            self._sort(bytes(raw))

    def _sort(self, raw: bytes) -> None:
        try:
            self.found.append((decode(raw, WorkshopOrder), raw))
        except msgspec.DecodeError as error:
            self.unreadable.append(RejectedRow(index=0, raw=raw, reason=str(error)))
