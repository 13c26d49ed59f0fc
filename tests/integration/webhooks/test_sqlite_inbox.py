"""What is the file's own affair: its lock, its permissions, its version, and a disk that is full."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import QueuedDelivery, Stored, entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.webhook_server import SECRET, order, running, take

from .test_inbox import letter, opened


async def test_a_cancelled_put_is_announced_all_the_same(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox) as announced:
        putting = asyncio.create_task(inbox.put(letter(1)))
        await asyncio.sleep(0)
        putting.cancel()
        await inbox.check()
        assert len(announced) == 1


async def test_an_announcement_that_fails_leaves_no_put_without_its_answer(tmp_path: Path) -> None:
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
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(inbox.put(letter(n)) for n in range(4))) == [Stored.NEW] * 4
    await inbox.close()
    assert [queued.ordering_key for queued in announced] == ["1/a/0", "1/a/2", "1/a/3"]
    assert failures == ["not this one"]


@contextmanager
def disk_full(path: Path) -> Generator[None]:
    """No file of this process may grow beyond what the inbox's files have now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [file for file in path.parent.iterdir() if file.suffix != ".reserve"]
    largest = max((file.stat().st_size for file in files), default=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_full_disk_is_503_and_the_next_attempt_lands(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path))
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


async def test_after_a_start_with_a_full_disk_deliveries_keep_their_order(tmp_path: Path) -> None:
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


async def test_handlers_wait_while_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path))
    started, release = asyncio.Event(), asyncio.Event()
    runs = 0

    @hooks.on_any
    async def handle(_: events.Event) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await release.wait()

    async with running(hooks) as server:
        assert await server.post(order(1)) == 200
        await started.wait()
        with disk_full(path):
            while await server.get("/health") == 200:
                pass
            release.set()
            await asyncio.sleep(0)
        await asyncio.to_thread(wait_until_done, path)
    assert runs == 1


def wait_until_done(path: Path) -> None:
    while entries(path)[0].state != "done":
        pass
