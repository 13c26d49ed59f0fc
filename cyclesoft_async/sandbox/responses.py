"""Responses of the API: JSON, gzip for large bodies, errors as `{"error": true, ...}`."""

from __future__ import annotations

import gzip

import msgspec
from aiohttp import web

_ENCODER = msgspec.json.Encoder()
_GZIP_FROM = 1024  # bytes; below it the gzip frame and the CPU cost more than they save


class ApiError(Exception):
    """An error response of the API, with its `error_message`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> ApiError:
    """Return the error of an invalid request."""
    return ApiError(400, message)


def not_found(message: str) -> ApiError:
    """Return the error of a request for something that does not exist."""
    return ApiError(404, message)


def json_response(request: web.Request, payload: object, *, status: int = 200) -> web.Response:
    """Return `payload` as JSON, compressed if it is large and the client accepts gzip."""
    body = _ENCODER.encode(payload)
    response = web.Response(status=status, content_type="application/json", charset="utf-8")
    if len(body) >= _GZIP_FROM and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        body = gzip.compress(body, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    response.body = body
    return response


def error_response(request: web.Request, status: int, message: str) -> web.Response:
    """Return an error as the vendor documents it."""
    return json_response(request, {"error": True, "error_message": message}, status=status)
