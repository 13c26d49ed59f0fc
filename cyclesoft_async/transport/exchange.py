"""From a call to its answer: through the quota, over the wire, and again when that makes sense."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs

from cyclesoft_async.errors import (
    AmbiguousWriteError,
    ConnectError,
    NameResolutionError,
    RequestError,
    RequestTimeout,
    SessionError,
    TransportError,
)
from cyclesoft_async.quota import Limiter, Permit
from cyclesoft_async.snapshots import QuotaSnapshot

from .answers import Answer
from .call import Call, CallOptions
from .origin import Origin

T = TypeVar("T")

# What aiohttp raises when no connection came about, so that the server can't have seen the request.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Exchange:
    """The connection pool and the quota of one account, shared by a session and its copies."""

    def __init__(
        self,
        origin: Origin,
        limiter: Limiter,
        *,
        user_agent: str,
        connect_timeout: float,
        http_session: aiohttp.ClientSession | None,
    ) -> None:
        self._origin = origin
        self._limiter = limiter
        self._headers: dict[str, str] = {
            hdrs.USER_AGENT: user_agent,
            hdrs.ACCEPT: "application/json",
            hdrs.ACCEPT_ENCODING: "gzip",
        }
        # aiohttp's total would run while a request waits for the quota; `_Attempt` keeps the time instead.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._http = http_session
        self._owns_http = http_session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def origin(self) -> Origin:
        """Where the requests go."""
        return self._origin

    def quota(self) -> QuotaSnapshot:
        """The quota as this client knows it."""
        return self._limiter.snapshot()

    async def fetch(self, call: Call, read: Callable[[Answer], T], options: CallOptions) -> T:
        """Send the call, again as `options.retries` allows, and give what `read` makes of the answer.

        Raises:
            RequestError: It did not work out; one of its subclasses tells how.
            SessionError: The session is closed, or belongs to another event loop.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        slept = queued = 0.0
        attempt = sends = 0
        while True:
            attempt += 1
            sending = _Attempt(call, self._origin, self._limiter, options)
            try:
                return read(await sending.run(self._open(), self._headers, self._timeout))
            except RequestError as error:
                failure = error
            sends += sending.sends
            queued += sending.queued
            delay = options.retries.delay(
                failure,
                is_read=call.is_read,
                attempt=attempt,
                elapsed=clock() - started - queued,
                draw=random.random(),  # noqa: S311 - spreads load, guards nothing
            )
            if delay is None:
                failure.in_call(
                    call.method, call.path, attempts=sends, waited=queued + slept, quota=self.quota()
                )
                # The frames below are aiohttp's and ours; their locals hold the query and the body.
                raise failure.with_traceback(None)
            slept += delay
            await asyncio.sleep(delay)

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise SessionError("the session is closed")
        if self._loop not in {None, loop}:
            raise SessionError("the session belongs to another event loop: open one in each")
        self._loop = loop
        if self._http is None:
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        if self._http.closed:
            raise SessionError("the aiohttp session that was passed in is closed")
        return self._http

    async def aclose(self) -> None:
        """Close the connections; an aiohttp session of the caller's stays open."""
        self._closed = True
        if self._owns_http and self._http is not None:
            await self._http.close()


class _Attempt:
    """One attempt: the request is sent once, or not at all."""

    def __init__(self, call: Call, origin: Origin, limiter: Limiter, options: CallOptions) -> None:
        self._call = call
        self._origin = origin
        self._limiter = limiter
        self._options = options
        self._deadline = asyncio.timeout(None)
        self._broken: Exception | None = None
        self.sends = 0
        self.queued = 0.0
        """Seconds spent waiting for the quota."""

    async def run(
        self, http: aiohttp.ClientSession, headers: dict[str, str], timeout: aiohttp.ClientTimeout
    ) -> Answer:
        """Send and read the whole answer.

        Raises:
            TransportError: No whole answer came.
            QuotaExhausted: There is no room for it soon enough.
        """
        call = self._call
        if call.content_type:
            headers = {**headers, hdrs.CONTENT_TYPE: call.content_type}
        try:
            async with (
                self._deadline,
                http.request(
                    call.method,
                    self._origin.url(call.path, call.query),
                    data=call.body,
                    headers=headers,
                    allow_redirects=False,  # a redirect would take the credentials along
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=timeout,
                    middlewares=(self._meter,),
                ) as response,
            ):
                body = await response.read()
                return Answer(status=response.status, headers=response.headers, body=body)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._failure(error)
        # Raised out here so that aiohttp's error is no part of it: some carry the request's credentials.
        raise failure

    async def _meter(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The innermost middleware: every physical send passes here, aiohttp's silent resends included.

        Those are refused: a PUT may have been carried out already, and for reads there is the retry policy.
        """
        if self._broken is not None:
            raise self._broken
        permit = await self._wait_for_quota()
        request.headers[hdrs.AUTHORIZATION] = self._origin.authorization()
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
        self._deadline.reschedule(None)
        began = clock()
        try:
            permit = await self._limiter.acquire(
                lane=self._options.lane, endpoint=self._call.limit, max_wait=self._options.max_wait
            )
        finally:
            self.queued += clock() - began
        self.sends += 1
        self._deadline.reschedule(clock() + self._options.timeout)
        return permit

    def _failure(self, error: aiohttp.ClientError | OSError) -> TransportError:
        """The error of our tree, in words that hold neither credentials nor query values."""
        match error:
            case aiohttp.ClientConnectorDNSError():
                return NameResolutionError(f"the host name {error.host!r} does not resolve")
            case aiohttp.ConnectionTimeoutError():
                return ConnectError("the server did not accept a connection in time")
            case aiohttp.ClientConnectorError():
                return ConnectError(
                    f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
                )
            case _:
                broken = self._no_answer(error)
        if self._call.is_read:
            return broken
        return AmbiguousWriteError(f"{broken.reason}; the server may or may not have carried it out")

    def _no_answer(self, error: aiohttp.ClientError | OSError) -> TransportError:
        match error:
            case TimeoutError():
                return RequestTimeout(f"no whole answer within {self._options.timeout:g} seconds")
            case aiohttp.ClientPayloadError():
                return TransportError("the answer's body broke off or could not be unpacked")
            case aiohttp.ServerDisconnectedError():
                return TransportError("the server closed the connection without an answer")
            case aiohttp.ClientResponseError():
                return TransportError("the answer is not HTTP")
            case _:
                return TransportError(f"the connection broke: {type(error).__name__}")
