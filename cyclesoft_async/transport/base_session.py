"""Lifecycle of a session with an API: what the session of CycleSoftware and the bridges have in common."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .client import ApiClient


class BaseSession:
    """Base of sessions with an API: closes its client, also as an asynchronous context manager."""

    _client: ApiClient

    async def aclose(self) -> None:
        """Close the connections, for all copies too. An aiohttp session of yours stays open.

        Calls that wait for the quota raise `SessionError`.
        """
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        shown = repr(self._client.origin.base_url) if hasattr(self, "_client") else ""
        return f"{type(self).__name__}({shown})"
