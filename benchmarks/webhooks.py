"""Contenders of the part `webhook`: cost of verifying and storing, against servers that do less.

Each runs in its own process, `python -m benchmarks.webhooks CONTENDER INBOX`, on a new inbox.

::

    bare            aiohttp, reads the body and responds 200
    floor           minimum that verifies and decodes: one HMAC, one comparison, one typed decode
    verified        our body, signature and typed event, not stored
    stored          our receiver: on disk before its response (no handlers)
    handled         the same, with one handler running
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
import sqlite3
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events, sign
from cyclesoft_async.webhooks.aiohttp_routes import BodyReader
from cyclesoft_async.webhooks.envelope import read
from cyclesoft_async.webhooks.intake import SIGNATURE_HEADER
from cyclesoft_async.webhooks.keyring import ForgedError, Keyring

SECRET = "benchmark-secret"
PORT = 18_437
REQUESTS = 60_000
CONTENDERS = ["bare", "floor", "verified", "stored", "handled", "commit-each", "gidgethub", "fastapi-svix"]
PAYLOAD = Path(__file__).parent.parent / "tests" / "data" / "payloads" / "workshop_order.updated.json"


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
BODIES = BodyReader(1 << 20)


async def verified(request: web.Request) -> web.Response:
    body = await BODIES.read(request)
    try:
        await KEYRING.proven(body, request.headers.getall(SIGNATURE_HEADER, ()), None)
    except ForgedError:
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
        body = await BODIES.read(request)
        try:
            await KEYRING.proven(body, request.headers.getall(SIGNATURE_HEADER, ()), None)
        except ForgedError:
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
    """Return whole requests, each preceded by its length."""
    delivery = json.loads(PAYLOAD.read_bytes())
    with path.open("wb") as file:
        for number in range(REQUESTS):
            delivery["id"] = str(uuid.uuid4())
            delivery["payload"]["workshop_order_id"] = number + 1
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


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
