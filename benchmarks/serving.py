"""Servers in separate processes, on a core of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .machine import server_core

__all__ = ["files_server", "free_port", "orders_server", "running"]

_PATIENCE = 20.0
# So large that nothing ever waits for it; but the limiter reads and counts like on any other day.
QUOTA = {
    "X-RateLimit-Minutely-Limit": "100000000",
    # Less than the limit would be the use of other integrations, which is a dearer path.
    "X-RateLimit-Minutely-Remaining": "100000000",
    "X-RateLimit-Daily-Limit": "100000000",
    "X-RateLimit-Daily-Remaining": "99000000",
    "X-RateLimit-Daily-Reset": f"{time.time() + 86_400:.0f}",
}

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100;
    default_type "application/json; charset=utf-8";
    types {{ }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {files};
        location / {{ {quota} }}
        location ~ ^/gzip/ {{ {quota} add_header Content-Encoding gzip; }}
    }}
}}
"""


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], url: str) -> Generator[None]:
    """Run a server, pinned to its core, that responds at `url` during the block."""
    server = subprocess.Popen(command)  # noqa: S603
    os.sched_setaffinity(server.pid, {server_core()})
    try:
        _wait_until_up(server, url)
        yield
    finally:
        server.terminate()
        server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - our own loopback address
        except OSError:
            time.sleep(0.02)  # not every server reports that it listens, so the port is polled
        else:
            return
    raise SystemExit(f"{server.args!r} does not start")


@contextmanager
def files_server(files: Path) -> Generator[str]:
    """Yield the base URL of a file server, those below `gzip` compressed: nginx, or the bundled one."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    bundled = [sys.executable, "-m", "benchmarks.page_server", str(port), "files", str(files)]
    with tempfile.TemporaryDirectory() as folder:
        command = _nginx(Path(folder), files, port) if shutil.which("nginx") else bundled
        a_file = next(path for path in files.rglob("*") if path.is_file())
        with running(command, f"{url}/{a_file.relative_to(files)}"):
            yield url


def _nginx(folder: Path, files: Path, port: int) -> list[str]:
    files.chmod(0o755)  # started by root, its worker has another user
    # The remaining quota of the day differs in each response, as in reality.
    told = {**QUOTA, "X-RateLimit-Daily-Remaining": "99$connection_requests"}
    quota = " ".join(f'add_header {name} "{value}";' for name, value in told.items())
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, files=files, port=port, quota=quota))
    return ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]


@contextmanager
def orders_server(count: int, limit: int | None = None, *, clock: Sequence[str] = ()) -> Generator[str]:
    """Yield the base URL of a server that lists a number of workshop orders of the year 2025.

    Args:
        count: Orders.
        limit: Requests a minute; None for no limit.
        clock: Command that runs a module with another clock.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    limits = [] if limit is None else [str(limit)]
    module = [*(clock or [sys.executable, "-m"]), "benchmarks.page_server"]
    with running([*module, str(port), "orders", str(count), *limits], f"{url}/health"):
        yield url
