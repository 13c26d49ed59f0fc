"""What all bridges are: a session with another vendor, over the same transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, TypeVar, Unpack

import aiohttp

from cyclesoft_async.errors import ResponseDecodeError, TransportError, UsageError
from cyclesoft_async.quota import FixedLimiter
from cyclesoft_async.transport import (
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
    """How a bridge makes its calls; whatever is left out has a default."""

    minutely_limit: int | None
    """Requests in any minute at most; None, the default: as many as come."""
    http_session: aiohttp.ClientSession | None
    """An aiohttp session of yours; it is not closed, and its middlewares are not run."""
    timeout: float
    """Seconds from sending a request until its answer is complete, 60 by default; waiting first is extra."""
    connect_timeout: float
    """Seconds until there is a connection, from the pool or a new one; 10 by default."""
    retries: RetryPolicy
    """When to send again what surely did not reach the server."""
    on_event: OnEvent | None
    """Called in the event loop, at once, with every `CallEvent`; what it raises is logged."""


class Bridge(BaseSession):
    """A session with one account of another vendor; use one of the subclasses.

    It belongs to the event loop that it is first used in. A request that may have been carried out is never
    sent again: it raises `AmbiguousWriteError`, whose words say how to find out.

    Args:
        base_url: Where the vendor's API is.
        auth: Who calls; sent to `base_url` only and shown nowhere.
        options: See `BridgeOptions`.

    Raises:
        UsageError: `base_url` is not a URL, the credentials can't be sent, or the limit is none.
    """

    def __init__(self, base_url: str, auth: Auth, **options: Unpack[BridgeOptions]) -> None:
        minutely_limit = options.get("minutely_limit")
        if minutely_limit is not None and minutely_limit < 1:
            raise UsageError(f"minutely_limit must be >= 1 or None, got {minutely_limit}")
        self._client = ApiClient(
            Origin(base_url, auth),
            FixedLimiter(minutely_limit),
            connect_timeout=options.get("connect_timeout", 10.0),
            http_session=options.get("http_session"),
            on_event=options.get("on_event"),
        )
        self._options = CallOptions(
            timeout=options.get("timeout", 60.0), retries=options.get("retries", RetryPolicy())
        )

    async def _execute(self, call: Call, read: Callable[[Response], T]) -> T:
        return await self._client.execute(call, read, self._options)


def what_it_says(response: Response, type_: type[T]) -> T:
    """A refusal as `type_`, whose fields all have defaults; nothing but those if it is none."""
    try:
        return read_body(response, type_)
    except (ResponseDecodeError, TransportError):
        return type_()
