"""ASGI application of a receiver, for Starlette, FastAPI, Django and other frameworks.

Specification: https://asgi.readthedocs.io/en/latest/specs/main.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias, cast

import msgspec

from .intake import METRICS_TYPE, UNAVAILABLE, Answer, Intake, vendor_headers

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

# As Starlette types them. Its scopes and messages have values of any type.
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

# Starlette's applications take any mapping for a scope, Django's a dict. Django sends any mapping.
SendOn: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[dict[str, Any], Receive, SendOn], Awaitable[None]]

_READ_SECONDS: Final = 30.0
_MOST_HELD: Final = 32 * 1024 * 1024
_METRICS: Final = (b"content-type", METRICS_TYPE.encode())
_JSON: Final = (b"content-type", b"application/json")


class _SenderGoneError(Exception):
    """The sender closed the connection in the middle of its body."""


class AsgiReceiver:
    """Receives webhooks at a path, and passes all other requests on.

    Args:
        intake: Takes deliveries.
        app: Gets all other requests, or None.
        path: Where to receive.
        max_bytes: The largest body.
    """

    def __init__(self, intake: Intake, app: AsgiApp | None, path: str, max_bytes: int) -> None:
        self._intake = intake
        self._app = app
        self._path = path.rstrip("/")
        self._max_bytes = max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or the application's lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        below = self._below_path(scope)
        if scope["type"] == "http" and below is not None:
            await self._serve(scope["method"], below, scope, receive, send)
        elif self._app is not None:
            await self._app(dict(scope), receive, cast("SendOn", send))
        elif scope["type"] == "http":
            await _send(send, Answer(404, {}))
        else:
            await send({"type": "websocket.close", "code": 1000})

    def _below_path(self, scope: Scope) -> str | None:
        """Return the part of the request's path below the receiver's. None: it is another path."""
        path: str = scope["path"]
        prefixes = [self._path]
        if self._app is None:
            prefixes.append(scope.get("root_path", "").rstrip("/"))
        for prefix in prefixes:
            below = path.removeprefix(prefix).rstrip("/")
            if path.startswith(prefix) and below in {"", *_REPORTS}:
                return below
        return None

    async def _serve(self, method: str, below: str, scope: Scope, receive: Receive, send: Send) -> None:
        if below:
            await self._report(method, below, send)
        elif method != "POST":
            await _send(send, Answer(405, {"Allow": "POST"}))
        else:
            try:
                answer = await self._receive(scope, receive)
            except _SenderGoneError:
                return
            await _send(send, answer)

    async def _receive(self, scope: Scope, receive: Receive) -> Answer:
        headers: Sequence[tuple[bytes, bytes]] = list(scope["headers"])
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_bytes:
                return Answer(413, _CLOSE)
            if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
                return Answer(415, _CLOSE)  # ASGI servers do not inflate, and the signature is of JSON
        body = bytearray()
        try:
            async with asyncio.timeout(_READ_SECONDS):
                async for piece in _pieces(receive):
                    self._held += len(piece)
                    body += piece
                    if len(body) > self._max_bytes:
                        return Answer(413, _CLOSE)
                    if self._held > _MOST_HELD:
                        return Answer(503, {**UNAVAILABLE.headers, **_CLOSE})
        except TimeoutError:
            return Answer(408, _CLOSE)
        finally:
            self._held -= len(body)
        return await self._intake.take(bytes(body), vendor_headers(headers), None)

    async def _report(self, method: str, below: str, send: Send) -> None:
        if method not in {"GET", "HEAD"}:
            await _send(send, Answer(405, {"Allow": "GET, HEAD"}))
            return
        if below == "/metrics":
            text = (await self._intake.metrics_text()).encode()
            await _send(send, Answer(200, {}), b"" if method == "HEAD" else text, _METRICS)
            return
        health = self._intake.running.health
        problems = {
            "/health/live": list[str],
            "/health/ready": health.storage_problems,
            "/health": health.problems,
        }[below]()
        content = msgspec.json.encode({"status": "; ".join(problems) or "ok"})
        await _send(send, Answer(503 if problems else 200, {}), b"" if method == "HEAD" else content)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        inner = None if self._app is None else _InnerLifespan(self._app, scope)
        try:
            await self._intake.start()
            try:
                problem = None if inner is None else await inner.startup()
            except BaseException:
                await self._intake.stop()
                raise
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        if problem is not None:
            await self._intake.stop()
            await send({"type": "lifespan.startup.failed", "message": problem})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if inner is not None:
            await inner.shutdown()
        await self._intake.stop()
        await send({"type": "lifespan.shutdown.complete"})


class _InnerLifespan:
    """Lifespan of the wrapped application, if it has one.

    Args:
        app: The application.
        scope: Given on to it; both share its state.
    """

    def __init__(self, app: AsgiApp, scope: Scope) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._task = asyncio.ensure_future(app(dict(scope), self._to_app.get, self._from_app.put))

    async def startup(self) -> str | None:
        """Start the application. Return why it failed to start."""
        answer = await self._exchange("lifespan.startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            return str(answer.get("message") or "the wrapped application failed to start")
        return None

    async def shutdown(self) -> None:
        """Stop the application."""
        if not self._task.done():
            await self._exchange("lifespan.shutdown")
            await asyncio.wait({self._task})
        if not self._task.cancelled() and self._task.exception() is not None:
            logger.debug("the wrapped application does not answer lifespan events")

    async def _exchange(self, kind: str) -> Mapping[str, Any] | None:
        """Send an event. Return the answer; None when the application has ended instead."""
        await self._to_app.put({"type": kind})
        answer = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None


_REPORTS: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
_CLOSE: Final = {"Connection": "close"}


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _SenderGoneError
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _send(send: Send, answer: Answer, content: bytes = b"", type_: tuple[bytes, bytes] = _JSON) -> None:
    headers: Iterable[tuple[bytes, bytes]] = _encoded(answer.headers)
    if content:
        headers = (*headers, type_)
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": content})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
