"""Webhook receiver: verifies deliveries, stores them, answers, and runs handlers.

Vendor page: "Webhooks".
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, overload

from aiohttp import web

from cyclesoft_async._extras import missing_extra
from cyclesoft_async.errors import UsageError

from .aiohttp_routes import AiohttpRoutes
from .asgi import AsgiApp, AsgiReceiver
from .attempts import Policy
from .events import Event
from .handlers import DeadLetterHandler, Handler, Routes, check_handler, check_types
from .inbox import BaseInbox, Inbox
from .intake import Answer, Headers, Intake, vendor_headers
from .keyring import Keyring, Secrets
from .signature import Algorithm

if TYPE_CHECKING:
    from cyclesoft_async.snapshots import QuotaSnapshot

    from .dashboard import Authorize

E = TypeVar("E", bound=Event)
A = TypeVar("A", bound=Event)
B = TypeVar("B", bound=Event)
C = TypeVar("C", bound=Event)
D = TypeVar("D", bound=Event)

_MAX_BYTES: Final = 256 * 1024
_THREE_DAYS: Final = 3 * 86_400.0


class WebhookReceiver:
    """Receives webhooks: verifies deliveries, stores them, answers, and then runs your handlers.

    ::

        secrets = ["the current secret", "the previous secret"]
        receiver = WebhookReceiver(secrets, inbox=SqliteInbox("inbox.db"))

        @receiver.on(events.WorkshopOrderUpdated)
        async def handle(event: events.WorkshopOrderUpdated) -> None: ...

        receiver.add_to(app, "/cyclesoft")      # an existing aiohttp application
        web.run_app(receiver.app())             # or a server of its own
        application = receiver.asgi(app, "/cyclesoft")      # FastAPI, Starlette, Django under ASGI

    It answers 200 once a delivery is on disk, known before or not. It answers 401 when the signature is not
    ours, 400 when in addition the body is not JSON, 408 when the body does not arrive, 413 when it is too
    large, and 503 when the inbox cannot be written: then the sender must redeliver. Only the body is signed,
    so id, event and account are read from the body, and never from the headers.

    Handlers may run more than once for an event: `event.id` stays the same. A handler that fails is retried
    with exponential backoff for `retry_for` seconds. Later events of the same entity wait meanwhile.

    Args:
        secrets: The secrets of all accounts, or those of each account by its id.
        inbox: Where deliveries are stored.
        algorithm: The HMAC's hash algorithm.
        max_bytes: The largest body, after inflating it.
        concurrency: How many entities' handlers run at once.
        retry_for: Seconds after the first attempt until an event becomes a dead letter.
        retry_after: Seconds until the second attempt; doubled each time, with jitter, up to an hour.
        handler_timeout: Seconds that a handler may take before it is cancelled and has failed; None for any
            time.
        stop_timeout: Seconds that handlers get to finish when the receiver stops.
        max_age: Deliveries whose event is older than this many seconds are dead letters, which limits the
            replay of captured requests; None accepts any age. The vendor's redeliveries keep their timestamp.
        max_attempts: Deprecated; use `retry_for`. An event is a dead letter after this many attempts.

    Raises:
        UsageError: There is no secret, one is blank, an account's id is not an integer, or a number is out
            of range.

    Vendor page: "Webhooks".
    """

    def __init__(
        self,
        secrets: Secrets,
        inbox: Inbox,
        *,
        algorithm: Algorithm = "sha256",
        max_bytes: int = _MAX_BYTES,
        concurrency: int = 64,
        retry_for: float = _THREE_DAYS,
        retry_after: float = 5.0,
        handler_timeout: float | None = 300.0,
        stop_timeout: float = 10.0,
        max_age: float | None = None,
        max_attempts: int | None = None,
    ) -> None:
        if isinstance(inbox, (str, PathLike)):
            raise UsageError(
                f'inbox must be an inbox, got {type(inbox).__name__}; write SqliteInbox("inbox.db")'
            )
        for name, number, least in (
            ("max_bytes", max_bytes, 1),
            ("concurrency", concurrency, 1),
            ("max_attempts", max_attempts, 1),
            ("retry_for", retry_for, 0),
            ("retry_after", retry_after, 0),
            ("stop_timeout", stop_timeout, 0),
        ):
            if number is not None and not number >= least:
                raise UsageError(f"{name} must be >= {least}, got {number}")
        for name, seconds in (("handler_timeout", handler_timeout), ("max_age", max_age)):
            if seconds is not None and not seconds > 0:
                raise UsageError(f"{name} must be > 0 seconds or None, got {seconds}")
        if max_attempts is not None:
            warnings.warn(
                "max_attempts is deprecated: use retry_for, in seconds", DeprecationWarning, stacklevel=2
            )
        self._inbox = inbox
        self._keyring = Keyring(secrets, algorithm)
        self._routes = Routes()
        policy = Policy(concurrency, retry_for, retry_after, handler_timeout, max_age, max_attempts)
        self._intake = Intake(self._keyring, inbox, self._routes, policy, stop_timeout)
        self._aiohttp = AiohttpRoutes(self._intake, max_bytes)
        self._max_bytes = max_bytes
        self._home: web.Application | None = None

    @overload
    def on(self, type_: type[E], /) -> Callable[[Handler[E]], Handler[E]]: ...
    @overload
    def on(self, a: type[A], b: type[B], /) -> Callable[[Handler[A | B]], Handler[A | B]]: ...
    @overload
    def on(
        self, a: type[A], b: type[B], c: type[C], /
    ) -> Callable[[Handler[A | B | C]], Handler[A | B | C]]: ...
    @overload
    def on(
        self, a: type[A], b: type[B], c: type[C], d: type[D], /
    ) -> Callable[[Handler[A | B | C | D]], Handler[A | B | C | D]]: ...
    @overload
    def on(self, *types: type[E]) -> Callable[[Handler[E]], Handler[E]]: ...

    def on(self, *types: type[Event]) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler for events of these types and of their subclasses.

        Handlers of one event run one after the other, in the order of their registration. One that fails does
        not keep the others from running, and only it is retried. A handler may raise `RetryAt` or `Reject`.

        Args:
            types: Event classes.

        Raises:
            UsageError: There is none, one is not an event class, or the handler is not an async function.
        """
        check_types(types)

        def register(handler: Handler[E]) -> Handler[E]:
            self._routes.add(types, handler)
            return handler

        return register

    def on_any(self, handler: Handler[Event]) -> Handler[Event]:
        """Register a handler for every event, unknown ones included.

        Args:
            handler: An async function of the event. It runs at least once for each; see `on`.

        Raises:
            UsageError: It is not an async function.
        """
        self._routes.add((Event,), handler)
        return handler

    def on_dead(self, handler: DeadLetterHandler) -> DeadLetterHandler:
        """Register a handler for dead letters: called with the event and the error.

        It runs at least once for each event that becomes a dead letter, also after a crash. When it fails it
        is retried like other handlers, for up to `retry_for` seconds more. A body that is not an event is
        given as an `UnknownEvent` without a name.

        Args:
            handler: An async function of the event and the error's text.

        Raises:
            UsageError: It is not an async function.
        """
        check_handler(handler)
        self._routes.on_dead.append(handler)
        return handler

    def rotate(self, secrets: Secrets) -> None:
        """Replace the secrets at run time, all at once.

        Args:
            secrets: As for the constructor. Keep the previous ones in it until the vendor uses the new ones.

        Raises:
            UsageError: As for the constructor. The secrets stay what they were.
        """
        self._keyring.rotate(secrets)

    def app(self) -> web.Application:
        """Return an aiohttp application of its own: `POST /`, and the health checks of `add_to`.

        aiohttp logs malformed requests with a traceback that quotes their bytes, without a limit. When you
        run it yourself, `logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)` keeps them out of
        the log. `cyclesoft webhooks serve` logs one line a minute instead.
        """
        app = web.Application()
        self.add_to(app, "/")
        self._aiohttp.refuse_others(app)
        return app

    def add_to(self, app: web.Application, prefix: str, *, account_id: int | None = None) -> None:
        """Serve `POST prefix`, with or without a slash at its end, in an aiohttp application.

        Deliveries are handled for as long as the application runs. Call it again for other prefixes of the
        same application. Three health checks answer 200 or 503, from state that is kept:

        - `GET prefix/health/live`: the process serves requests;
        - `GET prefix/health/ready`: a delivery can be stored now. For load balancers;
        - `GET prefix/health`: in addition handlers run, none hangs, and none is late. For monitors only: a
          slow handler must not keep deliveries from being accepted.

        `GET prefix/metrics` has figures in the text format of Prometheus. They name handlers, but no people:
        keep it within your own network, as the example's nginx.conf does.

        Args:
            app: An application that has not started. Add the middleware `cut_unread_bodies` to it. For
                its log see `app`.
            prefix: For example "/cyclesoft".
            account_id: The one account that this prefix is for; all of them by default.

        Raises:
            UsageError: The prefix does not begin with a slash, or the receiver serves another application.
        """
        if not prefix.startswith("/"):
            raise UsageError(f"prefix must begin with a slash, got {prefix!r}")
        if self._home not in {None, app}:
            raise UsageError("a receiver must serve one application; use one receiver and several prefixes")
        self._aiohttp.add_to(app, prefix.rstrip("/"), account_id)
        if self._home is None:
            self._home = app
            app.on_shutdown.append(self._aiohttp.stop)
            app.cleanup_ctx.append(self._run)

    def add_dashboard_to(
        self,
        app: web.Application,
        prefix: str,
        *,
        authorize: Authorize,
        quota: Callable[[], QuotaSnapshot] | None = None,
    ) -> None:
        """Serve the dashboard of the inbox: look at deliveries, replay and dismiss them. Extra `dashboard`.

        ::

            async def authorize(request: web.Request) -> Operator | None:
                return Operator("anna") if request.headers.get("X-User") == "anna" else None

            receiver.add_dashboard_to(app, "/inbox", authorize=authorize)

        Bodies are masked until an operator asks for them, which is logged, as are all actions. The dashboard
        sets a strict Content-Security-Policy and checks a token and the origin of every form.

        Args:
            app: An application that has not started.
            prefix: For example "/inbox".
            authorize: Returns the `Operator` who sent a request, or None. It decides who sees people's data.
            quota: Returns the quota to show, for example `lambda: cs.quota`.

        Raises:
            UsageError: The prefix does not begin with a slash, or the inbox is of another kind.
            ModuleNotFoundError: The extra is not installed.
        """
        try:
            from .dashboard import add_dashboard  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise missing_extra(error, "dashboard") from None

        if not isinstance(self._inbox, BaseInbox):
            kind = type(self._inbox).__name__
            raise UsageError(f"the dashboard needs a SqliteInbox or a PostgresInbox, got {kind}")
        add_dashboard(app, prefix, self._inbox, authorize, quota=quota)

    def asgi(self, app: AsgiApp | None = None, path: str = "/cyclesoft") -> AsgiReceiver:
        """Return an ASGI application that receives webhooks, for Starlette, FastAPI and Django.

        ::

            application = receiver.asgi(get_asgi_application(), "/cyclesoft")     # Django
            app.mount("/cyclesoft", receiver.asgi())    # FastAPI: `async with receiver:` in its lifespan

        It serves `POST path` and the health checks of `add_to`. It answers lifespan events itself, as Django
        does not, and passes them on to an application that does. Under WSGI, run the command
        `cyclesoft webhooks serve` instead.

        Args:
            app: Gets all other requests. None: they are answered 404, and the receiver also serves the root
                of the path that it is mounted at.
            path: Where to receive webhooks, with or without a slash at its end.

        Raises:
            UsageError: The path does not begin with a slash.
        """
        if not path.startswith("/"):
            raise UsageError(f"path must begin with a slash, got {path!r}")
        return AsgiReceiver(self._intake, app, path, self._max_bytes)

    async def receive(self, body: bytes, headers: Headers, *, account_id: int | None = None) -> Answer:
        """Verify and store one delivery, for any web framework. The receiver must be open.

        Limit the size of the body before you read it: the caller is not verified yet.

        Args:
            body: The raw body, as it was received.
            headers: The request's headers: a mapping or pairs, with names in any case.
            account_id: The one account that may send it; any of the configured ones by default.

        Returns:
            The status and the headers to answer with. The body of the response is empty.

        Raises:
            UsageError: The receiver is not open.
        """
        return await self._intake.take(body, vendor_headers(headers), account_id)

    async def settled(self) -> None:
        """Wait until every stored delivery is handled, or waits for its retry. For tests.

        Raises:
            UsageError: The receiver is not open.
        """
        await self._intake.running.dispatcher.settled()

    async def __aenter__(self) -> Self:
        """Open the inbox, and run handlers until the end of the block.

        Raises:
            InboxError: The inbox cannot be opened.
        """
        await self._intake.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._intake.stop()

    async def _run(self, _: web.Application) -> AsyncGenerator[None]:
        # Not on_shutdown: that fires while requests are still being answered.
        async with self:
            yield
