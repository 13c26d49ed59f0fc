"""Handlers: order, retries, dead letters, stopping and starting again."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, dispatcher, events
from cyclesoft_async.webhooks.attempts import Policy, retry_delay
from cyclesoft_async.webhooks.dispatcher import Dispatcher
from cyclesoft_async.webhooks.handlers import Routes
from cyclesoft_async.webhooks.inbox import Delivery, QueuedDelivery, entries
from cyclesoft_async.webhooks.testing import SignedDelivery, delivery
from tests.support.webhook_server import SECRET, eventually, order, running, take


def receiver(
    folder: Path, *, retry_for: float = 600.0, concurrency: int = 64, stop: float = 5.0
) -> WebhookReceiver:
    return WebhookReceiver(
        SECRET,
        SqliteInbox(folder / "inbox.db"),
        retry_after=0.001,
        retry_for=retry_for,
        concurrency=concurrency,
        stop_timeout=stop,
    )


async def test_order_within_an_entity_and_concurrency_across(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, concurrency=8)
    order_of: defaultdict[int, list[int | None]] = defaultdict(list)
    busy: set[int] = set()
    most = 0
    all_done = asyncio.Event()

    @hooks.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        nonlocal most
        number = event.payload.workshop_order_id
        assert number not in busy
        busy.add(number)
        most = max(most, len(busy))
        await asyncio.sleep(0)
        busy.discard(number)
        order_of[number].append(event.payload.status_id)
        if sum(map(len, order_of.values())) == 200:
            all_done.set()

    async with running(hooks) as server, asyncio.timeout(60):
        for status in range(20):
            assert (
                await asyncio.gather(*(server.post(order(n, status=status)) for n in range(10))) == [200] * 10
            )
        await all_done.wait()
    assert order_of == {number: list(range(20)) for number in range(10)}
    assert 1 < most <= 8


async def test_a_stuck_handler_delays_only_its_own_entity(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    release = asyncio.Event()
    seen: asyncio.Queue[tuple[int, int | None]] = asyncio.Queue()

    @hooks.on(events.WorkshopOrderEvent)
    async def handle(event: events.WorkshopOrderEvent) -> None:
        if event.payload.workshop_order_id == 1:
            await release.wait()
        seen.put_nowait((event.payload.workshop_order_id, event.payload.status_id))

    async with running(hooks) as server:
        for number, status in ((1, 1), (1, 2), (2, 1), (2, 2)):
            await server.post(order(number, status=status))
        assert [await take(seen) for _ in range(2)] == [(2, 1), (2, 2)]
        release.set()
        assert [await take(seen) for _ in range(2)] == [(1, 1), (1, 2)]


async def test_a_retry_does_not_rerun_handlers_that_succeeded(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    runs: list[str] = []
    done = asyncio.Event()

    @hooks.on(events.WorkshopOrderUpdated, events.WorkshopOrderDeleted)
    async def first(event: events.Event) -> None:
        runs.append(f"first {event.is_redelivery}")

    @hooks.on(events.WorkshopOrderEvent)
    async def second(event: events.Event) -> None:
        runs.append(f"second {event.is_redelivery}")
        if runs.count("second True") < 1:
            raise ValueError("not yet")
        done.set()

    @hooks.on_any
    async def third(event: events.Event) -> None:
        runs.append(f"third {event.is_redelivery}")

    async with running(hooks) as server, asyncio.timeout(60):
        await server.post(order())
        await done.wait()
    assert runs == ["first False", "second False", "third False", "second True"]


async def test_after_retry_for_an_event_is_dead_with_the_last_line_of_its_error(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, retry_for=0.2)
    seen: asyncio.Queue[int | None] = asyncio.Queue()

    @hooks.on(events.WorkshopOrderUpdated)
    async def fail(event: events.WorkshopOrderUpdated) -> None:
        seen.put_nowait(event.payload.status_id)
        if event.payload.status_id == 1:
            raise LookupError("no such\nthing")

    async with running(hooks) as server:
        await server.post(order(status=1))
        await server.post(order(status=2))
        await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "done")
    handled = [seen.get_nowait() for _ in range(seen.qsize())]
    dead = entries(tmp_path / "inbox.db", state="dead")
    assert handled == [1] * dead[0].attempts + [2]
    assert dead[0].attempts >= 2
    assert dead[0].error is not None
    assert dead[0].error.endswith(".fail: LookupError: no such\nthing")


async def test_a_handler_that_cancels_itself_has_failed(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, retry_for=0.0)

    @hooks.on_any
    async def cancel(_: events.Event) -> None:
        raise asyncio.CancelledError

    async with running(hooks) as server:
        await server.post(order())
        dead = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
        assert "cancelled" in (dead.error or "")


class Panic(BaseException):
    """An exception as extensions in Rust raise it: not an Exception."""


@pytest.mark.parametrize("raised", [Panic("oh"), BaseExceptionGroup("oh", [Panic()])])
async def test_a_base_exception_of_a_handler_is_a_failed_attempt(
    tmp_path: Path, raised: BaseException
) -> None:
    hooks = receiver(tmp_path, retry_for=0.0)
    seen: asyncio.Queue[int | None] = asyncio.Queue()

    @hooks.on(events.WorkshopOrderUpdated)
    async def fail(event: events.WorkshopOrderUpdated) -> None:
        seen.put_nowait(event.payload.status_id)
        if event.payload.status_id == 1:
            raise raised

    async with running(hooks) as server:
        await server.post(order(status=1))
        await server.post(order(status=2))
        assert [await take(seen) for _ in range(2)] == [1, 2]
        dead = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
    assert "oh" in (dead.error or "")


def test_a_handler_may_end_the_process(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)

    @hooks.on_any
    async def leave(_: events.Event) -> None:
        sys.exit(3)

    async def serve() -> None:
        async with running(hooks) as server:
            await server.post(order())
            await asyncio.Event().wait()

    with pytest.raises(SystemExit):
        asyncio.run(serve())
    assert [entry.state for entry in entries(tmp_path / "inbox.db")] == ["running"]


def at(timestamp: float, number: int = 1) -> SignedDelivery:
    return delivery(
        events.WorkshopOrderUpdated,
        {"workshop_order_id": number},
        secret=SECRET,
        occurred_at=datetime.fromtimestamp(timestamp, UTC),
    )


async def test_stale_events_are_marked(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    seen: asyncio.Queue[tuple[float, bool]] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait((event.event_timestamp, event.stale))

    async with running(hooks) as server:
        for timestamp in (100, 300, 200, 300, 400):
            await server.post(at(timestamp))
        assert [await take(seen) for _ in range(5)] == [
            (100, False), (300, False), (200, True), (300, False), (400, False),
        ]  # fmt: skip
        await server.post(at(100, number=2))
        assert await take(seen) == (100, False)


async def test_a_cut_off_event_is_handled_after_a_restart(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, stop=0.0)
    started: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def hang(event: events.Event) -> None:
        started.put_nowait(event.id)
        await asyncio.Event().wait()

    async with running(hooks) as server:
        await server.post(order(1, id="a"))
        await server.post(order(1, id="b"))
        await server.post(order(2, id="c"))
        assert {await take(started), await take(started)} == {"a", "c"}
    kept = {entry.id: (entry.state, entry.attempts) for entry in entries(tmp_path / "inbox.db")}
    assert kept == dict.fromkeys("abc", ("received", 0))

    hooks = receiver(tmp_path)
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event.id)

    async with running(hooks):
        ids = [await take(seen) for _ in range(3)]
    assert ids.index("a") < ids.index("b")


async def test_stopping_lets_handlers_finish(tmp_path: Path) -> None:
    hooks = receiver(tmp_path)
    started = asyncio.Event()
    release = asyncio.Event()

    @hooks.on_any
    async def slow(_: events.Event) -> None:
        started.set()
        await release.wait()

    async with running(hooks) as server:
        await server.post(order())
        await started.wait()
        asyncio.get_running_loop().call_later(0.05, release.set)
    assert [entry.state for entry in entries(tmp_path / "inbox.db")] == ["done"]


async def test_once_cut_off_no_other_handler_starts(tmp_path: Path) -> None:
    hooks = receiver(tmp_path, stop=0.0)
    started = asyncio.Event()

    @hooks.on_any
    async def finish_anyway(_: events.Event) -> None:
        started.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    hooks.on_any(never)
    async with running(hooks) as server:
        await server.post(order())
        await started.wait()
    assert [(entry.state, entry.attempts) for entry in entries(tmp_path / "inbox.db")] == [("received", 0)]


async def test_a_handler_that_outlives_the_stop_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_CANCEL_SECONDS", 0.01)
    hooks = receiver(tmp_path, stop=0.0)
    started: asyncio.Queue[asyncio.Task[object] | None] = asyncio.Queue()
    committed = asyncio.Event()

    @hooks.on_any
    async def commit(_: events.Event) -> None:
        started.put_nowait(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await committed.wait()
        await committed.wait()

    async with running(hooks) as server:
        await server.post(order())
        handling = await take(started)
    assert handling is not None
    committed.set()
    _, left = await asyncio.wait({handling}, timeout=5)
    assert not left

    hooks = receiver(tmp_path)
    seen: asyncio.Queue[bool] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event.is_redelivery)

    async with running(hooks):
        assert await take(seen)


async def test_a_retry_that_is_not_due_waits_over_a_restart(tmp_path: Path) -> None:
    failing = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"), retry_after=3600.0)
    ran = asyncio.Event()

    @failing.on_any
    async def fail(_: events.Event) -> None:
        ran.set()
        raise OSError

    async with running(failing) as server:
        await server.post(order())
        await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "retrying")
    hooks = receiver(tmp_path)
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event.id)

    async with running(hooks) as server:
        await server.post(order(2, id="other"))
        assert await take(seen) == "other"
    assert seen.empty()


@given(st.integers(1, 10_000), st.floats(0.001, 100.0), st.floats(0.0, 1.0, exclude_max=True))
def test_the_delay_doubles_up_to_an_hour(attempt: int, first: float, random: float) -> None:
    longest = min(3600.0, first * 2.0 ** min(attempt - 1, 60))
    assert longest / 2.0 <= retry_delay(attempt, first, lambda: random) <= longest


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5.0), (2, 10.0), (3, 20.0), (11, 3600.0)])
def test_delays_without_jitter(attempt: int, seconds: float) -> None:
    assert retry_delay(attempt, 5.0, lambda: 0.0) == seconds


async def test_an_event_that_ends_the_process_each_time_is_dead_in_the_end(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with running(receiver(tmp_path)) as server:
        await server.post(delivery("new.thing", {}, secret=SECRET, id="poison"))
    waiting: list[QueuedDelivery] = []
    await inbox.open(waiting.extend)
    await inbox.replay("poison")
    for attempt in range(1, 11):  # as ten processes do that die in a handler
        assert (await inbox.claim(waiting[0].seq)).attempt == attempt
    await inbox.close()
    hooks = receiver(tmp_path)
    hooks.on(events.UnknownEvent)(never)
    async with running(hooks):
        dead = await eventually(tmp_path / "inbox.db", lambda entry: entry.state == "dead")
    assert dead.error == "the process ended during each of 10 attempts"


async def never(_: events.Event) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("signer", "state"), [(1, "done"), (2, "dead"), (0, "done")], ids=["its own", "another's", "not known"]
)
async def test_a_dead_letter_is_only_ever_an_event_of_the_account_that_signed_it(
    tmp_path: Path, signer: int, state: str
) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.open(list[QueuedDelivery]().extend)
    await inbox.put(  # as a version does that can't read the body
        Delivery(
            account_id=signer,
            id="sha256:0",
            event_name=None,
            ordering_key=f"{signer}/?/0",
            event_timestamp=None,
            body=order(account_id=1).body,
            state="dead",
        )
    )
    await inbox.replay(only_dead=True)
    await inbox.close()
    hooks = receiver(tmp_path)
    seen: list[int] = []

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.append(event.account_id)

    async with running(hooks):
        entry = await eventually(tmp_path / "inbox.db", lambda entry: entry.state in {"done", "dead"})
    assert entry.state == state
    assert seen == ([1] if state == "done" else [])
    assert ("account 2" in (entry.error or "")) == (state == "dead")


async def test_no_handler_starts_while_the_inbox_cannot_be_written(tmp_path: Path) -> None:
    routes = Routes()
    routes.add((events.Event,), never)
    dispatcher = Dispatcher(SqliteInbox(tmp_path / "never-opened.db"), routes, Policy(concurrency=1))
    dispatcher.add([QueuedDelivery(1, "1/a/1", 0.0)])
    await asyncio.sleep(0)
    await dispatcher.stop(0.0)


async def test_a_fault_of_an_inbox_is_logged_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.open(list[QueuedDelivery]().extend)
    dispatcher = Dispatcher(inbox, Routes(), Policy(concurrency=1))
    dispatcher.add([QueuedDelivery(404, "1/a/1", 0.0)])
    while "the dispatcher failed" not in caplog.text:
        await inbox.check()
    await inbox.close()
    assert "the dispatcher failed: KeyError at " in caplog.text
