"""What verifying and storing a delivery costs, beside servers that do less, on one machine in one run.

::

    pip install fastapi uvicorn httptools svix gidgethub     # the peers; wrk comes from your system
    python benchmarks/webhooks.py [SECONDS [ROUNDS]]

Every contender serves in a process of its own, on a new inbox, while wrk sends signed deliveries of 2.1 kB
over 32 connections, each with an id of its own. The contenders take turns, so that a busy moment of the
machine hits all of them; the table shows the median of the rounds and its ratio to the bare handler.

    bare            aiohttp, reads the body and answers 200
    floor           the least that verifies and reads: one HMAC, one comparison, one typed decode
    verified        our body, signature and typed event, not stored
    stored          our receiver: on disk before it answers (no handlers)
    handled         the same, with one handler that runs meanwhile
    commit-each     verified, then one SQLite transaction for each request (synchronous=FULL)
    gidgethub       on aiohttp: its verification and JSON, not stored
    fastapi-svix    on uvicorn: svix's verification, not stored
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events, sign
from cyclesoft_async.webhooks.body import read_body
from cyclesoft_async.webhooks.envelope import read
from cyclesoft_async.webhooks.keyring import Keyring
from cyclesoft_async.webhooks.receiver import SIGNATURE_HEADER

SECRET = "benchmark-secret"
PORT = 18_437
REQUESTS = 60_000
CONTENDERS = ["bare", "floor", "verified", "stored", "handled", "commit-each", "gidgethub", "fastapi-svix"]
PAYLOAD = Path(__file__).parent.parent / "tests" / "webhooks" / "payloads" / "workshop_order.updated.json"


def serve(contender: str, inbox: str) -> None:
    if contender == "fastapi-svix":
        serve_fastapi()
    elif contender in {"stored", "handled"}:
        receiver = WebhookReceiver(SECRET, SqliteInbox(inbox))
        if contender == "handled":
            receiver.on(events.WorkshopOrderEvent)(handle)
        web.run_app(receiver.app(), host="127.0.0.1", port=PORT, access_log=None, print=None)
    else:
        handler = {
            "bare": bare,
            "floor": floor,
            "verified": verified,
            "commit-each": commit_each(inbox),
            "gidgethub": gidgethub,
        }[contender]
        app = web.Application()
        app.router.add_post("/", handler)
        app.router.add_get("/health", healthy)
        web.run_app(app, host="127.0.0.1", port=PORT, access_log=None, print=None)


async def healthy(_: web.Request) -> web.Response:
    return web.Response()


async def handle(event: events.WorkshopOrderEvent) -> None:
    assert event.payload.workshop_order_id


async def bare(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


DECODER = msgspec.json.Decoder(events.WorkshopOrderUpdated)


async def floor(request: web.Request) -> web.Response:
    body = await request.read()
    digest = hmac.digest(SECRET.encode(), body, "sha256")
    if not hmac.compare_digest(digest, bytes.fromhex(request.headers["X-CycleSoftware-Signature"])):
        return web.Response(status=401)
    DECODER.decode(body)
    return web.Response()


KEYRING = Keyring(SECRET, "sha256")


async def verified(request: web.Request) -> web.Response:
    body = await read_body(request, 1 << 20)
    if not KEYRING.proven(body, request.headers.getall(SIGNATURE_HEADER, ())):
        return web.Response(status=401)
    read(body)
    return web.Response()


def commit_each(path: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY, body BLOB)")
    lock = asyncio.Lock()

    async def store(request: web.Request) -> web.Response:
        body = await read_body(request, 1 << 20)
        if not KEYRING.proven(body, request.headers.getall(SIGNATURE_HEADER, ())):
            return web.Response(status=401)
        row = (read(body).id, body)
        async with lock:
            await asyncio.to_thread(connection.execute, "INSERT OR IGNORE INTO deliveries VALUES (?, ?)", row)
        return web.Response()

    return store


@cache
def sansio() -> Any:
    return __import__("gidgethub.sansio").sansio


async def gidgethub(request: web.Request) -> web.Response:
    sansio().Event.from_http(request.headers, await request.read(), secret=SECRET)
    return web.Response()


def serve_fastapi() -> None:
    fastapi: Any = __import__("fastapi")
    uvicorn: Any = __import__("uvicorn")
    svix: Any = __import__("svix.webhooks").webhooks
    app = fastapi.FastAPI()
    verifier = svix.Webhook(base64.b64encode(SECRET.encode()).decode())

    async def take(request: Any) -> Any:
        verifier.verify(await request.body(), dict(request.headers))
        return fastapi.Response()

    take.__annotations__["request"] = fastapi.Request
    app.post("/")(take)
    app.get("/health")(lambda: "ok")
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="critical", access_log=False, loop="asyncio")


def headers(contender: str, delivery_id: str, body: bytes) -> dict[str, str]:
    if contender == "fastapi-svix":
        stamp = int(time.time()) + 200  # svix takes five minutes on either side
        signed = f"{delivery_id}.{stamp}.".encode() + body
        digest = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"svix-id": delivery_id, "svix-timestamp": str(stamp), "svix-signature": signature}
    if contender == "gidgethub":
        return {
            "X-GitHub-Delivery": delivery_id,
            "X-GitHub-Event": "workshop_order.updated",
            "X-Hub-Signature-256": "sha256=" + sign(body, SECRET),
        }
    return {
        "X-CycleSoftware-Delivery": delivery_id,
        "X-CycleSoftware-Event": "workshop_order.updated",
        "X-CycleSoftware-Signature": sign(body, SECRET),
    }


def write_requests(contender: str, path: Path) -> None:
    """Whole requests, one after the other, each preceded by its length."""
    delivery = json.loads(PAYLOAD.read_bytes())
    with path.open("wb") as file:
        for number in range(REQUESTS):
            delivery["id"] = str(uuid.uuid4())
            delivery["payload"]["workshop_order_id"] = number
            body = json.dumps(delivery).encode()
            head = {
                "Host": f"127.0.0.1:{PORT}",
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers(contender, delivery["id"], body),
            }
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            whole = f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body
            file.write(f"{len(whole):8}".encode() + whole)


WRK_SCRIPT = """
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


def measure(contender: str, folder: Path, seconds: int) -> tuple[float, float]:
    """Requests a second and the 99th percentile of the latency in milliseconds."""
    requests = folder / f"{'ours' if contender in OURS else contender}.bin"
    if not requests.exists() or contender == "fastapi-svix":
        write_requests(contender, requests)
    inbox = folder / f"{uuid.uuid4()}.db"
    command = [sys.executable, __file__, "serve", contender, str(inbox)]
    server = subprocess.Popen(command)  # noqa: S603
    try:
        wait_until_up()
        wrk = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", str(folder / "send.lua")]
        shown = subprocess.run(  # noqa: S603
            [*wrk, f"http://127.0.0.1:{PORT}/", "--", str(requests)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
        for leftover in folder.glob(f"{inbox.name}*"):
            leftover.unlink()
    if "Non-2xx" in shown or "Socket errors" in shown:
        raise SystemExit(f"{contender}:\n{shown}")
    [rate] = re.findall(r"Requests/sec:\s+([\d.]+)", shown)
    [(amount, unit)] = re.findall(r"99%\s+([\d.]+)(us|ms|s)", shown)
    return float(rate), float(amount) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


OURS = {"bare", "floor", "verified", "stored", "handled", "commit-each"}


def wait_until_up() -> None:
    for _ in range(400):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health").close()
        except OSError:
            time.sleep(0.05)  # the peers' servers don't all tell when they listen, so the port is asked
        else:
            return
    raise SystemExit("the server does not start")


def main(seconds: int, rounds: int) -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed")
    found: dict[str, list[tuple[float, float]]] = {contender: [] for contender in CONTENDERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "send.lua").write_text(WRK_SCRIPT)
        for _ in range(rounds):
            for contender in CONTENDERS:
                found[contender].append(measure(contender, folder, seconds))
    bare_rate = statistics.median(rate for rate, _ in found["bare"])
    print(f"{'':<14}{'requests/s':>12}{'of bare':>9}{'p99 ms':>9}   rounds")
    for contender, results in found.items():
        rate = statistics.median(rate for rate, _ in results)
        p99 = statistics.median(p99 for _, p99 in results)
        each = " ".join(f"{rate:.0f}" for rate, _ in results)
        print(f"{contender:<14}{rate:>12.0f}{rate / bare_rate:>9.2f}{p99:>9.1f}   {each}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3])
    else:
        main(*(int(number) for number in (sys.argv[1:] + ["5", "3"][len(sys.argv) - 1 :])[:2]))
