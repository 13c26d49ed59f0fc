"""The connections of a session: opened when first needed, closed with it, and of one event loop."""

from __future__ import annotations

import asyncio

import aiohttp

from cyclesoft_async.errors import SessionError

__all__ = ["Connections"]


class Connections:
    """A pool of its own, or an aiohttp session of the caller's, which stays open."""

    def __init__(self, http_session: aiohttp.ClientSession | None) -> None:
        self._http = http_session
        self._is_ours = http_session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def opened(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        """What to send with at this moment.

        Raises:
            SessionError: It is closed, or belongs to another event loop.
        """
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
        """Let nobody send any more."""
        self._closed = True
        if self._is_ours and self._http is not None:
            await self._http.close()
