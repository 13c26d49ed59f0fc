"""The receiver: an aiohttp application, or a part of one, that takes deliveries.

Vendor page: "Webhooks".
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, TypeVar

import msgspec
from aiohttp import hdrs, web
from multidict import istr

from cyclesoft_async.errors import InboxError, UsageError

from .dispatcher import Dispatcher, Policy
from .envelope import ordering_key, read
from .events import Event, UnknownEvent
from .inbox import Delivery, Inbox, Stored
from .keyring import Keyring, Secrets
from .request_body import BodyError, read_body, refuse
from .routing import Handler, Routes, understood
from .signature import Algorithm

logger = logging.getLogger("cyclesoft_async.webhooks")

E = TypeVar("E", bound=Event)

DELIVERY_HEADER: Final = istr("X-CycleSoftware-Delivery")
EVENT_HEADER: Final = istr("X-CycleSoftware-Event")
SIGNATURE_HEADER: Final = istr("X-CycleSoftware-Signature")

_MEBIBYTE: Final = 1024 * 1024
_RETRY_AFTER_SECONDS: Final = "30"


class WebhookReceiver:
    """Takes deliveries: verifies them, stores them, answers, and then runs your handlers.

    ::

        receiver = WebhookReceiver(secrets=["current", "previous"], inbox=SqliteInbox("inbox.db"))

        @receiver.on(events.WorkshopOrderUpdated)
        async def handle(event: events.WorkshopOrderUpdated) -> None: ...

        receiver.add_to(app, "/cyclesoft")      # an existing aiohttp application
        web.run_app(receiver.app())             # or a server of its own

    It answers 200 once a delivery is on disk, known before or not; 401 when the signature is not ours, 400
    when in addition it is not JSON, 408 when the body does not come, 413 when it is too large, and 503 when
    the inbox takes no writes: then the sender has to come again. Only the body is signed, so id, event and
    account are those of the body, whatever the headers say.

    Handlers may run more than once for an event: `event.id` stays the same.

    Args:
        secrets: The secrets of all accounts, or those of each account by its id.
        inbox: Where deliveries are kept.
        algorithm: What signatures are made with.
        max_bytes: The largest body, after inflating it.
        concurrency: How many entities' handlers run at once.
        max_attempts: An event is a dead letter after so many.
        retry_after: Seconds until the second attempt; doubled each time, with jitter, up to an hour.
        stop_timeout: Seconds that handlers get to finish when the server stops.

    Raises:
        UsageError: There is no secret, one is empty, an account's id is no integer, or a number makes no
            sense.

    Vendor page: "Webhooks".
    """

    def __init__(
        self,
        secrets: Secrets,
        inbox: Inbox,
        *,
        algorithm: Algorithm = "sha256",
        max_bytes: int = _MEBIBYTE,
        concurrency: int = 64,
        max_attempts: int = 10,
        retry_after: float = 5.0,
        stop_timeout: float = 10.0,
    ) -> None:
        if min(max_bytes, concurrency, max_attempts) < 1 or min(retry_after, stop_timeout) < 0:
            raise UsageError("max_bytes, concurrency and max_attempts are at least 1; times are not negative")
        self._keyring = Keyring(secrets, algorithm)
        self._inbox = inbox
        self._max_bytes = max_bytes
        self._policy = Policy(concurrency, max_attempts, retry_after)
        self._stop_timeout = stop_timeout
        self._routes = Routes()
        self._home: web.Application | None = None

    def on(self, *types: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler for events of these types and of their subclasses.

        Handlers of one event run one after the other, in the order of their registration; one that fails
        does not keep the others from running, and only it is tried again.
        """

        def register(handler: Handler[E]) -> Handler[E]:
            self._routes.add(types, handler)
            return handler

        return register

    def on_any(self, handler: Handler[Event]) -> Handler[Event]:
        """Register a handler for every event, unknown ones included."""
        self._routes.add((Event,), handler)
        return handler

    def app(self) -> web.Application:
        """An application of its own: `POST /`, and `GET /health`, 200 while the inbox takes writes."""
        app = web.Application()
        self.add_to(app, "/")
        return app

    def add_to(self, app: web.Application, prefix: str, *, account_id: int | None = None) -> None:
        """Serve `POST prefix`, with a slash at its end or not, and `GET prefix/health`.

        Deliveries are handled for as long as the application runs. Call it again for other prefixes of the
        same application.

        Args:
            app: An application that has not started.
            prefix: For example "/cyclesoft".
            account_id: The one account that this prefix is for; all of them by default.

        Raises:
            UsageError: The prefix does not begin with a slash, or the receiver serves another application.
        """
        if not prefix.startswith("/"):
            raise UsageError("a prefix begins with a slash")
        if self._home not in {None, app}:
            raise UsageError("a receiver serves one application")

        path = prefix.rstrip("/")
        for exact in (path, f"{path}/"):
            app.router.add_post(exact, partial(self._receive, only=account_id))
        app.router.add_get(f"{path}/health", self._health)
        if self._home is None:
            self._home = app
            app.cleanup_ctx.append(self._run)

    async def _run(self, _: web.Application) -> AsyncGenerator[None]:
        # Not on_shutdown: that fires while requests are still being answered.
        dispatcher = Dispatcher(self._inbox, self._routes, self._policy)
        await self._inbox.open(dispatcher.add)
        yield
        await dispatcher.stop(self._stop_timeout)
        await self._inbox.close()

    async def _health(self, _: web.Request) -> web.Response:
        try:
            await self._inbox.check()
        except InboxError:
            return web.json_response({"status": "the inbox takes no writes"}, status=503)
        return web.json_response({"status": "ok"})

    async def _receive(self, request: web.Request, *, only: int | None) -> web.StreamResponse:
        try:
            body = await read_body(request, self._max_bytes)
        except BodyError as error:
            return await refuse(request, error.status)
        delivery = self._verified(body, request, only)
        if delivery is None:
            return web.Response(status=401 if _is_json(body) else 400)
        try:
            stored = await self._inbox.put(delivery)
        except InboxError as error:
            logger.warning("a delivery was not stored and is answered 503: %s", error)
            return web.Response(status=503, headers={hdrs.RETRY_AFTER: _RETRY_AFTER_SECONDS})
        if stored is Stored.QUARANTINED:
            logger.warning("event %s came a second time with another body; it is quarantined", delivery.id)
        elif stored is Stored.NEW and delivery.state == "dead":
            logger.warning("delivery %s is a dead letter: %s", delivery.id, delivery.problem)
        return web.Response()

    def _verified(self, body: bytes, request: web.Request, only: int | None) -> Delivery | None:
        """What is to be stored; None when it is forged, or signed with another account's secret."""
        accounts = self._keyring.proven(body, request.headers.getall(SIGNATURE_HEADER, ()))
        if accounts is None:
            logger.warning("refused a delivery of %d bytes: its signature is missing or not ours", len(body))
            return None
        if only is not None and only not in accounts:
            logger.warning("refused a delivery: its secret is not that of account %d", only)
            return None
        try:
            event = read(body)
        except ValueError as error:
            return _illegible(body, only or accounts.only or 0, f"not an event: {error}")
        if event.account_id not in accounts or only not in {None, event.account_id}:
            logger.warning("refused a delivery: its secret is not that of account %d", event.account_id)
            return None
        _compare_headers(event, request)
        routes = self._routes.matching(event)
        known = understood(event, routes)
        return Delivery(
            account_id=event.account_id,
            id=event.id,
            event_name=event.event_name,
            ordering_key=ordering_key(event),
            event_timestamp=event.event_timestamp,
            body=body,
            state="received" if routes else "done" if known else "dead",
            problem=event.problem if isinstance(event, UnknownEvent) else None,
        )


def _illegible(body: bytes, account_id: int, problem: str) -> Delivery:
    digest = hashlib.sha256(body).hexdigest()
    return Delivery(
        account_id=account_id,
        id=f"sha256:{digest}",
        event_name=None,
        ordering_key=f"{account_id}/?/{digest}",
        event_timestamp=None,
        body=body,
        state="dead",
        problem=problem,
    )


def _compare_headers(event: Event, request: web.Request) -> None:
    for header, value in ((DELIVERY_HEADER, event.id), (EVENT_HEADER, event.event_name)):
        if request.headers.getall(header, [value]) != [value]:
            logger.warning("event %s: the header %s does not say what the signed body says", event.id, header)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
