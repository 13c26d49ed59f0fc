"""API servers that want to stall the event loop, fill the memory or break out of the tree of errors."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import zlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, TypeAlias

import pytest

from tests.support.http_server import ONCE, session

Answer: TypeAlias = Callable[[StreamWriter], Awaitable[None]]

MEBIBYTE = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Outcome(NamedTuple):
    """What a client reports."""

    ends: dict[str, str]
    stall: float
    peak: int


@asynccontextmanager
async def serving(answer: Answer) -> AsyncGenerator[str]:
    """Run a server that reads each request's head and then answers in its own way."""

    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await reader.readuntil(b"\r\n\r\n"):
                    await answer(writer)
        finally:
            writer.transport.abort()

    def connected(reader: StreamReader, writer: StreamWriter) -> None:
        connections.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def attacked(url: str, *, at_once: bool = False) -> Outcome:
    """Run a client in a process of its own, so that its memory can be measured."""
    options = ["--at-once"] if at_once else []
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.hostile_client",
        url,
        *options,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        printed, _ = await client.communicate()
    return Outcome(**json.loads(printed))


def sends(*pieces: bytes, close: bool = False) -> Answer:
    async def answer(writer: StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            writer.close()

    return answer


def repeats(head: bytes, piece: bytes, *, pause: float = 0.0) -> Answer:
    async def answer(writer: StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def body(content: bytes, *headers: bytes) -> Answer:
    head = b"\r\n".join((b"Content-Length: %d" % len(content), *headers, b"", b""))
    return sends(OK + head, content)


def inflating(mebibytes: int, *, wbits: int = 31) -> bytes:
    """Zeros, a thousandth of their size. The checksum is of the first two: no client should come to it."""
    packer = zlib.compressobj(9, wbits=wbits)
    first, same = (packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + same * (mebibytes - 1) + packer.flush()


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DEEP = 100_000
LONG_TEXT = b'"' + b"x" * (10 * MEBIBYTE) + b'"'

HOSTILE: dict[str, Callable[[], Answer]] = {
    "a byte of the head at a time": lambda: repeats(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", pause=0.05),
    "informational heads without end": lambda: repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a head without end": lambda: repeats(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n" * 100),
    "a header of ten megabytes": lambda: sends(OK + b"X-Giant: " + b"x" * (10 * MEBIBYTE) + b"\r\n\r\n"),
    "cookies without number": lambda: sends(
        OK + b"".join(b"Set-Cookie: c%d=1\r\n" % number for number in range(100_000)) + b"\r\n"
    ),
    "a byte of the body at a time": lambda: repeats(
        OK + b"Content-Length: 9999999\r\n\r\n", b" ", pause=0.05
    ),
    "a body without end": lambda: repeats(CHUNKED, b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"),
    "an error's body without end": lambda: repeats(
        CHUNKED.replace(b"200 OK", b"500 Error"), b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    ),
    "tiny chunks without end": lambda: repeats(CHUNKED, b"1\r\n \r\n" * 10_000),
    "a chunk's size without end": lambda: repeats(CHUNKED, b"0" * 65_536),
    "a gzip bomb": lambda: body(inflating(900), b"Content-Encoding: gzip"),
    "empty gzip members": lambda: body(gzip.compress(b"") * 100_000, b"Content-Encoding: gzip"),
    "gzip members below a slice": lambda: body(
        gzip.compress(bytes(200_000)) * 1_000, b"Content-Encoding: gzip"
    ),
    "a gzip bomb in gzip": lambda: body(gzip.compress(inflating(900)), b"Content-Encoding: gzip, gzip"),
    "a deflate bomb": lambda: body(inflating(900, wbits=15), b"Content-Encoding: deflate"),
    "brotli that is none": lambda: body(b"\x1b" + b"\xff" * 999, b"Content-Encoding: br"),
    "zstd that is none": lambda: body(b"\x28\xb5\x2f\xfd" + b"\xff" * 999, b"Content-Encoding: zstd"),
    "a body that is cut off": lambda: sends(OK + b"Content-Length: 999\r\n\r\n" + b'{"data": [', close=True),
    "a length that is no number": lambda: sends(OK + b"Content-Length: many\r\n\r\n{}"),
    "two lengths": lambda: sends(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", close=True),
    "a redirect to elsewhere": lambda: sends(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:9/\r\nContent-Length: 0\r\n\r\n"
    ),
    "arrays in arrays": lambda: body(b"[" * DEEP + b"]" * DEEP),
    "objects in objects": lambda: body(b'{"data":' * DEEP + b"1" + b"}" * DEEP),
    "arrays in a row": lambda: body(b'{"data": [{"workshop_order_id": ' + b"[" * DEEP + b"]" * DEEP + b"}]}"),
    "a number of a million digits": lambda: body(b'{"workshop_order_id": ' + b"9" * 1_000_000 + b"}"),
    "a number out of every range": lambda: body(b'{"error": 1e999999999, "workshop_order_id": 1e999999999}'),
    "objects after blanks": lambda: body(b" " * 99 + b"[" + b"{}," * 3_000_000 + b"{}]"),
    "error: true as text": lambda: body(b'{"error": "true", "error_message": ' + LONG_TEXT + b"}"),
    "error: 1": lambda: body(b'{"error": 1, "error_message": [[[{"a": ' + LONG_TEXT + b"}]]]}"),
    "an object of three million": lambda: body(b'{"a": [' + b"{}," * 3_000_000 + b"{}]}"),
    "a million orders": lambda: body(b'{"data": [' + b'{"workshop_order_id":1},' * 1_000_000 + b"{}]}"),
    "twelve million zeros": lambda: body(b'{"error": true, "data": [' + b"0," * 12_000_000 + b"0]}"),
    "numbers for rows": lambda: body(b'{"data": [' + b"1," * 60_000 + b"1]}"),
    "millions of numbers for rows": lambda: body(b'{"data": [' + b"1," * 12_000_000 + b"1]}"),
    "rows without ids": lambda: body(b'{"data": [' + b"{}," * 80_000 + b"{}]}"),
    "many rows and a number": lambda: body(b'{"data": [' + b'{"workshop_order_id":1},' * 40_000 + b"1]}"),
    "ten million objects": lambda: body(b'{"error": true, "data": [' + b"{}," * 10_000_000 + b"{}]}"),
    "TLS": lambda: sends(b"\x15\x03\x03\x00\x02\x02\x28" * 99, close=True),
    "random bytes": lambda: sends(zlib.compress(bytes(range(256)) * 99), close=True),
    "another protocol": lambda: sends(b"SSH-2.0-OpenSSH_9.2\r\n", close=True),
}

ENDLESS = {
    "a byte of the head at a time",
    "informational heads without end",
    "a byte of the body at a time",
    "a chunk's size without end",
}
"""Only a timeout ends these calls, so all are made at once where that adds up no stalls."""

# From 3.14 on, the C stack limits nesting, not a count: what a model leaves out can be nested this deeply.
HARMLESS_NESTING = {"objects in objects", "arrays in a row"} if sys.version_info >= (3, 14) else set[str]()
HARMLESS_OBJECTS = {
    "a number of a million digits",
    "a number out of every range",
    "an object of three million",
    "numbers for rows",
    "rows without ids",
    "many rows and a number",
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_server_is_an_error_at_a_bounded_cost(kind: str) -> None:
    answer = await asyncio.to_thread(HOSTILE[kind])
    async with serving(answer) as url:
        outcome = await attacked(url, at_once=kind in ENDLESS)
    assert len(outcome.ends) == 5
    # An object is enough where nothing was promised.
    allowed = {"write"} if kind in HARMLESS_OBJECTS else set[str]()
    if kind in HARMLESS_NESTING:
        allowed = {"list", "write"}
    assert {name for name, end in outcome.ends.items() if end == "success"} <= allowed, outcome
    assert not [end for end in outcome.ends.values() if end.startswith("NOT")], outcome
    assert outcome.stall < 0.2, outcome
    assert outcome.peak < 150 * MEBIBYTE, outcome


async def test_a_plain_server_behind_https_is_an_error() -> None:
    async with serving(sends(b"\x00" * 999, close=True)) as url:
        outcome = await attacked(url.replace("http:", "https:"), at_once=True)
    assert set(outcome.ends.values()) == {"ConnectError"}


async def test_a_second_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    order = b'{"workshop_order_id": %d}'

    async def answer(writer: StreamWriter) -> None:
        for number in (1, 666):
            content = order % number
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()

    async with serving(answer) as url, session(url, retries=ONCE) as cs:
        for _ in range(3):
            found = await cs.workshop_orders.get(24, 1)
            assert found.workshop_order_id == 1
