"""The example's nginx.conf in a real nginx, with receivers and their DNS name on loopback addresses."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from tests.support.paths import ROOT
from tests.support.polling import listening

_CONF = ROOT / "examples" / "deploy" / "nginx.conf"
_ANSWER = 0x8180
_A_RECORD = 1


class NameServer(asyncio.DatagramProtocol):
    """Resolves every name to the same addresses."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        question = data[12:]
        head = data[:2] + struct.pack(">5H", _ANSWER, 1, len(self.addresses), 0, 0)
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, _A_RECORD, 1, 600, 4) + socket.inet_aton(address)
            for address in self.addresses
        )
        self._transport.sendto(head + question + records, addr)


@asynccontextmanager
async def proxied(names: NameServer, port: int, folder: Path) -> AsyncGenerator[str]:
    """Run nginx before the receivers that `names` resolves to. Yields nginx's base URL.

    Args:
        names: Gives the receivers' addresses.
        port: Port of the receivers.
        folder: An empty directory for nginx's files.
    """
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: names, local_addr=("127.0.0.1", 0)
    )
    dns_port = transport.get_extra_info("sockname")[1]
    own_port = free_port()
    directories = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = _CONF.read_text()
    for ours, here in {
        "resolver 127.0.0.11": f"resolver 127.0.0.1:{dns_port}",
        "receivers:8080": f"receivers:{port}",
        "listen 80;": f"listen 127.0.0.1:{own_port};",
        "http {\n": f"http {{\n access_log off; {directories}\n",
    }.items():
        assert conf.count(ours) == 1
        conf = conf.replace(ours, here)
    file = folder / "nginx.conf"
    file.write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\nmaster_process off;\n{conf}"
    )
    process = await asyncio.create_subprocess_exec("nginx", "-p", str(folder), "-c", str(file))
    try:
        await listening("127.0.0.1", own_port)
        yield f"http://127.0.0.1:{own_port}"
    finally:
        process.terminate()
        await process.wait()
        transport.close()


def free_port() -> int:
    """Return a port that is free on all loopback addresses."""
    with socket.create_server(("0.0.0.0", 0)) as found:
        return int(found.getsockname()[1])
