"""From a call to its answer: through the quota, over the wire, and again when that makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeAlias, TypeVar

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from cyclesoft_async.errors import AmbiguousWriteError, CycleSoftError, RequestError, SessionError
from cyclesoft_async.quota import FixedLimiter, Limiter

from .attempt import Attempts, Wire
from .connections import Connections
from .error_mapping import as_of_a_write, is_worth_a_look
from .events import OnEvent
from .instrumentation import Watch
from .origin import Origin
from .request import Call, CallOptions
from .response import Answer
from .timeouts import Deadlines

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
        self._wire = Wire(
            origin=origin,
            limiter=limiter,
            connections=Connections(http_session),
            headers=CIMultiDict(
                {hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "gzip"}
            ),
            # aiohttp's total would cost each request a timer; the deadlines share one.
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout),
            deadlines=Deadlines(),
        )
        self._on_event = on_event
        self._numbers = count(1)

    @property
    def origin(self) -> Origin:
        """Where the requests go."""
        return self._wire.origin

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
            SessionError: The session is closed, or belongs to another event loop, and nothing is in doubt.
        """
        loop = asyncio.get_running_loop()  # asked for once: in Python 3.11 that is a system call
        with Watch(next(self._numbers), call, self._wire.origin, self._on_event) as watch:
            attempts = Attempts(call, options, self._wire, watch, loop, loop.time(), options.max_wait)
            try:
                while True:
                    try:
                        return read(await attempts.another())
                    except RequestError as error:
                        failure = error if call.is_read else as_of_a_write(error, call)
                    except SessionError as error:
                        if attempts.doubt is None:
                            raise
                        failure = RequestError(str(error))  # of no class of its own: the doubt matters more
                    found = await _after(failure, attempts, find)
                    if found is not None:
                        return found
            except asyncio.CancelledError as error:
                error.__traceback__ = None  # its frames hold what those of an attempt that ended do
                raise

    async def aclose(self) -> None:
        """Close the connections, but for the caller's aiohttp session, and refuse the calls that wait."""
        try:
            await self._wire.connections.aclose()
        finally:
            await self._wire.limiter.aclose()


async def _after(failure: RequestError, attempts: Attempts, find: Find[T] | None) -> T | None:
    """What `find` found after a failure; None when it is time for another attempt.

    Raises:
        RequestError: The failure itself: there is no other attempt.
    """
    goes_on = await attempts.rest(failure, may_repeat=attempts.call.is_read or find is not None)
    if find is not None and is_worth_a_look(failure):
        began = attempts.loop.time()
        found, is_sure = await _look(find)
        if found is not None:
            return found
        attempts.looked += attempts.loop.time() - began
        goes_on = goes_on and is_sure
    if not goes_on:
        raise attempts.ended(failure)
    if isinstance(failure, AmbiguousWriteError):
        attempts.doubt = failure
    return None


async def _look(find: Find[T]) -> tuple[T | None, bool]:
    """What there is, and whether that is sure."""
    try:
        return await find(), True
    except CycleSoftError:  # also that the session was closed meanwhile: the doubt matters more
        return None, False
