"""The attempts at a call: through the quota, over the wire, and back whole or as an error of the tree."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from msgspec import Struct
from multidict import CIMultiDict

from cyclesoft_async.errors import (
    AmbiguousWriteError,
    CertificateError,
    ConnectError,
    NameResolutionError,
    RateLimitedError,
    RequestError,
    RequestTimeout,
    TransportError,
)
from cyclesoft_async.quota import FixedLimiter, Limiter, Permit

from .connections import Connections
from .error_mapping import still_in_doubt
from .instrumentation import Watch
from .origin import Origin
from .request import Call, CallOptions
from .response import Answer
from .timeouts import Deadline, Deadlines

# What aiohttp raises when no connection came about, so that the server can't have seen the request.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Wire(NamedTuple):
    """What all calls of a session have in common."""

    origin: Origin
    limiter: Limiter | FixedLimiter
    connections: Connections
    headers: CIMultiDict[str]
    """But for the credentials, which nothing shall show."""
    timeout: aiohttp.ClientTimeout
    deadlines: Deadlines


class Attempts(Struct, eq=False):
    """The attempts at one call, one after the other; each sends the request once, or not at all."""

    call: Call
    options: CallOptions
    wire: Wire
    watch: Watch
    loop: asyncio.AbstractEventLoop
    began_at: float
    max_wait: float | None
    """Seconds that the next attempt may wait for the quota."""
    sends: int = 0
    queued: float = 0.0
    """Seconds spent waiting for the quota."""
    slept: float = 0.0
    """Seconds spent waiting between attempts."""
    refused: float = 0.0
    """Those of them that followed a 429."""
    looked: float = 0.0
    """Seconds spent finding out whether an attempt was carried out after all."""
    doubt: AmbiguousWriteError | None = None
    """What an earlier attempt left open."""

    async def another(self) -> Answer:
        """Send and read the whole answer.

        Raises:
            TransportError: No whole answer came.
            QuotaExhausted: There is no room for it soon enough.
            SessionError: The session is closed, maybe since the request waited for the quota.
        """
        call, options, watch, wire, loop = self.call, self.options, self.watch, self.wire, self.loop
        watch.attempt += 1
        url = wire.origin.url(call.path, call.query)
        wire.connections.opened(loop)
        clock = loop.time
        began = clock()
        try:
            permit = await wire.limiter.acquire(
                lane=options.lane, endpoint=call.limit, max_wait=self.max_wait
            )
        finally:
            sent_at = clock()
            self.queued += sent_at - began
        try:
            http = wire.connections.opened(loop)
            self.sends += 1
            watch.waited(sent_at - began)
            watch.sent()
            with Deadline(sent_at + options.timeout, loop, wire.deadlines):
                response = await http.request(
                    call.method,
                    url,
                    data=call.body,
                    allow_redirects=False,  # a redirect would take the credentials along
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=wire.timeout,
                    middlewares=(_Meter(call, wire, permit),),
                )
                body = await response.read()
            if watch.is_heard:
                watch.answered(response.status, clock() - sent_at)
            return Answer(status=response.status, headers=response.headers, body=body)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = _failure(error, options.timeout)
        finally:
            permit.unsent()  # if nothing was said of it: the request did not come to be sent
        # Raised out here so that aiohttp's error is no part of it: some carry the request's credentials.
        raise failure

    async def rest(self, failure: RequestError, *, may_repeat: bool) -> bool:
        """Sleep before another attempt; False, and at once, when there is to be none."""
        delay = self.options.retries.delay(
            failure,
            is_read=may_repeat,
            attempt=self.watch.attempt,
            elapsed=self.loop.time() - self.began_at - self.queued - self.looked,
            draw=random.random(),  # noqa: S311 - spreads load, guards nothing
        )
        if delay is None:
            return False
        if self.options.max_wait is not None:
            left = self.options.max_wait - self.queued - self.refused
            if isinstance(failure, RateLimitedError):
                # The limiter knows of the refusal, and will say for how long it is in vain to wait.
                delay = delay if delay <= left else 0.0
                self.refused += delay
                left -= delay
            self.max_wait = max(0.0, left)
        self.watch.retried(failure, delay)
        self.slept += delay
        await asyncio.sleep(delay)
        return True

    def ended(self, failure: RequestError) -> RequestError:
        """The failure that ends the call, and knows of it."""
        call = self.call
        if self.doubt is not None:
            failure = still_in_doubt(failure, self.doubt, call)
        self.watch.failed(failure)
        failure.in_call(
            call.method,
            call.path,
            attempts=self.sends,
            waited=self.queued + self.slept,
            quota=self.wire.limiter.snapshot(),
        )
        # The frames below are aiohttp's and ours; their locals hold the query and the body.
        return failure.with_traceback(None)


class _Meter(Struct, eq=False):
    """The innermost middleware: every physical send of an attempt passes here, also aiohttp's silent resends.

    Those are refused: a PUT may have been carried out already, and for reads there is the retry policy.
    """

    call: Call
    wire: Wire
    permit: Permit
    broken: Exception | None = None

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self.broken is not None:
            raise self.broken
        permit, wire, headers = self.permit, self.wire, request.headers
        # Each header once, whatever the session that was passed in would send by default.
        headers.update(wire.headers)
        headers.update(wire.origin.auth.headers())
        if self.call.content_type:
            headers[hdrs.CONTENT_TYPE] = self.call.content_type
        try:
            response = await handler(request)
        except _NEVER_SENT:
            permit.unsent()
            raise
        except BaseException as error:
            permit.lost()
            if isinstance(error, Exception):
                self.broken = error
            raise
        permit.answered(response.status, response.headers)
        return response


def _failure(error: aiohttp.ClientError | OSError, timeout: float) -> TransportError:
    """The error of our tree, in words that hold neither credentials nor query values."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return NameResolutionError(f"the host name {error.host!r} does not resolve")
        case aiohttp.ClientConnectorCertificateError():
            return CertificateError(f"{error.host}:{error.port}: {error.certificate_error}")
        case aiohttp.ConnectionTimeoutError():
            return ConnectError("no connection in time: from the pool, by the host name, or to the server")
        case aiohttp.ClientConnectorError():
            return ConnectError(f"no connection to {error.host}:{error.port}: {_why(error.os_error)}")
        case TimeoutError():
            return RequestTimeout(f"no whole answer within {timeout:g} seconds")
        case _:
            return TransportError(_what_broke(error))


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) or error.errno is None:
        return error.strerror or type(error).__name__
    return os.strerror(error.errno)  # asyncio's own words repeat the address


def _what_broke(error: aiohttp.ClientError | OSError) -> str:
    match error:
        case aiohttp.ClientPayloadError():
            return "the answer's body broke off or could not be unpacked"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case _:
            return f"the connection broke: {type(error).__name__}"
