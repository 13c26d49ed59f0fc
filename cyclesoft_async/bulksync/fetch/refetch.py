"""Refetch: orders that the lists lack are requested one by one: they were moved, or deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import date, datetime, timedelta
from random import sample
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from cyclesoft_async.bulksync.date_ranges import Window
from cyclesoft_async.bulksync.report import SyncSuspicious
from cyclesoft_async.bulksync.resources.mirrored import Received
from cyclesoft_async.bulksync.store import queries, runs
from cyclesoft_async.bulksync.store.open_store import StoreWriter
from cyclesoft_async.bulksync.store.queries import ANONYMOUS, OrderKey
from cyclesoft_async.bulksync.store.runs import RefetchedOrders, StoredRun
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import NotFoundError, QuotaExhausted, ResponseDecodeError
from cyclesoft_async.models import WorkshopOrder
from cyclesoft_async.pagination import RejectedRow
from cyclesoft_async.session import CycleSoftSession

from .concurrently import for_each
from .readers import InterruptedListError, bulk_session, read_window
from .windowed_list import WORKSHOP_ORDERS

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_SAMPLE: Final = 20
_MOST_THERE: Final = 2
# Between the server's clock and this one.
_CLOCK_ERROR: Final = timedelta(minutes=5)


async def refetch_missing(
    cs: CycleSoftSession,
    writer: StoreWriter,
    run: StoredRun,
    *,
    concurrency: int,
    on_stored: Callable[[int, int], None] = lambda _requested, _rejected: None,
) -> None:
    """Request every known order of a run's days that the run has not seen.

    A random sample of them comes first. When orders of it are still active in these days, the lists were not
    complete, and nothing is concluded from them.

    Args:
        cs: The session.
        writer: The store.
        run: The run; its lists have been read. If it accepts missing orders, all are requested at once.
        concurrency: How many orders are requested at the same time; as many are stored together.
        on_stored: Called after every transaction with the numbers of requested orders and of rejected rows.

    Raises:
        SyncSuspicious: More than two orders of the sample are still there. None is marked as deleted.
        QuotaExhausted: The quota is used up; what was answered before is stored.
        RequestError: A call went wrong for good.
    """
    bulk = bulk_session(cs)
    missing = await writer.run(queries.missing, run.run_id)
    left = [*missing.vanished, *missing.hidden]
    if missing.vanished and not run.accepts_missing:
        sampled = sample(missing.vanished, min(_SAMPLE, len(missing.vanished)))
        requests = _Requests(bulk)
        try:
            await requests.send(sampled, concurrency)
        except QuotaExhausted:
            # Too few answers to conclude anything from those that say "not found".
            await writer.run(runs.store_refetched, requests.answers_found(), run.run_id)
            raise
        answers = requests.answers()
        whole = Window(run.date_from, run.date_until)
        there = [
            order.workshop_order_id
            for order, _ in answers.found
            if _is_active_in(order, whole) and not _is_changed_since(order, run.started_at)
        ]
        is_suspicious = len(there) > _MOST_THERE
        if is_suspicious:
            # An order that only single requests show is not requested again in a week.
            answers = replace(requests.answers_found(), requested=there)
        rejected = await writer.run(runs.store_refetched, answers, run.run_id)
        on_stored(len(sampled), rejected)
        if is_suspicious:
            raise SyncSuspicious(
                f"the lists lack {len(missing.vanished):,} known orders, and {len(there)} of {len(sampled)}"
                " that were requested one by one are still there. Nothing was marked as deleted."
                " Sync again later, or believe the lists with --accept-missing, accept_missing=True"
            )
        done = set(sampled)
        left = [key for key in left if key not in done]
    for start in range(0, len(left), concurrency):
        some = left[start : start + concurrency]
        on_stored(len(some), await refetch(bulk, writer, some, run_id=run.run_id))


async def refetch(
    bulk: CycleSoftSession, writer: StoreWriter, keys: Sequence[OrderKey], *, run_id: int | None
) -> int:
    """Request these orders, all at the same time, and store the answers.

    Args:
        bulk: The session, with the options that the requests are to have.
        writer: The store.
        keys: The orders. Of one that the server does not have, `is_active` becomes false.
        run_id: The run, whose lists have been read. None: an order that is not found at its customer is first
            looked for in the list of its day, since it can have another customer by now.

    Returns:
        How many rows were rejected: they cannot be read, or have a value too large for the database.

    Raises:
        QuotaExhausted: The quota is used up; what was answered before is stored.
        RequestError: A call went wrong for good.
    """
    requests = _Requests(bulk)
    exhausted: QuotaExhausted | None = None
    try:
        await requests.send(keys, len(keys))
        if run_id is None and requests.deleted:
            await _look_in_lists(bulk, requests, await writer.run(queries.start_days, requests.deleted))
    except QuotaExhausted as why:
        exhausted = why
        if run_id is None:
            requests.deleted.clear()
    rejected = await writer.run(runs.store_refetched, requests.answers(), run_id)
    if exhausted is not None:
        raise exhausted
    return rejected


async def _look_in_lists(bulk: CycleSoftSession, requests: _Requests, days: Mapping[int, date]) -> None:
    """Look for orders that were not found at their customers in the lists of the days that they start on."""
    for day in sorted(set(days.values())):
        wanted = {key for key, start in days.items() if start == day}
        try:
            async with aclosing(read_window(bulk, WORKSHOP_ORDERS, Window(day, day))) as pages:
                async for each in pages:
                    found = zip(each.page.items, each.page.raw_items, strict=True)
                    requests.add_found([pair for pair in found if pair[0].workshop_order_id in wanted])
        except InterruptedListError:
            requests.keep(wanted)  # no proof that they are gone


def _is_active_in(order: WorkshopOrder, days: Window) -> bool:
    day = WORKSHOP_ORDERS.day(order)
    return order.is_active is not False and day is not None and days.first <= day <= days.last


def _is_changed_since(order: WorkshopOrder, moment: datetime) -> bool:
    """Whether an order may have moved to days that were read already: the lists lack it, and are complete."""
    return order.datetime_modified is not None and order.datetime_modified > moment - _CLOCK_ERROR


class _Requests:
    """Requests of single orders, and their answers."""

    def __init__(self, bulk: CycleSoftSession) -> None:
        self._bulk = bulk
        self._requested: list[int] = []
        self._found: list[Received[WorkshopOrder]] = []
        self._unreadable: list[RejectedRow] = []
        self.deleted: set[int] = set()

    def answers(self) -> RefetchedOrders:
        return RefetchedOrders(
            requested=self._requested,
            found=self._found,
            unreadable=self._unreadable,
            deleted=sorted(self.deleted),
        )

    def answers_found(self) -> RefetchedOrders:
        """Return the orders that were found, and nothing of the others."""
        found = [order.workshop_order_id for order, _ in self._found]
        return replace(self.answers(), requested=found, deleted=())

    def add_found(self, orders: Collection[Received[WorkshopOrder]]) -> None:
        self._found += orders
        self.keep({order.workshop_order_id for order, _ in self._found})

    def keep(self, keys: Collection[int]) -> None:
        """Let these orders not pass for deleted."""
        self.deleted -= set(keys)

    async def send(self, keys: Sequence[OrderKey], concurrency: int) -> None:
        """Request orders.

        Raises:
            QuotaExhausted: The quota is used up; the other answers are there.
            RequestError: A call went wrong for good.
        """
        exhausted: list[QuotaExhausted] = []

        async def request(key: OrderKey) -> None:
            try:
                await self._request(key)
            except QuotaExhausted as why:
                exhausted.append(why)

        await for_each(keys, request, at_once=concurrency)
        if exhausted:
            raise exhausted[0]

    async def _request(self, key: OrderKey) -> None:
        order_id = key.workshop_order_id
        path = f"/api/v1/customers/{key.customer_id}/workshop-order/{order_id}.json"
        try:
            raw = bytes(await self._bulk.request("GET", path, type=Raw))
        except NotFoundError:
            # The vendor does not document whether an anonymous order is found by that number: no proof.
            if key.customer_id != ANONYMOUS:
                self.deleted.add(order_id)
        except ResponseDecodeError:
            logger.warning("cannot read order %d; its stored version stays", order_id)
        else:
            try:
                self._found.append((decode(raw, WorkshopOrder), raw))
            except msgspec.DecodeError as error:
                self._unreadable.append(RejectedRow(index=0, raw=raw, reason=str(error)))
        self._requested.append(order_id)
