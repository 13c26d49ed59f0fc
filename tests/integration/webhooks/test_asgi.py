"""Receivers in FastAPI, Starlette and Django under uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path as url
from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import AsgiApp, SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from tests.support.asgi_server import serving
from tests.support.polling import until
from tests.support.webhook_server import SECRET, order, take


class Hooks:
    """A receiver, and the ids of the orders that its handler saw."""

    def __init__(self, folder: Path, *, max_bytes: int = 256 * 1024) -> None:
        self.path = folder / "inbox.db"
        self.seen: asyncio.Queue[int] = asyncio.Queue()
        self.receiver = WebhookReceiver(SECRET, SqliteInbox(self.path), max_bytes=max_bytes)
        self.receiver.on(events.WorkshopOrderUpdated)(self._handle)

    async def _handle(self, event: events.WorkshopOrderUpdated) -> None:
        self.seen.put_nowait(event.payload.workshop_order_id)


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


def fastapi_with_a_route(hooks: Hooks) -> AsgiApp:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with hooks.receiver:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/cyclesoft")
    async def cyclesoft(request: Request) -> Response:
        answer = await hooks.receiver.receive(await request.body(), request.headers)
        return Response(status_code=answer.status, headers=dict(answer.headers))

    @app.get("/other")
    async def other() -> str:
        return "other"

    return cast("AsgiApp", app)


def fastapi_wrapped(hooks: Hooks) -> AsgiApp:
    started: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, str]]:
        started.append("started")
        yield {"word": "other"}

    app = FastAPI(lifespan=lifespan)

    @app.get("/other")
    async def other(request: Request) -> str:
        assert started == ["started"]
        return cast("str", request.state.word)

    return hooks.receiver.asgi(cast("AsgiApp", app), "/cyclesoft")


def starlette_mounted(hooks: Hooks) -> AsgiApp:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with hooks.receiver:
            yield

    async def other(_: Request) -> PlainTextResponse:
        return PlainTextResponse("other")

    asgi = hooks.receiver.asgi(path="/cyclesoft")
    routes = [Route("/other", other), Route("/cyclesoft", asgi), Mount("/cyclesoft", asgi)]
    return cast("AsgiApp", Starlette(routes=routes, lifespan=lifespan))


async def django_other(_: HttpRequest) -> HttpResponse:
    return HttpResponse("other")


class Urls:
    urlpatterns = [url("other", django_other)]  # noqa: RUF012 - as Django reads it


def django_wrapped(hooks: Hooks) -> AsgiApp:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], SECRET_KEY="test", DEBUG=False)
    return hooks.receiver.asgi(cast("AsgiApp", ASGIHandler()), "/cyclesoft")


APPLICATIONS = [fastapi_with_a_route, fastapi_wrapped, starlette_mounted, django_wrapped]


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda one: one.__name__)
async def test_a_receiver_in_a_framework(hooks: Hooks, application: Any) -> None:
    async with serving(application(hooks)) as server:
        assert await server.post(order(5), path="/cyclesoft") == 200
        assert await take(hooks.seen) == 5
        assert await server.post(order(6, secret="another"), path="/cyclesoft") == 401
        assert await server.post(b"nonsense", path="/cyclesoft") == 400
        assert await server.get("/other") == 200
        assert await server.get("/nowhere") == 404
        assert await server.get("/cyclesoft") == 405
        await hooks.receiver.settled()
    assert [entry.state for entry in entries(hooks.path)] == ["done"]


@pytest.mark.parametrize("application", APPLICATIONS[1:], ids=lambda one: one.__name__)
async def test_health_and_slashes(hooks: Hooks, application: Any) -> None:
    async with serving(application(hooks)) as server:
        for path in ("/cyclesoft/health", "/cyclesoft/health/live", "/cyclesoft/health/ready"):
            assert await server.get(path) == 200
        assert await server.post(b"", path="/cyclesoft/health") == 405
        assert await server.post(order(5), path="/cyclesoft/") == 200


async def test_one_genuine_signature_among_several_is_enough(hooks: Hooks) -> None:
    # As under aiohttp: see test_signature_headers.
    sent = order(5)
    genuine = sent.headers["X-CycleSoftware-Signature"].encode()
    async with serving(hooks.receiver.asgi()) as server:
        for signatures, status in (
            ([b"0" * 64, genuine], 200),
            ([genuine, b"0" * 64], 200),
            ([b"0" * 64, b"1" * 64], 401),
        ):
            lines = b"".join(b"X-CycleSoftware-Signature: %s\r\n" % one for one in signatures)
            head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % len(
                sent.body
            )
            answer = await server.raw(head + lines + b"\r\n" + sent.body)
            assert answer.startswith(b"HTTP/1.1 %d" % status)


async def test_alone_under_uvicorn_and_at_the_root_of_a_mount(hooks: Hooks) -> None:
    async with serving(hooks.receiver.asgi()) as server:
        assert await server.post(order(1)) == 200
        assert await server.post(order(2), path="/cyclesoft") == 200
        assert await server.get("/health") == 200
        assert await server.get("/elsewhere") == 404
        assert {await take(hooks.seen), await take(hooks.seen)} == {1, 2}
    assert len(entries(hooks.path)) == 2


async def test_bodies_have_limits(tmp_path: Path) -> None:
    hooks = Hooks(tmp_path, max_bytes=1000)
    async with serving(hooks.receiver.asgi()) as server:
        assert await server.post(b" " * 1001) == 413
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n%s\r\n" % (
            b"x" * 500
        )
        assert (await server.raw(chunked + b"1f5\r\n%s\r\n" % (b"x" * 501))).startswith(b"HTTP/1.1 413")
        assert await server.post(b"", {"Content-Encoding": "gzip"}) == 415
        assert await server.post(order(1)) == 200


async def test_a_sender_that_hangs_up_in_mid_body(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(hooks.receiver.asgi()) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        await writer.drain()
        writer.transport.abort()
        assert await server.post(order(1)) == 200
        assert await take(hooks.seen) == 1
    assert not [record for record in caplog.records if record.exc_info]


class FailsToStart:
    """An application whose startup fails, in one of the two ways that ASGI has."""

    def __init__(self, how: str) -> None:
        self._how = how

    async def __call__(self, _: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await receive()
        if self._how == "by message":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
        else:
            raise RuntimeError("no lifespan here")


async def test_a_wrapped_application_that_fails_to_start_closes_the_inbox(hooks: Hooks) -> None:
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(f"{message['type']} {message.get('message', '')}")

    await hooks.receiver.asgi(FailsToStart("by message"))({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.failed no database"]
    with pytest.raises(UsageError, match="must be open"):
        await hooks.receiver.settled()


async def test_an_application_without_lifespan_gets_one(hooks: Hooks) -> None:
    async with serving(hooks.receiver.asgi(FailsToStart("by exception"))) as server:
        assert await server.post(order(3), path="/cyclesoft") == 200


async def test_one_inbox_and_dispatcher_however_it_is_opened(hooks: Hooks) -> None:
    signed = order(1, id="one")
    with pytest.raises(UsageError, match="must be open to receive"):
        await hooks.receiver.receive(signed.body, signed.headers)
    async with serving(hooks.receiver.asgi()) as server, hooks.receiver:
        answer = await hooks.receiver.receive(signed.body, signed.headers)
        assert (answer.status, dict(answer.headers)) == (200, {})
        assert await server.post(signed) == 200
        shouted = [(name.upper().encode(), value.encode()) for name, value in signed.headers.items()]
        assert (await hooks.receiver.receive(signed.body, shouted)).status == 200
        assert (await hooks.receiver.receive(signed.body, {})).status == 401
        assert (await hooks.receiver.receive(signed.body, signed.headers, account_id=2)).status == 401
        await until(lambda: hooks.seen.qsize() == 1)
    assert len(entries(hooks.path)) == 1


async def test_a_path_begins_with_a_slash(hooks: Hooks) -> None:
    with pytest.raises(UsageError, match="slash"):
        hooks.receiver.asgi(path="cyclesoft")
