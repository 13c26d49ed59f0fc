"""SqliteInbox: claims at storing, group commit, failed attempts, figures, and a full disk."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time

import pytest
from msgspec import structs

from cyclesoft_async.errors import InboxUnavailableError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import (
    Completed,
    HandlerFailure,
    QueuedDelivery,
    Stored,
    entries,
    failed_attempts,
)
from cyclesoft_async.webhooks.testing import delivery
from tests.support.inboxes import at_work, letter, opened
from tests.support.polling import until
from tests.support.webhook_server import SECRET, eventually, order, running, take


async def test_a_delivery_whose_put_was_cancelled_is_announced(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox) as announced:
        putting = asyncio.create_task(inbox.put(letter(1)))
        await asyncio.sleep(0)
        putting.cancel()
        await inbox.check()
        assert len(announced) == 1


async def test_a_delivery_stored_as_claimed_is_running(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox) as announced:
        assert await inbox.put(structs.replace(letter(1), claim=True)) is Stored.NEW
        assert await inbox.put(structs.replace(letter(1), claim=True)) is Stored.DUPLICATE
        [queued] = announced
        first = queued.claimed
        assert first is not None
        assert (first.seq, first.attempt, first.body, first.replayed) == (queued.seq, 1, b"{}", False)
        assert (first.newest, first.interrupted) == (None, 0)
        await inbox.complete([Completed(first.seq, first.ordering_key, 5.0000001)])
        assert [entry.state for entry in entries(path)] == ["done"]
        await inbox.put(structs.replace(letter(2), ordering_key="1/a/1", claim=True))
        second = announced[1].claimed
        assert second is not None
        assert second.newest == 5.0000001
    async with at_work(SqliteInbox(path)) as hands:
        [again] = await hands.take(1)
        assert (again.seq, again.attempt, again.interrupted) == (second.seq, 2, 1)
        assert again.first_attempt_at == second.first_attempt_at == second.received_at


async def test_deliveries_can_be_completed_together(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox) as announced:
        await asyncio.gather(*(inbox.put(structs.replace(letter(n), claim=True)) for n in range(200)))
        await inbox.complete([Completed(one.seq, one.ordering_key, 1.0) for one in announced])
        assert {entry.state for entry in entries(path, limit=-1)} == {"done"}
        last = asyncio.create_task(inbox.complete([Completed(1, "1/a/0", 2.0)]))
        await asyncio.sleep(0)
    await last  # closing wrote it
    with pytest.raises(InboxUnavailableError):
        await inbox.complete([Completed(1, "1/a/0", 2.0)])


async def test_only_failed_attempts_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with at_work(inbox) as hands:
        await asyncio.gather(*(inbox.put(letter(number)) for number in range(2)))
        fails, succeeds = await hands.take(2)
        slow = HandlerFailure(handler="m.f", error="ValueError: \ud800", seconds=2.0)
        quick = HandlerFailure(handler="m.f", error="KeyError: 1", seconds=1.0)
        await inbox.postpone(fails.seq, 0.0, (), "ValueError", [slow])
        await inbox.claim(fails.seq)
        other = HandlerFailure(handler="m.g", error="OSError", seconds=0.5)
        await inbox.dead_letter(fails.seq, "KeyError", [quick, other])
        await inbox.complete([Completed(succeeds.seq, succeeds.ordering_key, 1.0)])
        stats = await inbox.stats()
    rows = [(one.attempt, one.handler, one.error, one.seconds) for one in failed_attempts(path, fails.seq)]
    assert rows == [
        (1, "m.f", "ValueError: ?", 2.0),
        (2, "m.f", "KeyError: 1", 1.0),
        (2, "m.g", "OSError", 0.5),
    ]
    assert failed_attempts(path, succeeds.seq) == []
    assert [(one.state, one.event_name, one.count) for one in stats.counts] == [
        ("dead", "a.b", 1),
        ("done", "a.b", 1),
    ]
    figures = [(one.handler, one.failures, one.mean_seconds, one.worst_seconds) for one in stats.handlers]
    assert figures == [("m.f", 2, 1.5, 2.0), ("m.g", 1, 0.5, 0.5)]
    assert stats.oldest_due_at is None


async def test_a_delivery_in_backoff_and_those_behind_it_are_not_due(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox) as announced:
        for number, key in enumerate(("1/a/1", "1/a/1", "1/a/2")):
            await inbox.put(structs.replace(letter(number), ordering_key=key))
        await inbox.claim(announced[0].seq)
        await inbox.postpone(announced[0].seq, time() + 3600, (), "not yet")
        stats = await inbox.stats()
    [third] = entries(path, delivery_id="id-2")
    assert stats.oldest_due_at == third.received_at


async def test_a_failing_announcement_fails_no_put(tmp_path: Path) -> None:
    failures: list[str] = []
    announced: list[QueuedDelivery] = []

    def announce(arrived: Sequence[QueuedDelivery]) -> None:
        if any(queued.ordering_key == "1/a/1" for queued in arrived):
            raise ValueError("not this one")
        announced.extend(arrived)

    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(str(context["exception"]))
    )
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.open(announce)
    async with asyncio.timeout(60):
        assert await asyncio.gather(*(inbox.put(letter(n)) for n in range(4))) == [Stored.NEW] * 4
    await inbox.close()
    assert [queued.ordering_key for queued in announced] == ["1/a/0", "1/a/2", "1/a/3"]
    assert failures == ["not this one"]


@contextmanager
def disk_full(path: Path) -> Generator[None]:
    """Fail writes beyond the present size of the inbox's files."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [file for file in path.parent.iterdir() if file.suffix != ".reserve"]
    largest = max((file.stat().st_size for file in files), default=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_deliveries_are_refused_while_the_disk_is_full_and_stored_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path), max_bytes=1 << 20)
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event.id)

    big = delivery("workshop_order.updated", {"workshop_order_id": 2, "x": "y" * 500_000}, secret=SECRET)
    async with running(hooks) as server:
        assert await server.post(order(1)) == 200
        await take(seen)
        with disk_full(path):
            assert await asyncio.gather(*(server.post(big) for _ in range(4))) == [503] * 4
            assert (await asyncio.gather(server.post(big), server.post(order(4))))[0] == 503
        assert await server.post(big) == 200
        assert await server.post(order(3)) == 200
        assert await server.get("/health") == 200
        assert len({await take(seen), await take(seen)}) == 2


async def test_deliveries_keep_their_order_after_a_start_with_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    for number in range(2):  # in a new inbox, and in one that has some
        inbox = SqliteInbox(path)
        with disk_full(path):
            await inbox.open(list[QueuedDelivery]().extend)
            await asyncio.gather(*(inbox.put(letter(n)) for n in range(100, 105)), return_exceptions=True)
        stored = [await inbox.put(letter(10 * number + n)) for n in range(6)]
        await inbox.close()
        assert stored == [Stored.NEW] * 6
        newest = [entry.id for entry in entries(path, limit=6)]
        assert newest == [f"id-{10 * number + n}" for n in reversed(range(6))]


async def test_handlers_wait_while_the_disk_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path), max_bytes=1 << 20)
    started, release = asyncio.Event(), asyncio.Event()
    runs = 0

    @hooks.on_any
    async def handle(_: events.Event) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await release.wait()

    # Its frames make the write-ahead log the largest file, so that no later write has room.
    big = delivery("workshop_order.updated", {"workshop_order_id": 1, "x": "y" * 500_000}, secret=SECRET)
    async with running(hooks) as server:
        assert await server.post(big) == 200
        await started.wait()
        with disk_full(path):
            assert await server.post(order(2)) == 503
            assert await server.get("/health") == 503
            release.set()
            await until(lambda: "handlers wait" in caplog.text)
        await eventually(path, lambda entry: entry.state == "done")
    assert runs == 1
