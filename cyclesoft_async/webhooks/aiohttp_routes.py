"""Routes of a receiver in an aiohttp application.

Bodies of unverified senders are limited in size, in time, and in memory over all connections. aiohttp's own
`client_max_size` is that of the outermost application, and it inflates compressed bodies before a handler
sees them. So the bytes are counted here, as they come out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from multidict import istr

from .intake import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    METRICS_TYPE,
    SIGNATURE_HEADER,
    UNAVAILABLE,
    Intake,
    VendorHeaders,
)

_SIGNATURE: Final = istr(SIGNATURE_HEADER)
_DELIVERY: Final = istr(DELIVERY_HEADER)
_EVENT: Final = istr(EVENT_HEADER)

_ANY_PATH: Final = "/{path:.*}"
_UNREAD_LIMIT: Final = 64 * 1024
_READ_SECONDS: Final = 30.0
_MOST_HELD: Final = 32 * 1024 * 1024
_GARBLED: Final = 400
_SLOW: Final = 408
_TOO_LARGE: Final = 413
_UNAVAILABLE: Final = 503


@web.middleware
async def cut_unread_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: close connections whose request body a handler left unread, instead of draining it.

    aiohttp reads the rest of a body for up to ten seconds, and inflates it if it is compressed: 0.9 MB of
    gzip on a path that does not exist stop the event loop for seconds. `WebhookReceiver.app` has this
    middleware. Add it to an application that a receiver is mounted in.
    """
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if not is_costly_to_drain(request, _UNREAD_LIMIT):
            raise
        response = web.Response(status=error.status, headers=error.headers, text=error.text)
    return await _send(request, response, _UNREAD_LIMIT)


class AiohttpRoutes:
    """Answers requests.

    Args:
        intake: Takes deliveries.
        max_bytes: The largest body.
    """

    def __init__(self, intake: Intake, max_bytes: int) -> None:
        self._intake = intake
        self._bodies = BodyReader(max_bytes)

    def add_to(self, app: web.Application, path: str, account_id: int | None) -> None:
        """Add the routes under a path."""
        for exact in (path, f"{path}/"):
            app.router.add_post(exact, partial(self._receive, only=account_id))
        app.router.add_get(f"{path}/health", self._health)
        app.router.add_get(f"{path}/health/live", self._live)
        app.router.add_get(f"{path}/health/ready", self._ready)
        app.router.add_get(f"{path}/metrics", self._metrics)

    def refuse_others(self, app: web.Application) -> None:
        """Answer all other requests 404 or 405, without reading their bodies.

        An application of its own needs no `cut_unread_bodies` then, which costs each delivery 4 µs.
        """
        app.router.add_route("*", _ANY_PATH, _refuse_unknown)

    async def stop(self, _: web.Application) -> None:
        """Stop waiting for bodies: a sender in mid-body must not delay the stop."""
        self._intake.running.health.is_stopping = True
        self._bodies.stop()

    async def _receive(self, request: web.Request, *, only: int | None) -> web.StreamResponse:
        try:
            body = await self._bodies.read(request)
        except BodyError as error:
            headers = UNAVAILABLE.headers if error.status == UNAVAILABLE.status else None
            return await refuse(request, web.Response(status=error.status, headers=headers))
        values = request.headers.getall
        vendor = VendorHeaders(values(_SIGNATURE, ()), values(_DELIVERY, ()), values(_EVENT, ()))
        answer = await self._intake.take(body, vendor, only)
        return web.Response(status=answer.status, headers=answer.headers or None)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, [])

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, self._intake.running.health.storage_problems())

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, self._intake.running.health.problems())

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        text = await self._intake.metrics_text()
        response = web.Response(text=text, headers={hdrs.CONTENT_TYPE: METRICS_TYPE})
        return await _send(request, response, 0)


async def _report(request: web.Request, problems: Sequence[str]) -> web.StreamResponse:
    body = {"status": "; ".join(problems) or "ok"}
    return await _send(request, web.json_response(body, status=503 if problems else 200), 0)


async def _refuse_unknown(request: web.Request) -> web.StreamResponse:
    allowed = {
        route.method
        for route in request.app.router.routes()
        if route.resource is not None and route.resource.canonical == request.path
    }
    refusal = web.HTTPMethodNotAllowed(request.method, sorted(allowed)) if allowed else web.HTTPNotFound()
    response = web.Response(status=refusal.status, headers=refusal.headers, text=refusal.text)
    return await _send(request, response, _UNREAD_LIMIT)


async def _send(request: web.Request, response: web.StreamResponse, most_unread: int) -> web.StreamResponse:
    """Return the response. Send it and close the connection if its request's body is costly to drain."""
    if is_costly_to_drain(request, most_unread):
        response.force_close()
        await cut(request, response)
    return response


class BodyError(Exception):
    """The body was not read.

    Attributes:
        status: The HTTP status to answer with.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BodyReader:
    """Reads bodies.

    Args:
        limit: The largest body in bytes, after inflating it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._deadlines: set[asyncio.Timeout] = set()
        self._stopped = False

    async def read(self, request: web.Request) -> bytes:
        """Read the body, with its Content-Encoding undone.

        Raises:
            BodyError: It is larger than the limit (413), takes longer than 30 seconds (408) or is garbled
                (400); or the receiver is stopping or busy with other bodies (503).
        """
        content = request.content
        try:
            if content.is_eof():  # it arrived together with its headers, as nearly always
                body = content.read_nowait() or await request.read()  # a middleware may have read it
            elif (request.content_length or 0) > self._limit:
                raise BodyError(_TOO_LARGE)
            else:
                body = await self._read_in_time(request)
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            raise BodyError(_GARBLED) from None
        if len(body) > self._limit:
            raise BodyError(_TOO_LARGE)
        return body

    def stop(self) -> None:
        """Wait no longer for bodies that have not arrived."""
        self._stopped = True
        for deadline in self._deadlines:
            deadline.reschedule(0.0)

    async def _read_in_time(self, request: web.Request) -> bytes:
        if self._stopped:
            raise BodyError(_UNAVAILABLE)
        try:
            async with asyncio.timeout(_READ_SECONDS) as deadline:
                self._deadlines.add(deadline)
                try:
                    return await self._read(request)
                finally:
                    self._deadlines.discard(deadline)
        except TimeoutError:
            raise BodyError(_UNAVAILABLE if self._stopped else _SLOW) from None

    async def _read(self, request: web.Request) -> bytes:
        """Read the body, or just more of it than allowed."""
        body = bytearray()
        try:
            while len(body) <= self._limit and (piece := await request.content.readany()):
                self._held += len(piece)
                body += piece
                if self._held > _MOST_HELD:
                    raise BodyError(_UNAVAILABLE)
            return bytes(body)
        finally:
            self._held -= len(body)


async def refuse(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send a response, and close the connection.

    A sender in the middle of a body that is too large sees the response only if the rest is read, which
    aiohttp does for ten seconds. The rest of a compressed body can be a thousand times what it costs to send,
    and a body that stalls has no rest worth waiting for. Those are cut off.
    """
    response.force_close()
    if response.status != _TOO_LARGE or hdrs.CONTENT_ENCODING in request.headers:
        await cut(request, response)
    return response


async def cut(request: web.Request, response: web.StreamResponse) -> None:
    """Send a response, and close the connection without reading the rest of the body."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        pass  # the sender hung up
    request.protocol.force_close()


def is_costly_to_drain(request: web.Request, limit: int) -> bool:
    """Return whether the body is unread, and reading the rest of it could take long."""
    if request.content.at_eof():
        return False
    length = request.content_length
    return hdrs.CONTENT_ENCODING in request.headers or length is None or length > limit
