"""Statuses, storage and logs of a receiver on aiohttp."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Generator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler as AiohttpHandler

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events, sign
from cyclesoft_async.webhooks.handlers import Handler
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.keyring import Secrets
from cyclesoft_async.webhooks.testing import delivery
from tests.support.webhook_server import SECRET, eventually, order, running, sample, take, unwritable

SIGNATURE = "X-CycleSoftware-Signature"


def receiver(folder: Path, secrets: Secrets = SECRET, *, max_bytes: int = 1 << 20) -> WebhookReceiver:
    return WebhookReceiver(
        secrets, SqliteInbox(folder / "inbox.db"), max_bytes=max_bytes, retry_after=0.0, retry_for=0.0
    )


def recording(hooks: WebhookReceiver) -> asyncio.Queue[events.Event]:
    """Every event that reaches a handler."""
    seen: asyncio.Queue[events.Event] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event)

    return seen


async def test_a_genuine_delivery_is_stored_and_handled(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    seen = recording(hooks)
    async with running(hooks) as server:
        assert await server.post(order(5)) == 200
        event = await take(seen)
        assert isinstance(event, events.WorkshopOrderUpdated)
        assert event.payload.workshop_order_id == 5
        stored = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "done")
        assert (stored.id, stored.entity) == (event.id, "1/workshop_order/5")


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_the_inbox_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    async with running(receiver(tmp_path)) as server:
        await server.post(order())
        assert await asyncio.to_thread(modes, tmp_path) == dict.fromkeys(
            ["inbox.db", "inbox.db-wal", "inbox.db-shm", "inbox.db.lock", "inbox.db.reserve"], 0o600
        )


@pytest.mark.parametrize(
    ("body", "signature", "status"),
    [
        (order().body, "", 401),
        (order().body, sign(order().body, "another"), 401),
        (order().body, "0" * 64, 401),
        (b"not json", "0" * 64, 400),
        (b"", "0" * 64, 400),
        (b"[" * 200_000, "0" * 64, 400),
        (b'{"id":', sign(b'{"id":', SECRET), 200),
    ],
    ids=["unsigned", "other secret", "no hmac", "not json", "empty", "too deep", "genuine, cut json"],
)
async def test_statuses_by_signature_and_json(
    tmp_path: Path, body: bytes, signature: str, status: int
) -> None:
    hooks = receiver(tmp_path)
    seen = recording(hooks)
    async with running(hooks) as server:
        assert await server.post(body, {SIGNATURE: signature}) == status
        assert await server.post(body, {SIGNATURE: signature}) == status
    assert len(entries(tmp_path / "inbox.db")) == (status == 200)
    assert seen.empty()


async def test_no_signature_at_all(tmp_path: Path) -> None:
    async with running(receiver(tmp_path)) as server:
        assert await server.post(order().body) == 401


async def test_methods_paths_and_health(tmp_path: Path) -> None:
    async with running(receiver(tmp_path)) as server:
        assert await server.get("/") == 405
        assert await server.get("/elsewhere") == 404
        assert await server.get("/health") == 200


async def test_mounted_in_an_application_under_a_prefix(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, max_bytes=2 << 20)
    app = web.Application(client_max_size=10)
    hooks.add_to(app, "/cyclesoft")
    hooks.add_to(app, "/shops/2/", account_id=2)
    async with running(app) as server:
        assert await server.post(order(), path="/cyclesoft") == 200
        assert await server.post(order(), path="/cyclesoft/") == 200
        assert await server.get("/cyclesoft/health") == 200
        assert await server.post(order(account_id=2), path="/shops/2") == 200
        assert await server.post(order(account_id=1), path="/shops/2") == 401
        payload = {"workshop_order_id": 1, "x": "y" * 1_500_000}
        large = delivery("workshop_order.updated", payload, secret=SECRET)
        assert await server.post(large, path="/cyclesoft") == 200
    assert len(entries(tmp_path / "inbox.db")) == 4


async def test_mounted_in_a_sub_application(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    app = web.Application()
    app.add_subapp("/in", hooks.app())
    async with running(app) as server:
        assert await server.post(order(), path="/in/") == 200
        assert await server.post(order(), path="/in") == 200


async def test_a_middleware_may_have_read_the_body(tmp_path: Path) -> None:
    @web.middleware
    async def audit(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
        await request.read()
        return await handler(request)

    hooks = receiver(tmp_path, max_bytes=1000)
    app = web.Application(middlewares=[audit])
    hooks.add_to(app, "/")
    async with running(app) as server:
        assert await server.post(order()) == 200
        assert await server.post(delivery("a.b", {"x": "y" * 1000}, secret=SECRET)) == 413
        assert await server.post(b"") == 400
    assert len(entries(tmp_path / "inbox.db")) == 1


async def test_wrong_arguments_are_usage_errors(tmp_path: Path) -> None:
    useless: list[Secrets] = [[], "", ["x", ""], {}, {1: list[str]()}]
    for secrets in useless:
        with pytest.raises(UsageError):
            receiver(tmp_path, secrets)
    from_json: Any = {"1": "s"}
    with pytest.raises(UsageError, match="integer"):
        receiver(tmp_path, from_json)
    with pytest.raises(UsageError):
        receiver(tmp_path, max_bytes=0)
    hooks = receiver(tmp_path)
    with pytest.raises(UsageError, match="slash"):
        hooks.add_to(web.Application(), "cyclesoft")
    hooks.app()
    with pytest.raises(UsageError, match="one application"):
        hooks.app()
    no_coroutine: Any = print
    with pytest.raises(UsageError, match="async"):
        hooks.on_any(no_coroutine)
    with pytest.raises(UsageError, match="on_any"):
        hooks.on()(putting(asyncio.Queue()))


async def test_secrets_of_several_accounts(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, {1: ["one", "shared"], 2: "two", 3: ["shared"]})
    async with running(hooks) as server:
        statuses = {
            (secret, account): await server.post(order(secret=secret, account_id=account))
            for secret in ("one", "two", "shared")
            for account in (1, 2, 3)
        }
        assert {pair for pair, status in statuses.items() if status == 200} == {
            ("one", 1),
            ("shared", 1),
            ("two", 2),
            ("shared", 3),
        }
        assert set(statuses.values()) == {200, 401}


async def test_a_body_that_is_not_an_event_is_kept_for_the_account_that_signed_it(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, {1: ["one", "shared"], 2: "two", 3: ["shared"]})
    app = web.Application()
    hooks.add_to(app, "/")
    hooks.add_to(app, "/3", account_id=3)
    async with running(app) as server:
        statuses: dict[bytes, int] = {}
        for secret in ("one", "two", "shared"):
            for path in ("/", "/3"):
                body = f"by {secret} to {path}".encode()
                statuses[body] = await server.post(body, {SIGNATURE: sign(body, secret)}, path)
    assert [body for body, status in statuses.items() if status == 400] == [b"by one to /3", b"by two to /3"]
    assert {entry.body: entry.account_id for entry in entries(tmp_path / "inbox.db")} == {
        b"by one to /": 1,
        b"by two to /": 2,
        b"by shared to /": 0,  # either 1 or 3
        b"by shared to /3": 3,
    }


async def test_the_same_id_twice_is_one_event(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    seen = recording(hooks)
    twice, changed = order(1, id="same"), order(2, id="same")
    async with running(hooks) as server:
        assert await asyncio.gather(*(server.post(twice) for _ in range(20))) == [200] * 20
        assert await asyncio.gather(*(server.post(changed) for _ in range(5))) == [200] * 5
        assert await server.post(order(3, id="same", account_id=2)) == 200
        assert {(await take(seen)).account_id for _ in range(2)} == {1, 2}
    assert sorted((entry.account_id, entry.state) for entry in entries(tmp_path / "inbox.db")) == [
        (1, "done"),
        (1, "quarantined"),
        (2, "done"),
    ]
    assert seen.empty()


async def test_headers_that_differ_from_the_body_are_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = receiver(tmp_path)
    handled: asyncio.Queue[events.Event] = asyncio.Queue()
    deleted: asyncio.Queue[events.Event] = asyncio.Queue()
    hooks.on(events.WorkshopOrderUpdated)(putting(handled))
    hooks.on(events.WorkshopOrderDeleted)(putting(deleted))
    tricks = {"X-CycleSoftware-Event": "workshop_order.deleted", "X-CycleSoftware-Delivery": "x" * 36}
    async with running(hooks) as server:
        assert await server.post(order(id="by-body"), tricks) == 200
        assert (await take(handled)).id == "by-body"
    assert deleted.empty()
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.args[1] for record in warned if isinstance(record.args, tuple)] == [
        "X-CycleSoftware-Delivery",
        "X-CycleSoftware-Event",
    ]


def putting(queue: asyncio.Queue[events.Event]) -> Handler[events.Event]:
    async def handler(event: events.Event) -> None:
        queue.put_nowait(event)

    return handler


async def test_unknown_events_reach_on_any_and_stay_dead(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    seen = recording(hooks)
    body = sample("warehouse_outbound_order.created_or_updated").replace(b"created_or_updated", b"archived")
    async with running(hooks) as server:
        assert await server.post(body, {SIGNATURE: sign(body, SECRET)}) == 200
        event = await take(seen)
        assert isinstance(event, events.UnknownEvent)
        dead = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
        assert dead.body == body


async def test_unknown_events_without_handlers_are_dead_at_once(tmp_path: Path) -> None:
    signed = delivery("brand.new", {}, secret=SECRET)
    async with running(receiver(tmp_path)) as server:
        assert await server.post(signed) == 200
        (entry,) = entries(tmp_path / "inbox.db")
        assert (entry.state, entry.event_name) == ("dead", "brand.new")
        assert entry.error == "no such event name is known"


async def test_a_handler_for_unknown_events_takes_them(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    seen: asyncio.Queue[events.Event] = asyncio.Queue()
    hooks.on(events.UnknownEvent)(putting(seen))
    async with running(hooks) as server:
        assert await server.post(delivery("brand.new", {"a": 1}, secret=SECRET)) == 200
        await take(seen)
        await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "done")


async def test_no_payload_and_no_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret, canary = "canary-secret", "canary-payload"
    hooks = receiver(tmp_path, [secret])

    @hooks.on_any
    async def fail(event: events.Event) -> None:
        raise ValueError(canary, event)

    payloads: list[dict[str, object]] = [
        {"workshop_order_id": canary},
        {"workshop_order_id": 1, "status_text": canary},
    ]
    async with running(hooks) as server:
        for number, payload in enumerate(payloads):
            signed = delivery("workshop_order.updated", payload, secret=secret, id=f"{number}")
            await server.post(signed)
            await server.post(signed, {SIGNATURE: f"{canary}é"})
            await server.post(signed, {"X-CycleSoftware-Event": canary, "X-CycleSoftware-Delivery": canary})
            await server.post(delivery("x.y", {"z": canary}, secret=secret, id=f"{number}"))
            await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
        await server.post(canary.encode(), {SIGNATURE: sign(canary.encode(), secret)})
    ours = [record for record in caplog.records if record.name.startswith(("cyclesoft_async", "aiohttp"))]
    assert len(ours) > 10
    for record in ours:
        assert "canary" not in f"{record.getMessage()} {record.args!r} {record.exc_info!r}"


async def test_a_read_only_database_is_503_until_it_is_not(open_folder: Path) -> None:
    hooks = receiver(open_folder)
    seen = recording(hooks)
    async with running(hooks) as server:
        assert await server.post(order(1)) == 200
        await take(seen)
    readonly = receiver(open_folder)
    seen = recording(readonly)
    async with AsyncExitStack() as stack:
        with unwritable(open_folder):
            server = await stack.enter_async_context(running(readonly))
            assert await server.post(order(2)) == 503
            assert await server.get("/health") == 503
        assert await server.post(order(2)) == 200
        assert await server.get("/health") == 200
        await take(seen)
    assert len(entries(open_folder / "inbox.db")) == 2


@pytest.fixture
def open_folder() -> Generator[Path]:
    """A folder that other users may look into, unlike tmp_path."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
