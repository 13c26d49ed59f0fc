"""One attempt at a call: through the quota, over the wire, and back whole or as an error of the tree."""

from __future__ import annotations

import asyncio
import os
import ssl

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
from .deadlines import Deadlines
from .origin import Origin
from .watching import Watch

# What aiohttp raises when no connection came about, so that the server can't have seen the request.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Attempt:
    """One attempt: the request is sent once, or not at all."""

    def __init__(
        self,
        call: Call,
        origin: Origin,
        limiter: Limiter | FixedLimiter,
        options: CallOptions,
        watch: Watch,
    ) -> None:
        self._call = call
        self._origin = origin
        self._limiter = limiter
        self._options = options
        self._watch = watch
        self._broken: Exception | None = None
        self.sends = 0
        self.queued = 0.0
        """Seconds spent waiting for the quota."""

    async def run(
        self,
        http: aiohttp.ClientSession,
        headers: CIMultiDict[str],
        timeout: aiohttp.ClientTimeout,
        deadlines: Deadlines,
    ) -> Answer:
        """Send and read the whole answer.

        Raises:
            TransportError: No whole answer came.
            QuotaExhausted: There is no room for it soon enough.
            SessionError: The session was closed while the request waited for the quota.
        """
        call = self._call
        url = self._origin.url(call.path, call.query)
        if call.content_type:
            headers = CIMultiDict(headers, **{hdrs.CONTENT_TYPE: call.content_type})
        self._permit = await self._wait_for_quota()
        deadline = asyncio.timeout(None)
        try:
            if http.closed:
                raise SessionError("the session is closed")
            self._watch.sent()
            async with deadline:
                deadlines.set(deadline, self._sent_at + self._options.timeout)
                response = await http.request(
                    call.method,
                    url,
                    data=call.body,
                    headers=headers,
                    allow_redirects=False,  # a redirect would take the credentials along
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=timeout,
                    middlewares=(self._meter,),
                )
                body = await response.read()
            self._watch.answered(response.status, self._seconds_since_sent())
            return Answer(status=response.status, headers=response.headers, body=body)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._failure(error)
        finally:
            deadlines.lift(deadline)
            self._permit.unsent()  # if nothing was said of it: the request did not come to be sent
        # Raised out here so that aiohttp's error is no part of it: some carry the request's credentials.
        raise failure

    async def _meter(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The innermost middleware: every physical send passes here, aiohttp's silent resends included.

        Those are refused: a PUT may have been carried out already, and for reads there is the retry policy.
        """
        if self._broken is not None:
            raise self._broken
        permit = self._permit
        request.headers.update(self._origin.auth.headers())
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

    async def _wait_for_quota(self) -> Permit:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            permit = await self._limiter.acquire(
                lane=self._options.lane, endpoint=self._call.limit, max_wait=self._options.max_wait
            )
        finally:
            self._sent_at = clock()
            self.queued = self._sent_at - began
        self.sends += 1
        self._watch.waited(self.queued)
        return permit

    def _seconds_since_sent(self) -> float:
        return asyncio.get_running_loop().time() - self._sent_at

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
                return RequestTimeout(f"no whole answer within {self._options.timeout:g} seconds")
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
