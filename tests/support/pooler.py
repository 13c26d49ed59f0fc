"""A pooler before PostgreSQL, as PgBouncer in transaction mode: another connection for every transaction."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import cycle

from psycopg.conninfo import conninfo_to_dict

_SERVERS = 2
_IDLE = b"I"
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def pooled(url: str) -> AsyncGenerator[str]:
    """The URL of a pooler before the database at this URL."""
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    servers: list[_Streams] = []
    greeting = b""
    for _ in range(_SERVERS):
        reader, writer = await asyncio.open_unix_connection(f"{given['host']}/.s.PGSQL.5432")
        writer.write(_startup(user=given["user"], database=given["dbname"]))
        greeting = b""
        while not greeting.endswith(b"Z\0\0\0\x05I"):
            greeting += await _message(reader)
        servers.append((reader, writer))
    turn = cycle(servers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(reader, writer, greeting, turn)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://{given['user']}@127.0.0.1:{port}/{given['dbname']}?sslmode=disable"
    finally:
        listener.close()
        for _, writer in servers:
            writer.close()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: bytes, turn: "cycle[_Streams]"
) -> None:
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    startup = await reader.readexactly(length - 4)
    if b"\0options\0" in startup:
        reason = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
        writer.write(b"E" + struct.pack("!i", len(reason) + 4) + reason)
        await writer.drain()
        return
    writer.write(greeting)
    while True:
        # One transaction: until the server is idle again.
        server_reader, server_writer = next(turn)
        status = b""
        while status != _IDLE:
            message = await _message(reader)
            if message[:1] == b"X":
                return
            server_writer.write(message)
            if message[:1] in {b"Q", b"S"}:  # a query, or the end of some messages: the server answers
                answer = b""
                while answer[:1] != b"Z":
                    answer = await _message(server_reader)
                    writer.write(answer)
                status = answer[-1:]
                await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head + await reader.readexactly(length - 4)


def _startup(**parameters: str) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    body = struct.pack("!i", 196_608) + pairs + b"\0"
    return struct.pack("!i", len(body) + 4) + body
