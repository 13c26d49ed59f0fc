"""Follower: keeps a store fresh by reading the days around today again and again, and by webhooks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic, time
from typing import Final

import anyio

from cyclesoft_async._arguments import check_type
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

from .account_hash import account_hash
from .fetch.payment_days import are_mirrored, days_of, refetch_payments
from .fetch.readers import bulk_session
from .fetch.refetch import refetch
from .fetch.webhook_customers import is_stored_since, refetch_customer
from .report import SyncReport, SyncSuspicious
from .store.account import check_account
from .store.open_store import StoreWriter
from .store.queries import OrderKey
from .store.store import Store
from .sync_orders import sync_workshop_orders

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_DAY_SECONDS: Final = 86_400.0
# Seconds that an order's events are gathered for: one change in the shop raises several.
_SETTLE_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 10_000
# No computer's clock is so slow beside another one.
_SLOWEST_CLOCK: Final = 0.999


class Follower:
    """Keeps the orders of the days around today fresh in a store, within a share of the day's quota.

    ::

        follower = Follower(cs, store, days=14, days_ahead=60, share=0.2)
        follower.listen(receiver)       # before the receiver's application starts
        await follower.run()            # until it is cancelled

    The lists are read again as often as the share allows. Orders that webhooks name are requested at once,
    also those of other days; several events of one order cost one request. An event is handled once its order
    is stored.

    Args:
        cs: The session; calls are made in its lane "bulk".
        store: The database.
        days: How many days back by their scheduled start, today included.
        days_ahead: How many days after today.
        share: Of the account's daily quota, for the lists and for single orders together.

    Raises:
        UsageError: A number of days or the share makes no sense.
    """

    def __init__(
        self,
        cs: CycleSoftSession,
        store: Store,
        *,
        days: int = 14,
        days_ahead: int = 60,
        share: float = 0.2,
    ) -> None:
        check_type("store", store, Store)
        if days < 1:
            raise UsageError(f"days must be at least 1, got {days}")
        if days_ahead < 0:
            raise UsageError(f"days_ahead must be at least 0, got {days_ahead}")
        if not 0 < share <= 1:
            raise UsageError(f"share must be more than 0 and at most 1, got {share}")
        self._cs = cs
        self._store = store
        self._back = timedelta(days=days - 1)
        self._ahead = timedelta(days=days_ahead)
        self._pace = _Pace(cs, share)
        self._writer: StoreWriter | None = None
        self._running = anyio.Event()
        self._clock = _InboxClock()
        self._requested_at: dict[object, float] = {}

    def listen(self, receiver: WebhookReceiver) -> None:
        """Request the orders, customers and days of payments that the receiver's events name.

        Events wait in its inbox until `run` runs. A customer that was requested after the event is not
        requested again. Payments are requested if a sync has filled their table.

        Args:
            receiver: It must not run yet: handlers are registered with it.
        """

        @receiver.on(events.WorkshopOrderEvent)
        async def request_order(event: events.WorkshopOrderEvent) -> None:
            await self._refresh(event)

        @receiver.on(events.CustomerEvent)
        async def request_customer(event: events.CustomerEvent) -> None:
            await self._refresh_customer(event)

        @receiver.on(events.PaymentsCreated)
        async def request_payments(event: events.PaymentsCreated) -> None:
            await self._refresh_payments(event)

    async def run(self, *, on_round: Callable[[SyncReport], None] | None = None) -> None:
        """Follow until cancelled.

        Transient failures are logged and waited for: the day's quota, the network, the database, and any
        answer of the server but a refusal of the user. When the lists lack orders that the server still has,
        that is logged at ERROR, nothing is marked as deleted, and the next round reads the lists again.

        Args:
            on_round: Called in the event loop when the days were read once more.

        Raises:
            UsageError: The store belongs to another account.
            AuthenticationError: The server does not know the username or the password.
            PermissionDeniedError: The user may not see orders.
            StoreError: The database cannot be opened.
        """
        async with self._store.open() as writer:
            await writer.run(check_account, account_hash(self._cs), adopt=self._store.adopt)
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
        try:
            return await sync_workshop_orders(
                self._cs, self._store, date_from=today - self._back, date_until=today + self._ahead
            )
        except QuotaExhausted as stop:
            await _until_reset(stop)
        except SyncSuspicious:  # logged at ERROR by the sync
            pass
        except (AuthenticationError, PermissionDeniedError):
            raise
        except (RequestError, StoreError) as error:
            logger.warning("%s; following resumes in a minute", error)
            await anyio.sleep(_RETRY_SECONDS)
        finally:
            self._pace.spend(self._cs.quota.sent - before)
        return None

    async def _refresh(self, event: events.WorkshopOrderEvent) -> None:
        order_id = event.payload.workshop_order_id
        sold = event.payload.sales_order
        if sold is None or sold.customer_id is None:
            logger.warning("event %s names no customer; its order is not requested", event.id)
            return
        if not await self._is_answered(event, order_id):
            self._remember(order_id, await self._request(OrderKey(sold.customer_id, order_id)))

    async def _is_answered(self, event: events.Event, key: object) -> bool:
        """Wait for other events of the same thing; return whether the answer to a later request is stored."""
        received_at = time() if event.received_at is None else event.received_at.timestamp()
        self._clock.has_shown(received_at)
        await anyio.sleep(max(0.0, received_at + _SETTLE_SECONDS - self._clock.now()))
        return self._requested_at.get(key, 0.0) > received_at

    async def _refresh_customer(self, event: events.CustomerEvent) -> None:
        customer_id = event.payload.customer.customer_id or 0

        async def store(writer: StoreWriter) -> None:
            if not await is_stored_since(writer, customer_id, event.occurred_at):
                await refetch_customer(self._cs, writer, customer_id)

        await self._until_stored(store)

    async def _refresh_payments(self, event: events.PaymentsCreated) -> None:
        days = days_of(event.payload, event.occurred_at)

        async def store(writer: StoreWriter) -> None:
            if await are_mirrored(writer):
                await refetch_payments(self._cs, writer, *days)

        if not await self._is_answered(event, days):
            self._remember(days, await self._until_stored(store))

    async def _request(self, key: OrderKey) -> float:
        """Store the server's answer of an order; return when it was requested, by the inbox's clock."""

        async def store(writer: StoreWriter) -> None:
            await refetch(bulk_session(self._cs), writer, [key], run_id=None)

        return await self._until_stored(store)

    async def _until_stored(self, store: Callable[[StoreWriter], Awaitable[None]]) -> float:
        """Do work of one request or none, also past the day's quota; return when, by the inbox's clock."""
        while True:
            await self._pace.until_owed(_DAY_SECONDS)
            while self._writer is None:
                await self._running.wait()
            requested_at, sent = self._clock.now(), self._cs.quota.sent
            try:
                await store(self._writer)
            except QuotaExhausted as stop:
                # Raised, it would turn a day's events into dead letters long before there is quota again.
                await _until_reset(stop)
            else:
                self._pace.spend(min(1, self._cs.quota.sent - sent))
                return requested_at

    def _remember(self, key: object, requested_at: float) -> None:
        while len(self._requested_at) >= _MOST_REMEMBERED:
            del self._requested_at[next(iter(self._requested_at))]
        self._requested_at[key] = requested_at


async def _until_reset(stop: QuotaExhausted) -> None:
    logger.warning("the %s quota is used up; following resumes at %s", stop.scope, stop.resets_at)
    await anyio.sleep(max(0.0, (stop.resets_at - datetime.now(UTC)).total_seconds()))


class _InboxClock:
    """Lower bound of the clock that events are received by: it can be another machine's, and wrong."""

    def __init__(self) -> None:
        self._shown, self._seen_at = -inf, 0.0

    def has_shown(self, moment: float) -> None:
        """Note a moment that it has shown, in unix seconds; it can show more by now."""
        if moment > self.now():
            self._shown, self._seen_at = moment, monotonic()

    def now(self) -> float:
        """Return the latest moment, in unix seconds, that it surely has reached."""
        return self._shown + _SLOWEST_CLOCK * (monotonic() - self._seen_at)


class _Pace:
    """Spends a share of the day's quota evenly: every request costs a number of seconds."""

    def __init__(self, cs: CycleSoftSession, share: float) -> None:
        self._cs = cs
        self._share = share
        self._free_at = monotonic()

    def spend(self, requests: int) -> None:
        """Note requests that were sent."""
        seconds = requests * _DAY_SECONDS / (self._share * self._cs.quota.daily.limit)
        self._free_at = max(self._free_at, monotonic()) + seconds

    async def until_owed(self, seconds: float) -> None:
        """Wait until at most this number of seconds is left to pay."""
        wait = self._free_at - monotonic() - seconds
        while wait > 0:
            await anyio.sleep(wait)
            wait = self._free_at - monotonic() - seconds
