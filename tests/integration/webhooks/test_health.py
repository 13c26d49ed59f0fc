"""Health checks, logs under a flood, stops and rotation, on aiohttp."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from cyclesoft_async.errors import InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import (
    SqliteInbox,
    WebhookReceiver,
    cut_unread_bodies,
    events,
    handlers,
    health,
    throttled_log,
)
from cyclesoft_async.webhooks.inbox import Delivery, ReceiverFigures, Stored
from tests.support.polling import until
from tests.support.webhook_server import SECRET, Server, order, running

CHECKS = ("/health/live", "/health/ready", "/health")


class Disk(SqliteInbox):
    """An inbox whose disk can be full, and which counts the writes of checks."""

    full = False
    checks = 0

    async def put(self, delivery: Delivery) -> Stored:
        self._fail_if_full()
        return await super().put(delivery)

    async def check(self, figures: ReceiverFigures | None = None) -> None:
        self.checks += 1
        self._fail_if_full()
        await super().check(figures)

    def _fail_if_full(self) -> None:
        if self.full:
            raise InboxUnavailableError("the disk is full")


async def statuses(server: Server) -> Sequence[int]:
    return [await server.get(path) for path in CHECKS]


async def becomes(server: Server, wanted: Sequence[int]) -> None:
    async with asyncio.timeout(60):
        while await statuses(server) != wanted:
            pass


async def test_health_writes_nothing_and_turns_red_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Disk(tmp_path / "inbox.db")
    async with running(WebhookReceiver(SECRET, inbox)) as server:
        before = inbox.checks
        for _ in range(50):
            assert await statuses(server) == [200, 200, 200]
        assert inbox.checks <= before + 1
    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.02)
    async with running(WebhookReceiver(SECRET, inbox)) as server:
        inbox.full = True
        await becomes(server, [200, 503, 503])
        inbox.full = False
        await becomes(server, [200, 200, 200])
        inbox.full = True
        assert await server.post(order(1)) == 503
        assert await statuses(server) == [200, 503, 503]


async def test_a_hung_handler_is_for_monitors_and_not_for_balancers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_GRACE_SECONDS", 0.01)
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"), handler_timeout=0.01)
    release = asyncio.Event()

    @receiver.on_any
    async def hang(_: events.Event) -> None:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()

    async with running(receiver) as server:
        assert await server.post(order(1)) == 200
        await becomes(server, [200, 200, 503])
        assert await server.post(order(2)) == 200
        release.set()
        await becomes(server, [200, 200, 200])


async def test_a_delivery_that_is_due_for_long_is_for_monitors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_LONGEST_WAIT", 0.1)
    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.02)
    receiver = WebhookReceiver(
        SECRET, SqliteInbox(tmp_path / "inbox.db"), handler_timeout=None, retry_after=3600.0
    )
    release = asyncio.Event()

    @receiver.on(events.WorkshopOrderUpdated)
    async def wait(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.workshop_order_id == 2:
            raise OSError
        await release.wait()

    async with running(receiver) as server:
        assert await server.post(order(2)) == 200  # waits for its retry: that is not late
        assert await server.post(order(1)) == 200
        await becomes(server, [200, 200, 503])
        release.set()
        await becomes(server, [200, 200, 200])


async def test_a_stop_does_not_wait_for_a_body(tmp_path: Path) -> None:
    reading = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
    async with running(WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))) as server:
        answer = asyncio.create_task(server.raw(reading))
        assert await server.post(order(1)) == 200
        assert await server.get("/health") == 200
        before = time.monotonic()
    assert time.monotonic() - before < 20  # not the 30 seconds that a body may take
    assert (await answer).startswith(b"HTTP/1.1 503")


async def test_a_flood_is_one_line_a_minute_with_a_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttled_log, "_SECONDS", 0.3)
    inbox = Disk(tmp_path / "inbox.db")
    async with running(WebhookReceiver(SECRET, inbox)) as server:
        inbox.full = True
        assert {await server.post(order(number)) for number in range(30)} == {503}
        assert {await server.post(order(1, secret="another")) for _ in range(30)} == {401}
        await until(lambda: "in the last minute" in caplog.text.partition("503")[2].partition("refused")[2])
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert next(line for line in lines if "answered 503" in line).endswith(": the disk is full")
    assert len(lines) < 20


async def test_a_sender_that_hangs_up_logs_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))) as server:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
            await writer.drain()
            assert await server.get("/health/live") == 200  # it is being read by now
            writer.transport.abort()
        assert await server.post(order(1)) == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info]


async def test_secrets_rotate_at_run_time(tmp_path: Path) -> None:
    receiver = WebhookReceiver({1: "the first secret of one"}, SqliteInbox(tmp_path / "inbox.db"))
    async with running(receiver) as server:
        new = order(1, secret="the second secret of one")
        assert await server.post(new) == 401
        receiver.rotate({1: ["the second secret of one", "the first secret of one"]})
        assert await server.post(new) == 200
        assert await server.post(order(1, secret="the first secret of one")) == 200
        with pytest.raises(UsageError):
            receiver.rotate([])
        assert await server.post(order(2, secret="the second secret of one")) == 200
        receiver.rotate("the third secret, of all accounts")
        assert await server.post(order(2, secret="the second secret of one")) == 401


async def test_a_host_application_may_cut_unread_bodies_too(tmp_path: Path) -> None:
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    app = web.Application(middlewares=[cut_unread_bodies])
    receiver.add_to(app, "/cyclesoft")
    async with running(app) as server:
        sent = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n"
        assert (await server.raw(sent + b"\x1f\x8b")).startswith(b"HTTP/1.1 404")
        assert await server.post(order(1), path="/cyclesoft") == 200


@pytest.mark.parametrize("secret", ["short", b"15 bytes, alas.", ["long enough for anyone", "short"]])
def test_a_short_secret_is_warned_of(
    tmp_path: Path, secret: str | bytes | list[str], caplog: pytest.LogCaptureFixture
) -> None:
    WebhookReceiver(secret, SqliteInbox(tmp_path / "inbox.db"))
    assert [record.getMessage() for record in caplog.records] == [
        "a webhook secret is shorter than 16 bytes: it may be guessed"
    ]


async def test_old_events_are_dead_letters_when_asked_for(tmp_path: Path) -> None:
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"), max_age=3600.0)
    handled: list[int] = []
    dead: list[str] = []

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        handled.append(event.payload.workshop_order_id)

    @receiver.on_dead
    async def note(_: events.Event, error: str) -> None:
        dead.append(error)

    old = order(1, occurred_at=time.time() - 3700)
    async with running(receiver) as server:
        assert await server.post(old) == 200
        assert await server.post(old) == 200
        assert await server.post(order(2, occurred_at=time.time() - 3500)) == 200
        await receiver.settled()
    assert handled == [2]
    assert dead == ["older than max_age when it arrived"]


async def test_an_event_dated_far_ahead_makes_no_other_stale(tmp_path: Path) -> None:
    receiver = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    stale: list[bool] = []

    @receiver.on_any
    async def note(event: events.Event) -> None:
        stale.append(event.stale)

    async with running(receiver) as server:
        for seconds in (70 * 365 * 86_400.0, 0.0, 3600.0, 1.0):
            assert await server.post(order(1, occurred_at=time.time() + seconds)) == 200
            await receiver.settled()
    assert stale == [False, False, False, True]
