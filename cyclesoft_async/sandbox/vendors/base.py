"""What the stand-ins of other vendors share: a port on loopback, faults, and refusals on order."""

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

from cyclesoft_async.sandbox.fault_injection import Saboteur
from cyclesoft_async.sandbox.faults import Fault, Faults
from cyclesoft_async.sandbox.loopback import Loopback

_STATUSES: Final = {
    Fault.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    Fault.SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_ON_THE_WIRE: Final = {
    Fault.DROP_AFTER,
    Fault.RESET_KEEP_ALIVE,
    Fault.TRUNCATE,
    Fault.SLOW_BODY,
    Fault.GARBLED_GZIP,
    Fault.BAD_GATEWAY,
}


class Reply(NamedTuple):
    """What a vendor answers."""

    status: int
    payload: object
    headers: Mapping[str, str] = {}


class RefusalError(Exception):
    """The vendor says no."""

    def __init__(self, refusal: Reply) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class VendorSandbox(ABC):
    """A vendor's stand-in on loopback, for as long as the `async with` block runs.

    Attributes:
        requests: Requests that reached the API, whatever the answer.
        dropped: Requests that arrived and, by a fault, never reached the API.
    """

    def __init__(self, *, base_path: str, port: int, faults: Faults | None) -> None:
        self.requests = 0
        self.dropped = 0
        self._base_path = base_path
        self._loopback = Loopback(port)
        self._faults = faults or Faults()
        self._saboteur = Saboteur(self._faults)
        self._ordered: deque[Reply] = deque()

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
    def _refusal(self, status: int) -> Reply:
        """Return what the vendor says under a status that says no."""
        ...

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = self._saboteur.draw(request)
        if fault is Fault.DROP_BEFORE:
            self.dropped += 1
            return self._saboteur.drop(request)
        self.requests += 1
        if fault is not None and fault in _STATUSES:
            return self._later(as_json(self._refusal(_STATUSES[fault])))
        fault = fault if fault in _ON_THE_WIRE else None  # the others are CycleSoftware's own
        return await self._saboteur.answer(request, fault, partial(self._answer, request, handler))

    def _later(self, response: web.Response) -> web.Response:
        if self._faults.retry_after is not None:
            response.headers[hdrs.RETRY_AFTER] = self._faults.retry_after
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._ordered:
            return as_json(self._ordered.popleft())
        try:
            return await handler(request)
        except RefusalError as error:
            return as_json(error.refusal)
        except web.HTTPException as error:
            return as_json(self._refusal(error.status))


def as_json(reply: Reply) -> web.Response:
    """Return the reply as the vendor sends it."""
    body = msgspec.json.encode(reply.payload)
    return web.Response(
        status=reply.status, body=body, headers=reply.headers, content_type="application/json"
    )


async def read_object(request: web.Request) -> dict[str, object] | None:
    """Return the request's JSON object; None if it is none."""
    try:
        payload: object = msgspec.json.decode(await request.read())
    except msgspec.DecodeError:
        return None
    return cast("dict[str, object]", payload) if isinstance(payload, dict) else None
