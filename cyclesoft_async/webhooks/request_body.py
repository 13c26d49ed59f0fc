"""Reads a request's body, and not one byte more than allowed.

aiohttp's own `client_max_size` is that of the outermost application, and a compressed body is inflated before
anybody sees it; so the bytes are counted here, as they come out.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import StreamReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

_READ_SECONDS: Final = 30.0
_TOO_LARGE: Final = 413


class BodyError(Exception):
    """The body was not taken.

    Attributes:
        status: The HTTP status to answer with.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read_body(request: web.Request, limit: int) -> bytes:
    """The body, with its Content-Encoding undone.

    Raises:
        BodyError: It is larger than `limit` bytes (413), slower than half a minute (408), or garbled (400).
    """
    content = request.content
    try:
        if content.is_eof():  # it came along with its headers, as nearly always
            body = content.read_nowait() or await request.read()  # a middleware may have read it
        elif (request.content_length or 0) > limit:
            raise BodyError(_TOO_LARGE)
        else:
            async with asyncio.timeout(_READ_SECONDS):
                body = await _read(content, limit)
    except TimeoutError:
        raise BodyError(408) from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise BodyError(400) from None
    if len(body) > limit:
        raise BodyError(_TOO_LARGE)
    return body


async def _read(content: StreamReader, limit: int) -> bytes:
    """The body, or more of it than allowed."""
    body = bytearray()
    while len(body) <= limit and (piece := await content.readany()):
        body += piece
    return bytes(body)


async def refuse(request: web.Request, status: int) -> web.StreamResponse:
    """Answer, and close the connection.

    A sender that is busy with a body that is too large sees the answer only if the rest is read, which
    aiohttp does for ten seconds. The rest of a compressed body can be a thousand times what it costs to send,
    and of one that does not come there is no rest worth waiting for; those are cut off.
    """
    response = web.Response(status=status)
    response.force_close()
    if status != _TOO_LARGE or hdrs.CONTENT_ENCODING in request.headers:
        await response.prepare(request)
        await response.write_eof()
        request.protocol.force_close()
    return response
