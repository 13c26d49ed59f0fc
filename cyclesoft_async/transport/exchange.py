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
from .attempt import Attempts, Wire
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
        self._wire = Wire(
            origin=origin,
            limiter=limiter,
            headers=CIMultiDict(
                {hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "gzip"}
            ),
            # aiohttp's total would cost each request a timer; the deadlines share one.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
            deadlines=Deadlines(),
        )
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
        loop = asyncio.get_running_loop()  # asked for once: in Python 3.11 that is a system call
        with Watch(next(self._numbers), call, self._origin, self._on_event) as watch:
            attempts = Attempts(call, options, self._wire, watch, loop)
            try:
                while True:
                    try:
                        return read(await attempts.another(self._open(loop)))
                    except RequestError as error:
                        failure = error if call.is_read else as_of_a_write(error, call)
                    found = await self._after(failure, attempts, find)
                    if found is not None:
                        return found
            except asyncio.CancelledError as error:
                error.__traceback__ = None  # for the same reason as below
                raise

    async def _after(self, failure: RequestError, attempts: Attempts, find: Find[T] | None) -> T | None:
        """What `find` found after a failure; None when it is time for another attempt.

        Raises:
            RequestError: The failure itself: there is no other attempt.
        """
        call, watch = attempts.call, attempts.watch
        delay = attempts.options.retries.delay(
            failure,
            is_read=call.is_read or find is not None,
            attempt=watch.attempt,
            elapsed=attempts.loop.time() - attempts.began_at - attempts.queued,
            draw=random.random(),  # noqa: S311 - spreads load, guards nothing
        )
        if delay is not None:
            watch.retried(failure, delay)
            attempts.slept += delay
            await asyncio.sleep(delay)
        if find is not None and is_worth_a_look(failure):
            found, is_sure = await _look(find)
            if found is not None:
                return found
            delay = delay if is_sure else None
        if delay is None:
            watch.failed(failure)
            waited = attempts.queued + attempts.slept
            failure.in_call(
                call.method, call.path, attempts=attempts.sends, waited=waited, quota=self.quota()
            )
            # The frames below are aiohttp's and ours; their locals hold the query and the body.
            raise failure.with_traceback(None)
        return None

    def _open(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        if self._closed:
            raise SessionError("the session is closed")
        if self._loop is not loop:
            if self._loop is not None:
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
