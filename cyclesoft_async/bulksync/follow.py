"""Keeping a store fresh: the last days are read again and again, and webhooks name single orders."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic, time

import anyio

from cyclesoft_async.errors import (
    AuthenticationError,
    PermissionDeniedError,
    QuotaExhausted,
    RequestError,
    StoreError,
    UsageError,
)
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.webhooks import WebhookReceiver, events

from .fetch.readers import PASSING, in_bulk
from .fetch.refetch import refetch
from .report import SyncReport
from .store.queries import OrderKey
from .store.store import Store, StoreWriter
from .sync import sync_workshop_orders

logger = logging.getLogger("cyclesoft_async.bulksync")

_DAY_SECONDS = 86_400.0
# Seconds that an order's events are gathered for: one change in the shop raises several.
_SETTLE_SECONDS = 2.0
_PAUSE_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
# No clock of a computer is so slow beside another.
_SLOWEST_CLOCK = 0.999


class Follower:
    """Keeps the orders of the last days fresh in a store, within a share of the day's quota.

    ::

        follower = Follower(cs, store, days=14, share=0.2)
        follower.listen(receiver)       # before the receiver's application starts
        await follower.run()            # until it is cancelled

    The list is read again as often as the share allows. Orders that webhooks name are asked for at once, also
    those outside of the last days; several events of one order cost one request. An event is handled once its
    order is stored.

    Args:
        cs: The session; calls are made in its lane "bulk".
        store: Where the orders go.
        days: How many days by their scheduled start, today included.
        share: Of the account's daily quota, for the list and for single orders together.

    Raises:
        UsageError: There are no days, or the share is not between 0 and 1.
    """

    def __init__(self, cs: CycleSoftSession, store: Store, *, days: int = 14, share: float = 0.2) -> None:
        if days < 1 or not 0 < share <= 1:
            raise UsageError("days is at least one; share is more than 0 and at most 1")
        self._cs = cs
        self._store = store
        self._days = timedelta(days=days - 1)
        self._pace = _Pace(cs, share)
        self._resume: bool | None = None
        self._writer: StoreWriter | None = None
        self._running = anyio.Event()
        self._clock = _InboxClock()
        self._asked_at: dict[int, float] = {}

    def listen(self, receiver: WebhookReceiver) -> None:
        """Ask for the orders that the receiver's events name; they wait in its inbox until `run` runs."""

        @receiver.on(events.WorkshopOrderEvent)
        async def ask_for_order(event: events.WorkshopOrderEvent) -> None:
            await self._refresh(event)

    async def run(self, *, on_round: Callable[[SyncReport], None] | None = None) -> None:
        """Keep on, until cancelled.

        What may pass is waited for, and logged: the day's quota, the network, the database, and whatever the
        server answers, unless it does not let us in.

        Args:
            on_round: Called in the event loop when the days were read once more.

        Raises:
            AuthenticationError: The server does not know the username or the password.
            PermissionDeniedError: The user may not see orders.
            StoreError: The database can't be opened.
        """
        async with self._store.open() as writer:
            self._writer = writer
            self._running.set()
            try:
                while True:
                    await self._pace.until_owed(0.0)
                    report = await self._round()
                    if report is not None and on_round is not None:
                        on_round(report)
            finally:
                self._writer, self._running = None, anyio.Event()

    async def _round(self) -> SyncReport | None:
        today = datetime.now(AMSTERDAM).date()
        before = self._cs.quota.sent
        resume, self._resume = self._resume, None
        try:
            return await sync_workshop_orders(
                self._cs, self._store, date_from=today - self._days, date_until=today, resume=resume
            )
        except QuotaExhausted as stop:
            await _until_reset(stop)
        except (AuthenticationError, PermissionDeniedError):
            raise
        except (RequestError, StoreError) as error:
            if not isinstance(error, PASSING):
                # A stored cursor may be to blame: whoever goes on from it would get the same answer again.
                self._resume = False
            logger.warning("%s; following goes on in a minute", error)
            await anyio.sleep(_PAUSE_SECONDS)
        finally:
            self._pace.spend(self._cs.quota.sent - before)
        return None

    async def _refresh(self, event: events.WorkshopOrderEvent) -> None:
        order_id = event.payload.workshop_order_id
        sold = event.payload.sales_order
        if sold is None or sold.customer_id is None:
            logger.warning("event %s names no customer; its order is not asked for", event.id)
            return
        received_at = time() if event.received_at is None else event.received_at.timestamp()
        self._clock.has_shown(received_at)
        await anyio.sleep(max(0.0, received_at + _SETTLE_SECONDS - self._clock.now()))
        if self._asked_at.get(order_id, 0.0) > received_at:
            return  # the answer to a later question is in the store
        asked_at = await self._ask(OrderKey(sold.customer_id, order_id))
        self._remember(order_id, asked_at)

    async def _ask(self, key: OrderKey) -> float:
        """Store what the server says of an order; give when it was asked, by the inbox's clock."""
        while True:
            await self._pace.until_owed(_DAY_SECONDS)
            while self._writer is None:
                await self._running.wait()
            asked_at = self._clock.now()
            try:
                await refetch(in_bulk(self._cs), self._writer, [key], run_id=None)
            except QuotaExhausted as stop:
                # Raised, it would make dead letters of a day's events long before there is quota again.
                await _until_reset(stop)
            else:
                self._pace.spend(1)
                return asked_at

    def _remember(self, order_id: int, asked_at: float) -> None:
        while len(self._asked_at) >= _MOST_REMEMBERED:
            del self._asked_at[next(iter(self._asked_at))]
        self._asked_at[order_id] = asked_at


async def _until_reset(stop: QuotaExhausted) -> None:
    logger.warning("the %s quota is used up; following goes on at %s", stop.scope, stop.resets_at)
    await anyio.sleep(max(0.0, (stop.resets_at - datetime.now(UTC)).total_seconds()))


class _InboxClock:
    """What the clock shows at least that events are received by: it can be another machine's, and wrong."""

    def __init__(self) -> None:
        self._shown, self._seen_at = -inf, 0.0

    def has_shown(self, moment: float) -> None:
        """It has shown this moment, in unix seconds; it can show more by now."""
        if moment > self.now():
            self._shown, self._seen_at = moment, monotonic()

    def now(self) -> float:
        """The latest moment, in unix seconds, that it surely has reached."""
        return self._shown + _SLOWEST_CLOCK * (monotonic() - self._seen_at)


class _Pace:
    """Spends a share of the day's quota evenly: every request costs so many seconds."""

    def __init__(self, cs: CycleSoftSession, share: float) -> None:
        self._cs = cs
        self._share = share
        self._free_at = monotonic()

    def spend(self, requests: int) -> None:
        """Requests were sent."""
        seconds = requests * _DAY_SECONDS / (self._share * self._cs.quota.daily.limit)
        self._free_at = max(self._free_at, monotonic()) + seconds

    async def until_owed(self, seconds: float) -> None:
        """Wait until no more than so many seconds are left to be paid."""
        wait = self._free_at - monotonic() - seconds
        while wait > 0:
            await anyio.sleep(wait)
            wait = self._free_at - monotonic() - seconds
