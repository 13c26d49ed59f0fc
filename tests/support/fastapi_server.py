"""A FastAPI application with a receiver, to be killed: handled events and orders are lines of a file."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI, Request, Response

from cyclesoft_async.webhooks import AsgiApp, SqliteInbox, WebhookReceiver, events


def application(place: str, seen: str, secret: str) -> AsgiApp:
    log = os.open(seen, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    receiver = WebhookReceiver(secret, SqliteInbox(place), retry_after=0.01)

    @receiver.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        order = event.payload
        os.write(log, f"{order.workshop_order_id} {order.status_id} {event.id}\n".encode())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with receiver:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/status")
    async def status() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/")
    async def cyclesoft(request: Request) -> Response:
        answer = await receiver.receive(await request.body(), request.headers)
        return Response(status_code=answer.status, headers=dict(answer.headers))

    return cast("AsgiApp", app)


def main(place: str, seen: str, secret: str) -> None:
    app = application(place, seen, secret)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.write(1, f"{listener.getsockname()[1]}\n".encode())
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
