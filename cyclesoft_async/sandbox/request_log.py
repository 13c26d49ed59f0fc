"""Log of the requests that reached the API of a sandbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from aiohttp import web

_KEPT: Final = 10_000
_SECRETS: Final = ("password", "secret", "api_key", "apikey", "authorization")


class LoggedRequest(NamedTuple):
    """A request and the status of its response. Headers are not kept: they hold credentials."""

    method: str
    path: str
    query: str
    """As sent, without the question mark."""
    body: bytes
    status: int


class RequestLog:
    """The latest 10,000 requests, oldest first.

    A request with other credentials than the sandbox's may be meant for a real account: its query and body
    are not kept. Neither is a query that names a secret.
    """

    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._requests)

    def __getitem__(self, index: int) -> LoggedRequest:
        return self._requests[index]

    def clear(self) -> None:
        """Forget all requests."""
        self._requests.clear()

    async def note(self, request: web.Request, status: int, *, is_ours: bool) -> None:
        """Add a request.

        Args:
            request: The request.
            status: Status of its response.
            is_ours: It has the sandbox's credentials.
        """
        query = request.rel_url.raw_query_string
        has_secret = any(name in _SECRETS for name in map(str.lower, request.query))
        self._requests.append(
            LoggedRequest(
                method=request.method,
                path=request.rel_url.raw_path,
                query=query if is_ours and not has_secret else "",
                body=await _body(request) if is_ours else b"",
                status=status,
            )
        )


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except (web.HTTPException, web.RequestPayloadError, ConnectionError):
        return b""  # too large, malformed, or gone
