"""Handlers that misbehave in the ways that Python has; RetryAt, Reject, on_dead and settled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import (
    PostgresInbox,
    Reject,
    RetryAt,
    SqliteInbox,
    WebhookReceiver,
    events,
    handlers,
    sign,
)
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.polling import until
from tests.support.webhook_server import SECRET, eventually, order


class Panic(BaseException):
    """An exception of an extension in Rust: not an Exception."""


async def raise_panic() -> None:
    raise Panic


async def raise_generator_exit() -> None:
    raise GeneratorExit


async def raise_stop_iteration() -> None:
    raise StopAsyncIteration


async def raise_cancelled() -> None:
    raise asyncio.CancelledError


async def cancel_itself() -> None:
    this_task().cancel()
    await asyncio.sleep(0)


async def cancel_itself_without_awaiting() -> None:
    this_task().cancel()


async def cancel_itself_twice_and_swallow_one() -> None:
    this_task().cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    this_task().cancel()


async def cancel_itself_soon() -> None:
    asyncio.get_running_loop().call_soon(this_task().cancel)
    raise ValueError


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def fail_in_a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(raise_panic())
        await asyncio.Event().wait()


async def fail_in_an_anyio_task_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(raise_generator_exit)
        await anyio.sleep_forever()


async def time_out() -> None:
    async with asyncio.timeout(0):
        await asyncio.Event().wait()


async def exhaust_the_stack() -> None:
    await exhaust_the_stack()


def this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


MISBEHAVIOURS: list[Callable[[], Awaitable[None]]] = [
    raise_panic,
    raise_generator_exit,
    raise_stop_iteration,
    raise_cancelled,
    cancel_itself,
    cancel_itself_without_awaiting,
    cancel_itself_twice_and_swallow_one,
    cancel_itself_soon,
    await_a_cancelled_task,
    fail_in_a_task_group,
    fail_in_an_anyio_task_group,
    time_out,
    exhaust_the_stack,
]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "inbox.db"
    return str(request.getfixturevalue("postgres"))


def at(
    place: Path | str,
    *,
    retry_for: float = 600.0,
    handler_timeout: float | None = 300.0,
    concurrency: int = 64,
) -> WebhookReceiver:
    inbox = SqliteInbox(place) if isinstance(place, Path) else PostgresInbox(place)
    return WebhookReceiver(
        SECRET,
        inbox,
        retry_after=0.01,
        retry_for=retry_for,
        handler_timeout=handler_timeout,
        concurrency=concurrency,
        stop_timeout=0.0,
    )


async def send(receiver: WebhookReceiver, number: int, *, status: int = 1) -> None:
    signed = order(number, status=status)
    assert (await receiver.receive(signed.body, signed.headers)).status == 200


@pytest.mark.parametrize("misbehave", MISBEHAVIOURS, ids=lambda one: one.__name__)
async def test_no_misbehaviour_stalls_an_entity(
    place: Path | str, misbehave: Callable[[], Awaitable[None]]
) -> None:
    receiver = at(place)
    seen: list[tuple[int, int | None]] = []
    misbehaved = False

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        nonlocal misbehaved
        if not misbehaved:
            misbehaved = True
            await misbehave()
        seen.append((event.payload.workshop_order_id, event.payload.status_id))

    async with receiver, asyncio.timeout(60):
        await send(receiver, 1, status=1)
        await until(lambda: misbehaved)
        await send(receiver, 1, status=2)
        await send(receiver, 2, status=3)
        await until(lambda: len(seen) >= 3)
        await receiver.settled()
    assert [status for number, status in seen if number == 1][-2:] == [1, 2]
    assert (2, 3) in seen
    assert {entry.state for entry in entries(place)} == {"done"}


async def test_a_handler_that_takes_too_long_has_failed(place: Path | str) -> None:
    receiver = at(place, handler_timeout=0.05, concurrency=1)
    seen: list[int] = []

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.workshop_order_id == 1 and not event.is_redelivery:
            await asyncio.Event().wait()
        seen.append(event.payload.workshop_order_id)

    async with receiver, asyncio.timeout(60):
        await send(receiver, 1)
        await send(receiver, 2)
        await until(lambda: len(seen) >= 2)
        await receiver.settled()
    assert sorted(seen) == [1, 2]
    assert sorted(entry.attempts for entry in entries(place)) == [1, 2]


async def test_a_handler_that_ends_after_its_timeout_has_failed_all_the_same(tmp_path: Path) -> None:
    receiver = at(tmp_path / "inbox.db", handler_timeout=0.05, retry_for=0.0)

    @receiver.on_any
    async def clean_up_and_return(_: events.Event) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with receiver:
        await send(receiver, 1)
        await receiver.settled()
    [entry] = entries(tmp_path / "inbox.db")
    assert entry.state == "dead"
    assert entry.error is not None
    assert entry.error.endswith("HandlerTimeoutError: the handler took longer than 0.05 seconds")


async def test_a_hung_handler_keeps_its_entity_but_no_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_GRACE_SECONDS", 0.05)
    receiver = at(tmp_path / "inbox.db", handler_timeout=0.05, concurrency=1)
    release = asyncio.Event()
    running = most = 0
    seen: list[int | None] = []

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        nonlocal running, most
        if event.payload.workshop_order_id == 1:
            running += 1
            most = max(most, running)
            while not release.is_set():
                with suppress(asyncio.CancelledError):
                    await release.wait()
            running -= 1
        seen.append(event.payload.status_id)

    async with receiver, asyncio.timeout(60):
        await send(receiver, 1, status=1)
        await send(receiver, 1, status=2)
        await send(receiver, 2, status=3)
        await until(lambda: seen == [3])
        release.set()
        await until(lambda: len(seen) >= 4)
        await receiver.settled()
    assert most == 1
    assert seen == [3, 1, 1, 2]


async def test_retry_at_and_reject(place: Path | str) -> None:
    receiver = at(place)
    moments: list[datetime] = []
    asked = datetime.now(UTC) + timedelta(seconds=1)

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.workshop_order_id == 2:
            raise Reject("no such order here")
        moments.append(datetime.now(UTC))
        if len(moments) == 1:
            raise RetryAt(asked)

    async with receiver, asyncio.timeout(60):
        await send(receiver, 1)
        await send(receiver, 2)
        await until(lambda: len(moments) >= 2)
        await receiver.settled()
    assert moments[1] >= asked - timedelta(milliseconds=50)
    done = {entry.entity: (entry.state, entry.attempts) for entry in entries(place)}
    assert done == {"1/workshop_order/1": ("done", 2), "1/workshop_order/2": ("dead", 1)}
    [dead] = entries(place, state="dead")
    assert dead.error is not None
    assert dead.error.endswith("handle: rejected: no such order here")
    with pytest.raises(UsageError, match="aware"):
        RetryAt(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_on_dead_sees_every_dead_letter_and_is_retried(place: Path | str) -> None:
    receiver = at(place)
    reported: list[str] = []
    errors: list[str] = []
    tries = 0

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.status_id == 1:
            raise Reject("hopeless")

    @receiver.on_dead
    async def report(event: events.Event, error: str) -> None:
        nonlocal tries
        tries += 1
        errors.append(error.rpartition(": ")[2])
        if tries == 1:
            raise OSError
        reported.append(event.event_name)

    garbage = delivery("x", {}, secret=SECRET).body[:-3]
    async with receiver, asyncio.timeout(60):
        await send(receiver, 1, status=1)
        await send(receiver, 1, status=2)
        await until(lambda: bool(reported))
        new = delivery("brand.new", {}, secret=SECRET)
        assert (await receiver.receive(new.body, new.headers)).status == 200
        headers = {"X-CycleSoftware-Signature": sign(garbage, SECRET)}
        assert (await receiver.receive(garbage, headers)).status == 200
        await until(lambda: len(reported) >= 3)
        await receiver.settled()
    assert set(reported) == {"workshop_order.updated", "brand.new", ""}
    assert errors[:2] == ["hopeless", "hopeless"]
    states = [(entry.event_name, entry.state) for entry in entries(place)]
    assert sorted(states, key=str) == sorted(
        [
            ("workshop_order.updated", "dead"),
            ("workshop_order.updated", "done"),
            ("brand.new", "dead"),
            (None, "dead"),
        ],
        key=str,
    )


async def test_on_dead_runs_after_a_crash_without_the_handlers(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    receiver = at(path)
    handled = 0
    reporting = asyncio.Event()

    @receiver.on_any
    async def handle(_: events.Event) -> None:
        nonlocal handled
        handled += 1
        raise Reject("hopeless")

    @receiver.on_dead
    async def hang(_: events.Event, __: str) -> None:
        reporting.set()
        await asyncio.Event().wait()

    async with receiver:
        await send(receiver, 1)
        await reporting.wait()
    assert [entry.state for entry in entries(path)] == ["received"]

    restarted = at(path)
    reported: list[str] = []

    @restarted.on_any
    async def handle_again(_: events.Event) -> None:
        nonlocal handled
        handled += 1

    @restarted.on_dead
    async def report(event: events.Event, _: str) -> None:
        reported.append(event.id)

    async with restarted:
        await restarted.settled()
    assert handled == 1
    assert len(reported) == 1
    assert [entry.state for entry in entries(path)] == ["dead"]


async def test_an_on_dead_handler_that_never_succeeds_makes_no_other_dead_letter(tmp_path: Path) -> None:
    receiver = at(tmp_path / "inbox.db", retry_for=0.1)

    @receiver.on_any
    async def reject(_: events.Event) -> None:
        raise Reject("hopeless")

    @receiver.on_dead
    async def fail(_: events.Event, __: str) -> None:
        raise OSError

    async with receiver, asyncio.timeout(60):
        await send(receiver, 1)
        entry = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
    assert entry.error is not None
    assert entry.error.endswith("rejected: hopeless")


async def test_settled_waits_for_handlers_and_not_for_retries(place: Path | str) -> None:
    receiver = at(place)
    handled: list[int] = []

    @receiver.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        for _ in range(20):  # turns of the loop in which settled() must not return
            await asyncio.sleep(0)
        if event.payload.workshop_order_id == 0:
            raise RetryAt(datetime.now(UTC) + timedelta(minutes=5))
        handled.append(event.payload.workshop_order_id)

    async with receiver, asyncio.timeout(60):
        for number in range(10):
            await send(receiver, number % 5)
        await receiver.settled()
        assert sorted(handled) == [1, 1, 2, 2, 3, 3, 4, 4]
    with pytest.raises(UsageError, match="must be open"):
        await receiver.settled()


async def test_accounts_take_turns(tmp_path: Path) -> None:
    receiver = at(tmp_path / "inbox.db", concurrency=1)
    accounts: list[int] = []
    release = asyncio.Event()

    @receiver.on_any
    async def handle(event: events.Event) -> None:
        await release.wait()
        accounts.append(event.account_id)

    async with receiver, asyncio.timeout(60):
        for number in range(200):
            signed = order(number, account_id=1)
            await receiver.receive(signed.body, signed.headers)
        signed = order(1, account_id=2)
        await receiver.receive(signed.body, signed.headers)
        release.set()
        await receiver.settled()
    assert len(accounts) == 201
    assert accounts.index(2) <= 2
