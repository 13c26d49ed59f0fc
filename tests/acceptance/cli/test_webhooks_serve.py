"""`cyclesoft webhooks serve`: receives, reloads its secrets and stops cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from cyclesoft_async.cli import serving
from cyclesoft_async.cli.webhooks import webhooks
from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.webhook_server import SECRET, order

SERVE = "from cyclesoft_async.cli.webhooks import webhooks; webhooks()"


async def test_serve_prints_events_and_stops_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, "serve", "--port", str(port), "--inbox", str(path),
        stdout=subprocess.PIPE,
        env={**os.environ, "CYCLESOFT_WEBHOOK_SECRETS": SECRET, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    async with asyncio.timeout(20):
        assert b"Ctrl-C stops it" in await server.stdout.readline()
        await post(f"http://127.0.0.1:{port}/")
        line = (await server.stdout.readline()).decode()
        assert "workshop_order.updated  first  workshop_order 5" in line
        server.send_signal(signal.SIGTERM)
        assert await server.wait() == 0
    assert [entry.state for entry in entries(path)] == ["done"]


@asynccontextmanager
async def served(folder: Path, *arguments: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int]]:
    """The command in a process of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, "serve", "--port", str(port), "--inbox", str(folder / "inbox.db"),
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "CYCLESOFT_WEBHOOK_SECRETS": SECRET, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            assert process.stdout is not None
            assert b"Ctrl-C stops it" in await process.stdout.readline()
            yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_sighup_reloads_the_secret_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("a secret of long ago\n")
    async with served(tmp_path, "--secret-file", str(file)) as (process, port):
        assert process.stderr is not None
        sent = order(5)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            for status, content, said in (
                (401, "", b"secrets not reloaded"),
                (401, " \n\t\r\n\xa0\n", b"secrets not reloaded"),
                (401, f"{SECRET}\n", b"secrets reloaded"),
                (200, "", b""),
            ):
                async with http.post("/", data=sent.body, headers=sent.headers) as response:
                    assert response.status == status
                if said:
                    file.write_text(content)
                    process.send_signal(signal.SIGHUP)
                    while said not in (line := await process.stderr.readline()):
                        assert line


async def test_a_pipe_in_place_of_the_secret_file_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"{SECRET}\n")
    async with served(tmp_path, "--secret-file", str(file)) as (process, port):
        assert process.stderr is not None
        file.unlink()
        os.mkfifo(file)
        process.send_signal(signal.SIGHUP)
        while b"secrets not reloaded: --secret-file must be a regular file" not in (
            line := await process.stderr.readline()
        ):
            assert line
        await post(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o400, False), (0o640, True), (0o602, True)])
async def test_a_secret_file_that_others_may_use_is_warned_of(tmp_path: Path, mode: int, warns: bool) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"{SECRET}\n")
    file.chmod(mode)
    async with served(tmp_path, "--secret-file", str(file)) as (process, _):
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    warning = f"other users may read or write {file}: chmod 600 {file}\n"
    assert errors.decode() == (warning if warns else "")


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o644, True)])
def test_a_password_file_that_others_may_use_is_warned_of(tmp_path: Path, mode: int, warns: bool) -> None:
    file, inbox = tmp_path / "passwords", tmp_path / "inbox.db"
    file.write_text("not a line of it\n")
    file.chmod(mode)
    arguments = ["serve", "--dashboard", "--inbox", str(inbox), "--password-file", str(file)]
    done = CliRunner(env={"CYCLESOFT_WEBHOOK_SECRETS": SECRET}).invoke(webhooks, arguments)
    assert isinstance(done.exception, UsageError)
    assert (f"other users may read or write {file}" in done.stderr) == warns


async def test_malformed_requests_leave_no_content_in_the_log(tmp_path: Path) -> None:
    sent = delivery("customer.updated", {"customer": {"name": "ZWARTJES"}}, secret=SECRET)
    signature = f"X-CycleSoftware-Signature: {sent.headers['X-CycleSoftware-Signature']}".encode()
    async with served(tmp_path) as (process, port):
        for framing, body in (
            (b"Content-Length: 10", sent.body),
            (b"Transfer-Encoding: chunked", b"5\r\n" + sent.body + b"\r\n0\r\n\r\n"),
            (b"Transfer-Encoding: chunked", sent.body + b"\r\n"),
            (b"ZWARTJES\x00: ZWARTJES", b""),
            (b"X: " + b"ZWARTJES" * 2000, b""),
        ):
            for _ in range(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                head = b"POST / HTTP/1.1\r\nHost: x\r\n" + signature + b"\r\n" + framing
                writer.write(head + b"\r\n\r\n" + body)
                answer = await reader.read()
                assert b" 400 " in answer or b" 401 " in answer
                writer.close()
        await post(f"http://127.0.0.1:{port}/")
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()
    assert b"ZWARTJES" not in output + errors
    assert errors.decode().splitlines().count("a request is malformed and is answered 400") == 1
    assert b"Traceback" not in errors


async def test_an_error_of_a_page_is_logged_by_its_class_and_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise LookupError(await request.text())

    app = web.Application()
    app.router.add_post("/", fail)
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stopped = asyncio.create_task(
        serving.serve_until_signal(app, "127.0.0.1", 0, ready=listening.set_result, reload=lambda: None)
    )
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        async with http.post(f"http://127.0.0.1:{await listening}/", data=b"ZWARTJES") as response:
            assert response.status == 500
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped
    assert f"a request failed: LookupError at {__file__}:" in caplog.text
    assert "ZWARTJES" not in caplog.text


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12"])
async def test_a_stop_waits_for_no_sender(tmp_path: Path, sent: bytes) -> None:
    async with served(tmp_path) as (process, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        await post(f"http://127.0.0.1:{port}/")  # the other one has been read by now
        before = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert time.monotonic() - before < 15  # a body may take 30 seconds otherwise
        assert (await reader.read()).startswith(b"HTTP/1.1 503" if sent else b"")
        writer.close()


async def test_silent_connections_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_SILENT_SECONDS", 0.5)
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stopped = asyncio.create_task(
        serving.serve_until_signal(
            receiver.app(), "127.0.0.1", 0, ready=listening.set_result, reload=lambda: None
        )
    )
    async with asyncio.timeout(60):
        port = await listening
        for begun in (b"", b"POST / HT", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            answer = await reader.read()
            assert (b" 200 " in answer) == begun.startswith(b"GET")
            writer.close()
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped


async def post(url: str) -> None:
    sent = order(5, id="first")
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=sent.body, headers=sent.headers) as response,
    ):
        assert response.status == 200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
