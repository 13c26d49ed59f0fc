"""Request bodies of unverified senders: limited in size, in time, and in memory over all connections.

aiohttp's own `client_max_size` is that of the outermost application, and it inflates compressed bodies before
a handler sees them. So the bytes are counted here, as they come out.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

_READ_SECONDS: Final = 30.0
_MOST_HELD: Final = 32 * 1024 * 1024
_GARBLED: Final = 400
_SLOW: Final = 408
_TOO_LARGE: Final = 413
_UNAVAILABLE: Final = 503


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
