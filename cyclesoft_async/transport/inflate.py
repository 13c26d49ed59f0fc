"""Response bodies: read and decompressed up to a size, in slices that let the event loop run.

A few hundred kilobytes of gzip can hold a gigabyte, and aiohttp would inflate them in one go.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from aiohttp import ClientResponse
from aiohttp.compression_utils import ZLibBackend, ZLibDecompressObjProtocol
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_LENGTH

from cyclesoft_async.errors import ResponseTooLarge, TransportError

__all__ = ["is_small", "read_limited"]

_SLICE = 256 * 1024
_CHUNK = 64 * 1024
_MOST_VALUES = 125_000  # as objects, 50 MB of decoded orders; the largest pages have some thousands
_BYTES_PER_VALUE = 512
_MOST_MEMBERS = 1_024  # as aiohttp; servers send one
_GZIP = frozenset({"gzip", "x-gzip"})
_UNSUPPORTED = frozenset({"br", "zstd", "compress"})


def is_small(headers: Mapping[str, str], limit: int) -> bool:
    """Whether a body is uncompressed, and by its Content-Length within all limits."""
    length = headers.get(CONTENT_LENGTH)
    # aiohttp has checked that these are digits of a 64-bit number.
    return length is not None and int(length) <= min(limit, _MOST_VALUES) and CONTENT_ENCODING not in headers


async def read_limited(response: ClientResponse, limit: int) -> bytes:
    """Read and decompress a body. That of an error status is empty if it is too large.

    Args:
        response: Response that aiohttp does not decompress.
        limit: Largest size in bytes, compressed and decompressed.

    Raises:
        ResponseTooLarge: The body is larger, or would be once it is decoded. The connection is closed.
        TransportError: The body cannot be decompressed.
    """
    try:
        packed = await _read_packed(response, limit)
        return _checked(await _decompress(packed, response, limit), limit, response.status)
    except ResponseTooLarge:
        response.close()
        if response.ok:
            raise
        return b""  # the status says enough
    except BaseException:
        response.close()  # its connection cannot be used again
        raise


async def _read_packed(response: ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            chunks.clear()  # the error's traceback would hold them
            raise _too_large(response.status, limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _decompress(packed: bytes, response: ClientResponse, limit: int) -> bytes:
    encoding = response.headers.get(CONTENT_ENCODING, "identity").strip().lower()
    if encoding == "identity" or not packed:
        return packed
    return await _inflate(packed, _window_bits(encoding, packed), limit, response.status)


def _checked(body: bytes, limit: int, status: int) -> bytes:
    """Return the body, unless it has millions of tiny values: decoded, 60 MiB of them take 600."""
    most = max(_MOST_VALUES, limit // _BYTES_PER_VALUE)
    if len(body) > most and _containers_and_elements(body) > most:
        raise ResponseTooLarge(
            f"the response must not have more than {most} objects, arrays and elements of arrays;"
            f" raise max_response_bytes, by {_BYTES_PER_VALUE} for each, if it is genuine",
            status=status,
        )
    return body


def _containers_and_elements(body: bytes) -> int:
    # A comma parts two properties, each of which has a colon, or two elements.
    elements = max(0, body.count(b",") - body.count(b":"))
    return body.count(b"{") + body.count(b"[") + elements


def _too_large(status: int, limit: int) -> ResponseTooLarge:
    """Return the error for a body above the limit."""
    return ResponseTooLarge(
        f"the response must not exceed {limit} bytes; raise max_response_bytes if it is genuine",
        status=status,
    )


def _window_bits(encoding: str, body: bytes) -> int:
    if encoding in _GZIP:
        return 16 + zlib.MAX_WBITS
    if encoding == "deflate":
        has_zlib_header = body[0] & 0x0F == zlib.DEFLATED  # some servers send the bare stream
        return zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS
    # Other names are the server's own text, which can hold anything.
    shown = f": {encoding!r}" if encoding in _UNSUPPORTED else ""
    raise TransportError(f"the response has an unsupported Content-Encoding{shown}")


async def _inflate(packed: bytes, window_bits: int, limit: int, status: int) -> bytes:
    slices: list[bytes] = []
    size = offset = work = members = 0
    while offset < len(packed):  # one round for each member of a gzip stream
        members += 1
        if members > _MOST_MEMBERS:
            raise TransportError(f"the compressed response body has more than {_MOST_MEMBERS} members")
        # aiohttp's backend, so that the extra `speed` applies here as well.
        decompressor = ZLibBackend.decompressobj(wbits=window_bits)
        while not decompressor.eof:
            # Not all that is left: what a member does not use is copied, once for each member.
            chunk = packed[offset : offset + _CHUNK]
            inflated = _next_slice(decompressor, chunk)
            # At a member's end zlib leaves what follows in both.
            rest = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
            used = len(chunk) - len(rest)
            if inflated is None or not (inflated or used or decompressor.eof):
                raise TransportError("the compressed response body is cut off or malformed")
            offset += used
            size += len(inflated)
            if size > limit:
                slices.clear()
                raise _too_large(status, limit)
            slices.append(inflated)
            work += used + len(inflated)
            if work >= _SLICE:
                work = 0
                await asyncio.sleep(0)
    return b"".join(slices)


def _next_slice(decompressor: ZLibDecompressObjProtocol, packed: bytes) -> bytes | None:
    """Return the next slice, or None if the stream is malformed."""
    try:
        return decompressor.decompress(packed, _SLICE)
    except Exception:  # noqa: BLE001 - every zlib backend has an error class of its own
        return None
