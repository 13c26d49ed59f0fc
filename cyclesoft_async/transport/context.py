"""State that the calls of a session share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NoReturn

import aiohttp
from aiohttp import hdrs
from msgspec import Struct

from cyclesoft_async._version import __version__
from cyclesoft_async.errors import SessionError
from cyclesoft_async.quota import FixedLimiter, Limiter

from .origin import Origin
from .proxy import environment_proxy
from .timeouts import Deadlines

__all__ = ["SessionContext"]


class _Headers(Struct):
    """Headers of every request. They hold the credentials, so `repr` does not show them."""

    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"_Headers({', '.join(self.values)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials cannot be pickled or copied: open a session where you need one")


class SessionContext:
    """State that the calls of a session share: origin, limiter, connections and deadlines.

    Attributes:
        loop: Event loop of the session. None before the first call, and after closing.
        http: aiohttp session. Set together with `loop`.
    """

    http: aiohttp.ClientSession

    def __init__(
        self,
        origin: Origin,
        limiter: Limiter | FixedLimiter,
        *,
        connect_timeout: float,
        max_response_bytes: int,
        http_session: aiohttp.ClientSession | None,
    ) -> None:
        self.origin = origin
        self.limiter = limiter
        self.max_response_bytes = max_response_bytes
        # aiohttp's total would cost each request a timer; the deadlines share one.
        self.timeout: aiohttp.ClientTimeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self.deadlines: Deadlines = Deadlines()
        self.headers: _Headers = _Headers(
            {
                hdrs.USER_AGENT: f"cyclesoft-async/{__version__} aiohttp/{aiohttp.__version__}",
                hdrs.ACCEPT: "application/json",
                hdrs.ACCEPT_ENCODING: "gzip",
                **origin.auth.headers(),
            }
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self._given = http_session
        self._closed = False

    def opened(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        """Return the aiohttp session, and open it at the first call.

        Raises:
            SessionError: The session is closed, or belongs to another event loop.
        """
        if self.loop is loop:
            return self.http
        if self._closed:
            raise SessionError("the session is closed")
        if self.loop is not None:
            raise SessionError("the session belongs to another event loop: open one in each")
        self.http = self._given or self._own_session()
        self.loop = loop
        return self.http

    def _own_session(self) -> aiohttp.ClientSession:
        origin = self.origin
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # max_concurrent is the limit
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=environment_proxy(origin.scheme, origin.host, origin.port),
        )

    async def aclose(self) -> None:
        """Close the connections, and fail the calls that wait for the quota."""
        self._closed, self.loop = True, None
        try:
            if self._given is None and hasattr(self, "http"):
                await self.http.close()
        finally:
            await self.limiter.aclose()
