"""Fault injection: breaks connections and responses."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from random import Random
from typing import Final, TypeAlias, cast
from weakref import WeakSet

import msgspec
from aiohttp import hdrs, web

from .api import PAGE_SIZE_FACTOR
from .faults import Fault, Faults
from .responses import error_response, json_response

Api: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]

_HTML: Final = "<html><body><center><h1>502 Bad Gateway</h1></center></body></html>"
_ROWS: Final = ("data", "customers", "invoices")
"""Names of the lists in the bodies."""
_FAR: Final = 1_000_000
_HUGE: Final = 50
_SLICES: Final = 4
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds


class FaultInjector:
    """Injects the faults of one sandbox.

    Attributes:
        injected: How often each fault was chosen.
    """

    def __init__(self, faults: Faults) -> None:
        self.injected: Counter[Fault] = Counter()
        self._faults = faults
        self._random = Random(faults.seed)
        self._arrived = 0
        self._connections_to_reset: WeakSet[asyncio.Transport] = WeakSet()

    def draw(self, request: web.Request) -> Fault | None:
        """Choose the fault of a new request. Call it exactly once per request."""
        self._arrived += 1
        faults = self._faults
        chance = request.method in faults.methods and self._random.random() < faults.rate
        injected = self._random.choice(faults.among) if chance else None
        fault = (
            Fault.DROP_BEFORE if self._resets_connection(request) else faults.at.get(self._arrived, injected)
        )
        if fault is not None:
            self.injected[fault] += 1
        return fault

    def drop(self, request: web.Request) -> web.Response:
        """Close the connection; aiohttp discards the response."""
        _close_connection(request, reset=self._resets_connection(request))
        return web.Response()

    async def respond(self, request: web.Request, fault: Fault | None, api: Api) -> web.StreamResponse:
        """Respond with what `api` returns, broken by `fault`, or with the fault in its place."""
        match fault:
            case Fault.TOO_MANY_REQUESTS:
                return self._with_retry_after(error_response(request, 429, "Too many requests"))
            case Fault.SERVER_ERROR:
                return error_response(request, 500, "Internal server error")
            case Fault.ERROR_UNDER_200:
                return error_response(request, 200, "Something went wrong")
            case Fault.HUGE_PAGE:
                return await _huge_page(api)
            case None:
                return await api()
            case _:
                return await self._carry_out_and_break(request, fault, cast("web.Response", await api()))

    async def _carry_out_and_break(
        self, request: web.Request, fault: Fault, response: web.Response
    ) -> web.StreamResponse:
        if fault is Fault.RESET_KEEP_ALIVE and request.transport is not None:
            self._connections_to_reset.add(request.transport)
        match fault:
            case Fault.DROP_AFTER:
                return self.drop(request)
            case Fault.TRUNCATE:
                return await _send_truncated(request, response)
            case Fault.SLOW_BODY:
                return await self._send_slowly(request, response)
            case Fault.BAD_GATEWAY:
                return self._with_retry_after(web.Response(status=502, text=_HTML, content_type="text/html"))
            case Fault.GARBLED_GZIP:
                return _with_broken_gzip(response)
            case _:
                return self._with_changed_payload(request, fault, response)

    def _resets_connection(self, request: web.Request) -> bool:
        return request.transport in self._connections_to_reset

    def _with_retry_after(self, response: web.Response) -> web.Response:
        if self._faults.retry_after is not None:
            response.headers[hdrs.RETRY_AFTER] = self._faults.retry_after
        return response

    async def _send_slowly(self, request: web.Request, response: web.Response) -> web.StreamResponse:
        stream, body = await _send_headers(request, response)
        for slice_ in range(_SLICES):
            await asyncio.sleep(self._faults.slow / _SLICES)
            await stream.write(body[len(body) * slice_ // _SLICES : len(body) * (slice_ + 1) // _SLICES])
        return stream

    def _with_changed_payload(
        self, request: web.Request, fault: Fault, response: web.Response
    ) -> web.Response:
        found: object = msgspec.json.decode(_plain_body(response))
        # A bare array has no pages.
        payload = cast("dict[str, object]", found if isinstance(found, dict) else {"data": found})
        is_list = "pagination" in payload
        match fault:
            case _ if response.status != HTTPStatus.OK:
                return response
            case Fault.LIST_FOR_OBJECT:
                return _with_body(request, response, [])
            case Fault.BAD_ROW:
                _break_first_row(payload)
            case Fault.EMPTY_PAGE if is_list:
                elsewhere = request.rel_url.update_query(again=str(self._arrived))
                payload[_rows_key(payload)] = []
                payload["pagination"] = _pagination(payload, str(elsewhere), _FAR + self._arrived)
            case Fault.REPEATED_CURSOR if is_list:
                offset = request.query.get("offset", "0")
                payload["pagination"] = _pagination(payload, request.path_qs, int(offset))
            case _:
                return response
        return _with_body(request, response, payload if isinstance(found, dict) else payload["data"])


async def _huge_page(api: Api) -> web.StreamResponse:
    before = PAGE_SIZE_FACTOR.set(_HUGE)
    try:
        return await api()
    finally:
        PAGE_SIZE_FACTOR.reset(before)


def _close_connection(request: web.Request, *, reset: bool = False) -> None:
    transport = request.transport
    if transport is None:
        return  # the client has closed it already
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


async def _send_headers(request: web.Request, response: web.Response) -> tuple[web.StreamResponse, bytes]:
    """Send the headers of the response, and return its encoded body for the caller to send."""
    body = cast("bytes", response.body)
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    return stream, body


def _with_broken_gzip(response: web.Response) -> web.Response:
    response.body = b"garbled" + _plain_body(response)
    response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response


async def _send_truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    stream, body = await _send_headers(request, response)
    await stream.write(body[: len(body) // 2])
    stream.force_close()  # its Content-Length announces more
    return stream


def _plain_body(response: web.Response) -> bytes:
    body = cast("bytes", response.body)
    return gzip.decompress(body) if response.headers.get(hdrs.CONTENT_ENCODING) == "gzip" else body


def _with_body(request: web.Request, response: web.Response, payload: object) -> web.Response:
    changed = json_response(request, payload, status=response.status)
    changed.headers.update(
        {name: v for name, v in response.headers.items() if name.startswith("X-RateLimit")}
    )
    return changed


def _rows_key(payload: dict[str, object]) -> str:
    return next((key for key in _ROWS if key in payload), "")


def _pagination(payload: dict[str, object], url: str, offset: int) -> dict[str, object]:
    """Return the pagination of a list that names its next page in the same way."""
    before = payload["pagination"]
    by_offset = isinstance(before, dict) and "next_offset" in before
    return {"next_offset": offset} if by_offset else {"next_url": url}


def _break_first_row(payload: dict[str, object]) -> None:
    rows = payload.get(_rows_key(payload), payload)
    row = cast("dict[str, object]", rows[0] if isinstance(rows, list) and rows else rows)
    if row:  # all of its values: a client may take one odd value for none, and the row for a good one
        row.update({key: ["an", "undocumented", str(value)[:20]] for key, value in row.items()})
