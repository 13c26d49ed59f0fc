"""The attempts at a call: through the quota, over the wire, and back whole or as an error of the tree."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from multidict import CIMultiDict

from cyclesoft_async.errors import (
    CertificateError,
    ConnectError,
    NameResolutionError,
    RequestTimeout,
    SessionError,
    TransportError,
)
from cyclesoft_async.quota import FixedLimiter, Limiter, Permit

from .answers import Answer
from .call import Call, CallOptions
from .deadlines import Deadline, Deadlines
from .origin import Origin
from .watching import Watch

# What aiohttp raises when no connection came about, so that the server can't have seen the request.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Wire(NamedTuple):
    """What all calls of a session have in common."""

    origin: Origin
    limiter: Limiter | FixedLimiter
    headers: CIMultiDict[str]
    """But for the credentials, which nothing shall show."""
    timeout: aiohttp.ClientTimeout
    deadlines: Deadlines


class Attempts:
    """The attempts at one call, one after the other; each sends the request once, or not at all."""

    def __init__(
        self, call: Call, options: CallOptions, wire: Wire, watch: Watch, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.call = call
        self.options = options
        self.watch = watch
        self.loop = loop
        self.began_at = loop.time()
        self.sends = 0
        self.queued = 0.0
        """Seconds spent waiting for the quota."""
        self.slept = 0.0
        """Seconds spent waiting between attempts."""
        self._wire = wire
        self._permit: Permit
        self._broken: Exception | None = None

    async def another(self, http: aiohttp.ClientSession) -> Answer:
        """Send and read the whole answer.

        Raises:
            TransportError: No whole answer came.
            QuotaExhausted: There is no room for it soon enough.
            SessionError: The session was closed while the request waited for the quota.
        """
        call, options, watch, wire = self.call, self.options, self.watch, self._wire
        watch.attempt += 1
        url = wire.origin.url(call.path, call.query)
        clock = self.loop.time
        began = clock()
        try:
            permit = await wire.limiter.acquire(
                lane=options.lane, endpoint=call.limit, max_wait=options.max_wait
            )
        finally:
            sent_at = clock()
            self.queued += sent_at - began
        self.sends += 1
        self._permit, self._broken = permit, None
        try:
            watch.waited(sent_at - began)
            if http.closed:
                raise SessionError("the session is closed")
            watch.sent()
            with Deadline(sent_at + options.timeout, self.loop, wire.deadlines):
                response = await http.request(
                    call.method,
                    url,
                    data=call.body,
                    allow_redirects=False,  # a redirect would take the credentials along
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=wire.timeout,
                    middlewares=(self._meter,),
                )
                body = await response.read()
            if watch.is_heard:
                watch.answered(response.status, clock() - sent_at)
            return Answer(status=response.status, headers=response.headers, body=body)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._failure(error)
        finally:
            permit.unsent()  # if nothing was said of it: the request did not come to be sent
        # Raised out here so that aiohttp's error is no part of it: some carry the request's credentials.
        raise failure

    async def _meter(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The innermost middleware: every physical send passes here, aiohttp's silent resends included.

        Those are refused: a PUT may have been carried out already, and for reads there is the retry policy.
        """
        if self._broken is not None:
            raise self._broken
        permit, wire = self._permit, self._wire
        # Each header once, whatever the session that was passed in would send by default.
        request.headers.update(wire.headers)
        request.headers.update(wire.origin.auth.headers())
        if self.call.content_type:
            request.headers[hdrs.CONTENT_TYPE] = self.call.content_type
        try:
            response = await handler(request)
        except _NEVER_SENT:
            permit.unsent()
            raise
        except BaseException as error:
            permit.lost()
            if isinstance(error, Exception):
                self._broken = error
            raise
        permit.answered(response.status, response.headers)
        return response

    def _failure(self, error: aiohttp.ClientError | OSError) -> TransportError:
        """The error of our tree, in words that hold neither credentials nor query values."""
        match error:
            case aiohttp.ClientConnectorDNSError():
                return NameResolutionError(f"the host name {error.host!r} does not resolve")
            case aiohttp.ClientConnectorCertificateError():
                return CertificateError(f"{error.host}:{error.port}: {error.certificate_error}")
            case aiohttp.ConnectionTimeoutError():
                return ConnectError("the server did not accept a connection in time")
            case aiohttp.ClientConnectorError():
                return ConnectError(f"no connection to {error.host}:{error.port}: {_why(error.os_error)}")
            case TimeoutError():
                return RequestTimeout(f"no whole answer within {self.options.timeout:g} seconds")
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
