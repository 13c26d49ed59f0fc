"""Routes of a receiver in an aiohttp application."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import istr

from .intake import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    UNAVAILABLE,
    VendorHeaders,
)
from .request_body import BodyError, BodyReader, cut, is_costly_to_drain, refuse

if TYPE_CHECKING:
    from .lifecycle import Lifecycle

_SIGNATURE: Final = istr(SIGNATURE_HEADER)
_DELIVERY: Final = istr(DELIVERY_HEADER)
_EVENT: Final = istr(EVENT_HEADER)
_UNREAD_LIMIT: Final = 64 * 1024


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
    if is_costly_to_drain(request, _UNREAD_LIMIT):
        response.force_close()
        await cut(request, response)
    return response


class AiohttpRoutes:
    """Answers requests.

    Args:
        lifecycle: The receiver's running parts.
        max_bytes: The largest body.
    """

    def __init__(self, lifecycle: Lifecycle, max_bytes: int) -> None:
        self._lifecycle = lifecycle
        self._bodies = BodyReader(max_bytes)

    def add_to(self, app: web.Application, path: str, account_id: int | None) -> None:
        """Add the routes under a path."""
        for exact in (path, f"{path}/"):
            app.router.add_post(exact, partial(self._receive, only=account_id))
        app.router.add_get(f"{path}/health", self._health)
        app.router.add_get(f"{path}/health/live", self._live)
        app.router.add_get(f"{path}/health/ready", self._ready)

    async def stop(self, _: web.Application) -> None:
        """Stop waiting for bodies: a sender in mid-body must not delay the stop."""
        self._lifecycle.parts.health.is_stopping = True
        self._bodies.stop()

    async def _receive(self, request: web.Request, *, only: int | None) -> web.StreamResponse:
        try:
            body = await self._bodies.read(request)
        except BodyError as error:
            headers = UNAVAILABLE.headers if error.status == UNAVAILABLE.status else None
            return await refuse(request, web.Response(status=error.status, headers=headers))
        values = request.headers.getall
        vendor = VendorHeaders(values(_SIGNATURE, ()), values(_DELIVERY, ()), values(_EVENT, ()))
        answer = await self._lifecycle.parts.intake.take(body, vendor, only)
        return web.Response(status=answer.status, headers=answer.headers or None)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, [])

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, self._lifecycle.parts.health.storage_problems())

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return await _report(request, self._lifecycle.parts.health.problems())


async def _report(request: web.Request, problems: Sequence[str]) -> web.StreamResponse:
    body = {"status": "; ".join(problems) or "ok"}
    response = web.json_response(body, status=503 if problems else 200)
    if is_costly_to_drain(request, 0):
        response.force_close()
        await cut(request, response)
    return response
