"""Servers with prepared responses, sessions that call them, and the vendor's examples."""

from __future__ import annotations

import asyncio
import json
import pickle
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from traceback import TracebackException
from typing import Literal, NamedTuple, TypeVar

import aiohttp
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import CycleSoftError
from tests.support.paths import DATA

from .loopback import served

E = TypeVar("E", bound=CycleSoftError)

USERNAME, PASSWORD = "winkel", "canary-zX9-password"
AUTHORIZATION = "Basic d2lua2VsOmNhbmFyeS16WDktcGFzc3dvcmQ="
SECRETS = (PASSWORD, AUTHORIZATION, AUTHORIZATION.removeprefix("Basic "))

AT_ONCE = RetryPolicy(first_delay=0.0)
ONCE = RetryPolicy.none()

ORDERS = "/api/v1/workshop/orders.json"


def session(
    url: str,
    *,
    retries: RetryPolicy = AT_ONCE,
    timeout: float = 60.0,
    connect_timeout: float = 10.0,
    http_session: aiohttp.ClientSession | None = None,
) -> CycleSoftSession:
    """Return a session that does not sleep between attempts."""
    return CycleSoftSession(
        USERNAME,
        PASSWORD,
        base_url=url,
        retries=retries,
        timeout=timeout,
        connect_timeout=connect_timeout,
        http_session=http_session,
    )


def example(name: str) -> bytes:
    """An example of the vendor's page, e.g. "get-workshop-order-response"."""
    return (DATA / "examples" / f"workshop-orders-{name}.json").read_bytes()


def wire(value: object) -> bytes:
    """Return the value as JSON."""
    return json.dumps(value).encode()


def page(*rows: object, next_url: str | None = None) -> bytes:
    """Return a response of the list endpoint."""
    return wire({"error": False, "error_message": None, "data": rows, "pagination": {"next_url": next_url}})


class Reply(NamedTuple):
    """A prepared response."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = {"Content-Type": "application/json"}


class Request(NamedTuple):
    """A request as the server received it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Answering:
    """A running server: its base URL, and its requests."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.asked = asyncio.Event()

    def saw(self, request: Request) -> int:
        """Record a request, and return the number of requests."""
        self.requests.append(request)
        self.asked.set()
        return len(self.requests)


@asynccontextmanager
async def answering(*replies: Reply | bytes) -> AsyncGenerator[Answering]:
    """Run a server that gives these responses in order, and repeats the last one."""
    server = Answering()

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        count = server.saw(Request(request.method, request.raw_path, dict(request.headers), body))
        reply = replies[min(count, len(replies)) - 1]
        if isinstance(reply, bytes):
            reply = Reply(reply)
        return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)

    async with served(handle) as server.url:
        yield server


class Raw(NamedTuple):
    """Reaction of a server to a request: bytes to write, and what follows."""

    data: bytes = b""
    then: Literal["close", "keep", "hang", "reset"] = "close"


def http(body: bytes, *, length: int | None = None, head: str = "HTTP/1.1 200 OK") -> bytes:
    """Return a complete response. `length` overrides its Content-Length."""
    claimed = len(body) if length is None else length
    return f"{head}\r\nContent-Type: application/json\r\nContent-Length: {claimed}\r\n\r\n".encode() + body


@asynccontextmanager
async def raw_server(*script: Raw) -> AsyncGenerator[Answering]:
    """Run a server below HTTP: follows the script request by request, and repeats its last line."""
    server = Answering()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await reader.readexactly(int(headers.get("Content-Length", "0")))
            method, target, _ = first.split(" ")
            count = server.saw(Request(method, target, headers, body))
            act = script[min(count, len(script)) - 1]
            writer.write(act.data)
            if act.then == "hang":
                await reader.read()
            if act.then == "reset":
                lingering = struct.pack("ii", 1, 0)  # close with a reset
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            if act.then != "keep":
                return

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client disconnected
        finally:
            writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server


async def failure(call: Awaitable[object], expected: type[E]) -> E:
    """Return the error that the call raises, which must have exactly this class."""
    with pytest.raises(expected) as caught:
        await call
    assert type(caught.value) is expected
    return caught.value


async def somebody_waits(cs: CycleSoftSession) -> None:
    """Yield to other tasks until a call waits for the quota."""
    for _ in range(1_000):
        if cs.quota.waiting:
            return
        await asyncio.sleep(0)
    pytest.fail("no call waits")


def pickled(error: E) -> E:
    """Return the error after pickling and unpickling."""
    copied: object = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(copied, type(error))
    return copied


def everything_shown(error: BaseException) -> str:
    """Return all that a log could show of an error: message, attributes, causes, frames with locals."""
    told = TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join([*told.format(), repr(error), repr(vars(error)), repr(error.args)])
