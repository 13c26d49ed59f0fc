"""Base class of the bridges: a session with another vendor over the client's transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, TypeVar, Unpack

import aiohttp
import msgspec

from cyclesoft_async.errors import ResponseDecodeError, TransportError, UsageError
from cyclesoft_async.quota import FixedLimiter
from cyclesoft_async.transport import (
    MAX_RESPONSE_BYTES,
    ApiClient,
    Auth,
    BaseSession,
    Call,
    CallOptions,
    OnEvent,
    Origin,
    Response,
    RetryPolicy,
    read_body,
)

T = TypeVar("T")


class BridgeOptions(TypedDict, total=False):
    """Options of a bridge, all with defaults."""

    minutely_limit: int | None
    """Maximum number of requests in any 60 seconds. None, the default, is no limit."""
    http_session: aiohttp.ClientSession | None
    """Your own aiohttp session. It is not closed, and its middlewares do not run."""
    timeout: float
    """Seconds from sending to the complete response, 60 by default. Waiting for a permit is extra."""
    connect_timeout: float
    """Seconds to get a connection, pooled or new, 10 by default."""
    retries: RetryPolicy
    """Retries of requests that certainly did not reach the server."""
    on_event: OnEvent | None
    """Called synchronously in the event loop with every `CallEvent`. Its exceptions are logged."""
    max_response_bytes: int
    """Largest response body, decompressed, 64 MiB by default; see `CycleSoftSession`."""
    allow_http: bool
    """Allow a `base_url` with plain http on another machine. False by default."""


class Bridge(BaseSession):
    """A session with one account of another vendor. Use a subclass.

    It belongs to the event loop of its first use. A request that may have been carried out is not retried: it
    raises `AmbiguousWriteError`, whose message says how to find out.

    Args:
        base_url: URL of the vendor's API.
        auth: Credentials, sent to `base_url` only and never shown.
        options: See `BridgeOptions`.

    Raises:
        UsageError: `base_url` is not a URL, or the credentials or the limit are invalid.
    """

    def __init__(self, base_url: str, auth: Auth, **options: Unpack[BridgeOptions]) -> None:
        try:
            origin = Origin(base_url, auth, allow_http=options.get("allow_http", False))
        finally:
            del base_url  # a traceback can show it, and it may hold a password
        minutely_limit = options.get("minutely_limit")
        if minutely_limit is not None and minutely_limit < 1:
            raise UsageError(f"minutely_limit must be >= 1 or None, got {minutely_limit}")
        self._client = ApiClient(
            origin,
            FixedLimiter(minutely_limit),
            connect_timeout=options.get("connect_timeout", 10.0),
            http_session=options.get("http_session"),
            on_event=options.get("on_event"),
            max_response_bytes=options.get("max_response_bytes", MAX_RESPONSE_BYTES),
        )
        self._options = CallOptions(
            timeout=options.get("timeout", 60.0), retries=options.get("retries", RetryPolicy())
        )

    async def _execute(self, call: Call, read: Callable[[Response], T]) -> T:
        return await self._client.execute(call, read, self._options)


def read_or_default(response: Response, type_: type[T]) -> T:
    """Decode an error body. Return the defaults of `type_` if it has another form."""
    try:
        return read_body(response, type_)
    except (ResponseDecodeError, TransportError):
        return type_()


def as_text(value: object) -> str:
    """Return a value of an error body for people: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
