"""From a call to its answer: through the quota, over the wire, and again when that makes sense."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeAlias, TypeVar

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from cyclesoft_async.errors import CycleSoftError, RequestError, SessionError
from cyclesoft_async.quota import FixedLimiter, Limiter
from cyclesoft_async.snapshots import QuotaSnapshot

from .answers import Answer
from .attempt import Attempt
from .call import Call, CallOptions
from .deadlines import Deadlines
from .doubt import as_of_a_write, is_worth_a_look
from .events import OnEvent
from .origin import Origin
from .watching import Watch

T = TypeVar("T")
Find: TypeAlias = Callable[[], Awaitable[T | None]]


class Exchange:
    """The connection pool and the quota of one account, shared by a session and its copies."""

    def __init__(
        self,
        origin: Origin,
        limiter: Limiter | FixedLimiter,
        *,
        user_agent: str,
        connect_timeout: float,
        http_session: aiohttp.ClientSession | None,
        on_event: OnEvent | None,
    ) -> None:
        self._origin = origin
        self._limiter = limiter
        self._headers = CIMultiDict(
            {hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "gzip"}
        )
        # aiohttp's total would cost each request a timer; the deadlines share one.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._deadlines = Deadlines()
        self._http = http_session
        self._owns_http = http_session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_event = on_event
        self._numbers = count(1)
        self._closed = False

    @property
    def origin(self) -> Origin:
        """Where the requests go."""
        return self._origin

    def quota(self) -> QuotaSnapshot | None:
        """The quota as this client knows it; None when the answers tell nothing of it."""
        return self._limiter.snapshot()

    async def fetch(
        self, call: Call, read: Callable[[Answer], T], options: CallOptions, find: Find[T] | None = None
    ) -> T:
        """Send the call, again as `options.retries` allows, and give what `read` makes of the answer.

        Args:
            call: What to send.
            read: Reads an answer; raises a `RequestError` when it is none.
            options: How.
            find: For a write: looks whether it was carried out, and gives the answer that it would have had,
                or None. With it the write is repeated like a read, after a look wherever there is doubt.

        Raises:
            RequestError: It did not work out; one of its subclasses tells how.
            SessionError: The session is closed, or belongs to another event loop.
        """
        with Watch(next(self._numbers), call, self._origin, self._on_event) as watch:
            try:
                return await self._repeatedly(call, read, options, find, watch)
            except asyncio.CancelledError as error:
                error.__traceback__ = None  # for the same reason as below
                raise

    async def _repeatedly(
        self,
        call: Call,
        read: Callable[[Answer], T],
        options: CallOptions,
        find: Find[T] | None,
        watch: Watch,
    ) -> T:
        clock = asyncio.get_running_loop().time
        started = clock()
        slept = queued = 0.0
        sends = 0
        while True:
            watch.attempt += 1
            attempt = Attempt(call, self._origin, self._limiter, options, watch)
            try:
                return read(await attempt.run(self._open(), self._headers, self._timeout, self._deadlines))
            except RequestError as error:
                failure = error if call.is_read else as_of_a_write(error, call)
            sends += attempt.sends
            queued += attempt.queued
            delay = options.retries.delay(
                failure,
                is_read=call.is_read or find is not None,
                attempt=watch.attempt,
                elapsed=clock() - started - queued,
                draw=random.random(),  # noqa: S311 - spreads load, guards nothing
            )
            if delay is not None:
                watch.retried(failure, delay)
                slept += delay
                await asyncio.sleep(delay)
            if find is not None and is_worth_a_look(failure):
                found, is_sure = await _look(find)
                if found is not None:
                    return found
                delay = delay if is_sure else None
            if delay is None:
                watch.failed(failure)
                failure.in_call(
                    call.method, call.path, attempts=sends, waited=queued + slept, quota=self.quota()
                )
                # The frames below are aiohttp's and ours; their locals hold the query and the body.
                raise failure.with_traceback(None)

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


async def _look(find: Find[T]) -> tuple[T | None, bool]:
    """What there is, and whether that is sure."""
    try:
        return await find(), True
    except CycleSoftError:  # also that the session was closed meanwhile: the doubt matters more
        return None, False
