"""How the API answers: JSON as documented, gzip where it pays, refusals as `{"error": true, ...}`."""

from __future__ import annotations

import gzip

import msgspec
from aiohttp import web

_ENCODER = msgspec.json.Encoder()
_WORTH_COMPRESSING = 1024  # bytes; below it the gzip frame and the CPU cost more than they save


class RefusedError(Exception):
    """The API says no, in words that the caller reads as `error_message`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> RefusedError:
    """Return the refusal of a request that can't be right."""
    return RefusedError(400, message)


def not_found(message: str) -> RefusedError:
    """Return the refusal of a request for something that is not there."""
    return RefusedError(404, message)


def answer(request: web.Request, payload: object, *, status: int = 200) -> web.Response:
    """Return `payload` as JSON, compressed when the caller accepts gzip and the body is worth it."""
    body = _ENCODER.encode(payload)
    response = web.Response(status=status, content_type="application/json", charset="utf-8")
    if len(body) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        body = gzip.compress(body, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    response.body = body
    return response


def refusal(request: web.Request, status: int, message: str) -> web.Response:
    """Return an error as the vendor documents it: the flag, the words, a fitting status."""
    return answer(request, {"error": True, "error_message": message}, status=status)
