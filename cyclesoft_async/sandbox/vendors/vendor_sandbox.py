"""Base class of the vendors' sandboxes: a server on loopback, faults and queued errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple, Self, cast

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from cyclesoft_async.sandbox.fault_injection import FaultInjector
from cyclesoft_async.sandbox.faults import Fault, Faults
from cyclesoft_async.sandbox.loopback import Loopback

_STATUSES: Final = {
    Fault.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    Fault.SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_CONNECTION_FAULTS: Final = {
    Fault.DROP_AFTER,
    Fault.RESET_KEEP_ALIVE,
    Fault.TRUNCATE,
    Fault.SLOW_BODY,
    Fault.GARBLED_GZIP,
    Fault.BAD_GATEWAY,
}


class Reply(NamedTuple):
    """A response of a vendor."""

    status: int
    payload: object
    headers: Mapping[str, str] = {}


class VendorApiError(Exception):
    """An error response of a vendor."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


class VendorSandbox(ABC):
    """A vendor's server on loopback, open during its `async with` block.

    Attributes:
        requests: Number of requests that reached the API, with any response.
        dropped: Number of requests that a fault dropped before the API.
    """

    def __init__(self, *, base_path: str, port: int, faults: Faults | None) -> None:
        self.requests: int = 0
        self.dropped: int = 0
        self._base_path = base_path
        self._loopback = Loopback(port)
        self._faults = faults or Faults()
        self._fault_injector = FaultInjector(self._faults)
        self._queued_replies: deque[Reply] = deque()

    @property
    def url(self) -> str:
        """The base URL, while the sandbox runs."""
        return self._loopback.url + self._base_path

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._serve])
        app.add_routes(self._routes())
        await self._loopback.open(app)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._loopback.close()

    @abstractmethod
    def _routes(self) -> list[web.RouteDef]: ...

    @abstractmethod
    def _error_reply(self, status: int) -> Reply:
        """Return the vendor's error response with this status."""
        ...

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = self._fault_injector.draw(request)
        if fault is Fault.DROP_BEFORE:
            self.dropped += 1
            return self._fault_injector.drop(request)
        self.requests += 1
        if fault is not None and fault in _STATUSES:
            return self._with_retry_after(json_response(self._error_reply(_STATUSES[fault])))
        fault = fault if fault in _CONNECTION_FAULTS else None  # the others are CycleSoftware's own
        return await self._fault_injector.respond(request, fault, partial(self._answer, request, handler))

    def _with_retry_after(self, response: web.Response) -> web.Response:
        if self._faults.retry_after is not None:
            response.headers[hdrs.RETRY_AFTER] = self._faults.retry_after
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._queued_replies:
            return json_response(self._queued_replies.popleft())
        try:
            return await handler(request)
        except VendorApiError as error:
            return json_response(error.reply)
        except web.HTTPException as error:
            return json_response(self._error_reply(error.status))


def json_response(reply: Reply) -> web.Response:
    """Return the reply as a JSON response."""
    body = msgspec.json.encode(reply.payload)
    return web.Response(
        status=reply.status, body=body, headers=reply.headers, content_type="application/json"
    )


async def read_json_object(request: web.Request) -> dict[str, object] | None:
    """Return the request's JSON object; None if the body is not one."""
    try:
        payload: object = msgspec.json.decode(await request.read())
    except msgspec.DecodeError:
        return None
    return cast("dict[str, object]", payload) if isinstance(payload, dict) else None
