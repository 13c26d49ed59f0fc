"""Intake of deliveries, while the receiver is open: verified, decoded and stored, then answered."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Final, Literal, NamedTuple, TypeAlias, cast

import msgspec

from cyclesoft_async.errors import InboxError, UsageError, printable_line

from .attempts import Policy
from .dispatcher import Dispatcher
from .envelope import ordering_key, read, undecodable
from .events import Event, UnknownEvent
from .figures import Sample, prometheus_text
from .handlers import Routes, understood
from .health import Health
from .inbox import Delivery, Inbox, Stored
from .keyring import ForgedError, Keyring
from .throttled_log import ThrottledLog

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

DELIVERY_HEADER: Final = "X-CycleSoftware-Delivery"
EVENT_HEADER: Final = "X-CycleSoftware-Event"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SIGNATURE_HEADER: Final = "X-CycleSoftware-Signature"

_RETRY_AFTER_SECONDS: Final = "30"


class Answer(NamedTuple):
    """Response to a delivery. Its body is empty."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers to send with it."""


UNAVAILABLE: Final = Answer(503, {"Retry-After": _RETRY_AFTER_SECONDS})

_STORED: Final = Answer(200, {})
_FORGED: Final = Answer(401, {})
_GARBLED: Final = Answer(400, {})


class VendorHeaders(NamedTuple):
    """Values of the headers that the vendor sends. Only the body is signed."""

    signatures: Sequence[str]
    ids: Sequence[str]
    event_names: Sequence[str]


def vendor_headers(headers: Headers) -> VendorHeaders:
    """Pick the vendor's headers out of a mapping or of pairs, with names in any case."""
    found: dict[str, list[str]] = {
        name.lower(): [] for name in (SIGNATURE_HEADER, DELIVERY_HEADER, EVENT_HEADER)
    }
    pairs: Iterable[tuple[str | bytes, str | bytes]] = (
        cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    )
    for name, value in pairs:
        values = found.get(_text(name).lower())
        if values is not None:
            values.append(_text(value))
    return VendorHeaders(*found.values())


class Running(NamedTuple):
    """Parts that exist while the receiver is open."""

    dispatcher: Dispatcher
    health: Health
    watch: asyncio.Task[None]


class Intake:
    """Takes deliveries from any web framework. Opened by the first of its users, and closed by the last.

    Args:
        keyring: The secrets.
        inbox: Where deliveries are stored.
        routes: Handlers.
        policy: Limits.
        stop_timeout: Seconds that handlers get to finish when it stops.
    """

    def __init__(
        self, keyring: Keyring, inbox: Inbox, routes: Routes, policy: Policy, stop_timeout: float
    ) -> None:
        self._keyring = keyring
        self._inbox = inbox
        self._routes = routes
        self._policy = policy
        self._stop_timeout = stop_timeout
        self._running: Running | None = None
        self._users = 0
        self._is_observed = False
        self._log = ThrottledLog(logger)

    async def start(self) -> None:
        """Open the inbox and handle deliveries, unless that is so already.

        Raises:
            InboxError: The inbox cannot be opened.
        """
        self._users += 1
        if self._users > 1:
            return
        try:
            dispatcher = Dispatcher(self._inbox, self._routes, self._policy)
            health = Health(self._inbox, dispatcher, 2 * (self._policy.handler_timeout or 0.0))
            await self._inbox.open(dispatcher.add)
            await health.check()
        except BaseException:
            self._users = 0
            raise
        if "opentelemetry.metrics" in sys.modules and not self._is_observed:
            from .otel import observe  # noqa: PLC0415 - only programs that use OpenTelemetry pay for it

            self._is_observed = True
            observe(self._last_metrics)
        self._running = Running(dispatcher, health, asyncio.create_task(health.watch()))

    async def stop(self) -> None:
        """Finish what is being handled and close the inbox, if this was its last user."""
        self._users -= 1
        if self._users or self._running is None:
            return
        dispatcher, health, watch = self._running
        health.is_stopping = True
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await dispatcher.stop(self._stop_timeout)
        self._running = None
        await self._inbox.close()

    @property
    def running(self) -> Running:
        """The dispatcher and the health of the open receiver.

        Raises:
            UsageError: The receiver is not open.
        """
        if self._running is None:
            raise UsageError(
                "the receiver must be open to receive: use `async with receiver:`, add_to() or asgi()"
            )
        return self._running

    async def take(self, body: bytes, headers: VendorHeaders, only: int | None) -> Answer:
        """Verify and store a delivery.

        Args:
            body: The raw body.
            headers: The vendor's headers.
            only: The one account that may send it, or None.

        Raises:
            UsageError: The receiver is not open.
        """
        running = self.running
        try:
            accounts = await self._keyring.proven(body, headers.signatures, only)
        except ForgedError as error:
            return self._refuse(body, str(error))
        try:
            event = read(body)
        except ValueError as error:
            event = undecodable(body, only or accounts.only or 0, f"not an event: {error}")
        else:
            if event.account_id not in accounts or only not in {None, event.account_id}:
                return self._refuse(body, "its secret is not that of the account it names")
            _compare_headers(event, headers)
        return await self._store(event, body, running)

    async def metrics_text(self) -> str:
        """Return the metrics in the text format of Prometheus, without those of an inbox that is away."""
        try:
            return prometheus_text(await self.running.health.metrics())
        except InboxError:
            return prometheus_text(self.running.health.last_metrics())

    def _last_metrics(self) -> Sequence[Sample]:
        return () if self._running is None else self._running.health.last_metrics()

    def _refuse(self, body: bytes, reason: str) -> Answer:
        self.running.dispatcher.figures.refused += 1
        self._log.warning(f"refused a delivery: {reason}")
        return _FORGED if _is_json(body) else _GARBLED

    async def _store(self, event: Event, body: bytes, running: Running) -> Answer:
        dispatcher, health, _ = running
        figures = dispatcher.figures
        state, problem = self._first_state(event)
        key = ordering_key(event)
        claims = state == "received" and problem is None and self._inbox.claims_on_arrival
        is_reserved = claims and dispatcher.reserve(key)
        delivery = Delivery(
            account_id=event.account_id,
            id=event.id,
            event_name=event.event_name or None,
            ordering_key=key,
            event_timestamp=event.event_timestamp if event.event_name else None,
            body=body,
            state=state,
            problem=problem,
            event=event if state == "received" and event.event_name else None,
            claim=is_reserved,
        )
        try:
            stored = await self._inbox.put(delivery)
        except InboxError as error:
            health.is_failing = True
            figures.unavailable += 1
            self._log.warning("a delivery was not stored and is answered 503", f": {error}")
            return UNAVAILABLE
        finally:
            if is_reserved:
                dispatcher.cancel(key)
        health.stored_at = monotonic()
        health.is_failing = False
        if stored is Stored.NEW:
            figures.stored += 1
        elif stored is Stored.DUPLICATE:
            figures.duplicates += 1
        else:
            figures.quarantined += 1
        if stored is Stored.QUARANTINED or (stored is Stored.NEW and state == "dead"):
            _log_stored(delivery, stored)
        return _STORED

    def _first_state(self, event: Event) -> tuple[Literal["received", "done", "dead"], str | None]:
        """Return the state to store an event in, and why it is a dead letter if it is one."""
        problem: str | None
        if not event.event_name and isinstance(event, UnknownEvent):
            problem = event.problem
        elif self._policy.max_age is not None and self._policy.is_too_old(event.event_timestamp, time()):
            problem = "older than max_age when it arrived"
        else:
            routes = self._routes.matching(event)
            if routes:
                return "received", None
            if understood(event, routes):
                return "done", None
            problem = event.problem if isinstance(event, UnknownEvent) else None
        # on_dead handlers run from the queue, so that a crash does not lose their turn.
        return "received" if self._routes.on_dead else "dead", problem


def _log_stored(delivery: Delivery, stored: Stored) -> None:
    id_ = printable_line(delivery.id)
    fields = {
        "event_id": id_,
        "event_name": printable_line(delivery.event_name or ""),
        "entity": printable_line(delivery.ordering_key),
    }
    if stored is Stored.QUARANTINED:
        logger.warning("event %s arrived again with another body: quarantined", id_, extra=fields)
    else:
        problem = printable_line(delivery.problem or "")
        logger.warning("delivery %s is a dead letter: %s", id_, problem, extra=fields)


def _compare_headers(event: Event, headers: VendorHeaders) -> None:
    if headers.ids == [event.id] and headers.event_names == [event.event_name]:
        return
    for header, values, signed in (
        (DELIVERY_HEADER, headers.ids, event.id),
        (EVENT_HEADER, headers.event_names, event.event_name),
    ):
        if values and (values[0] != signed or len(values) > 1):
            id_ = printable_line(event.id)
            logger.warning("event %s: the header %s differs from the signed body", id_, header)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
