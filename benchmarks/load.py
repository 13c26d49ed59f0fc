"""Load generator: sends prepared requests over many connections, one at a time on each.

Run: python -m benchmarks.load PORT CONNECTIONS SECONDS FILE

The file has whole requests, each preceded by its length in eight characters. Where wrk is installed it is
used instead, as it takes less CPU time.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import msgspec

__all__ = ["Load", "generate", "name_of_generator"]

_LENGTH_DIGITS = 8
_WRK_SCRIPT = """
local requests, sent = {}, 0
function init(args)
    local file = io.open(args[1], "rb")
    while true do
        local size = file:read(8)
        if not size then break end
        requests[#requests + 1] = file:read(tonumber(size))
    end
    file:close()
end
function request()
    sent = sent % #requests + 1
    return requests[sent]
end
"""


class Load(msgspec.Struct, frozen=True):
    """Throughput and latency of a server under load."""

    requests_a_second: float
    p99: float
    """The 99th percentile of the latency, in milliseconds."""


def name_of_generator() -> str:
    """Return the name of the load generator."""
    return "wrk" if shutil.which("wrk") else "the bundled generator"


def generate(port: int, connections: int, seconds: float, requests: Path) -> Load:
    """Send requests for a number of seconds. Every response must be a success."""
    if shutil.which("wrk"):
        return _wrk(port, connections, seconds, requests)
    command = [
        sys.executable,
        "-m",
        "benchmarks.load",
        str(port),
        str(connections),
        str(seconds),
        str(requests),
    ]
    return msgspec.json.decode(subprocess.check_output(command), type=Load)  # noqa: S603


def _wrk(port: int, connections: int, seconds: float, requests: Path) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_WRK_SCRIPT)
        script.flush()
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--latency",
            "-s",
            script.name,
        ]
        shown = subprocess.check_output(  # noqa: S603
            [*command, f"http://127.0.0.1:{port}/", "--", str(requests)], text=True
        )
    assert "Non-2xx" not in shown, shown
    assert "Socket errors" not in shown, shown
    [rate] = re.findall(r"Requests/sec:\s+([\d.]+)", shown)
    [(amount, unit)] = re.findall(r"99%\s+([\d.]+)(us|ms|s)", shown)
    return Load(float(rate), float(amount) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[unit])


class Connection(asyncio.Protocol):
    """One connection, which sends as soon as it is open."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Send the next request once the response is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not end or (length and len(body) < int(length[1])):
            return
        assert head.split(b" ")[1].startswith(b"2"), head
        self._received = b""
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._send()


async def main(port: int, connections: int, seconds: float, requests: bytes) -> Load:
    latencies: list[float] = []
    everything = cycle(_split(requests))
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(everything, latencies), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    return Load(len(latencies) / took, sorted(latencies)[len(latencies) * 99 // 100] * 1_000)


def _split(requests: bytes) -> list[bytes]:
    found: list[bytes] = []
    position = 0
    while position < len(requests):
        start = position + _LENGTH_DIGITS
        position = start + int(requests[position:start])
        found.append(requests[start:position])
    return found


if __name__ == "__main__":
    _, port, connections, seconds, requests = sys.argv
    load = asyncio.run(main(int(port), int(connections), float(seconds), Path(requests).read_bytes()))
    sys.stdout.buffer.write(msgspec.json.encode(load))
