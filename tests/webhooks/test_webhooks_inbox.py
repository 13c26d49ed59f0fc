"""The SQLite inbox by itself: one owner, full disks, retention, replay."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cyclesoft_async.errors import InboxError, InboxLockedError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import (
    Delivery,
    Queued,
    Stored,
    entries,
)
from cyclesoft_async.webhooks.testing import delivery

from .serving import SECRET, order, running, take


def letter(number: int, *, body: bytes = b"{}", state: str = "received") -> Delivery:
    return Delivery(
        account_id=1,
        id=f"id-{number}",
        event_name="a.b",
        lane=f"1/a/{number}",
        event_timestamp=1.0,
        body=body,
        state="done" if state == "done" else "dead" if state == "dead" else "received",
    )


@asynccontextmanager
async def opened(inbox: SqliteInbox) -> AsyncGenerator[list[Queued]]:
    """What the inbox announces."""
    announced: list[Queued] = []
    await inbox.open(announced.extend)
    try:
        yield announced
    finally:
        await inbox.close()


async def test_what_was_put_is_announced_then_and_at_the_next_start(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox) as announced:
        stored = await asyncio.gather(*(inbox.put(letter(number % 300)) for number in range(400)))
        assert (stored.count(Stored.NEW), stored.count(Stored.DUPLICATE)) == (300, 100)
        assert await inbox.put(letter(1, body=b"[]")) is Stored.QUARANTINED
        assert await inbox.put(letter(1, body=b"[]")) is Stored.DUPLICATE
        assert [queued.lane for queued in announced] == [f"1/a/{number}" for number in range(300)]
    async with opened(inbox) as again:
        await inbox.check()
        assert [queued.lane for queued in again] == [queued.lane for queued in announced]


async def test_a_cancelled_put_is_announced_all_the_same(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox) as announced:
        putting = asyncio.create_task(inbox.put(letter(1)))
        await asyncio.sleep(0)
        putting.cancel()
        await inbox.check()
        assert len(announced) == 1


async def test_closed_means_unavailable(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    with pytest.raises(InboxUnavailableError, match="not open"):
        await inbox.put(letter(1))
    async with opened(inbox):
        with pytest.raises(UsageError, match="open already"):
            await inbox.open(list[Queued]().extend)
        waiting = [asyncio.create_task(inbox.put(letter(number))) for number in range(100)]
        await asyncio.sleep(0)
        closing_down = asyncio.create_task(inbox.close())
        await asyncio.sleep(0)
        with pytest.raises(InboxUnavailableError, match="closed"):
            await inbox.put(letter(101))
        assert set(await asyncio.gather(*waiting)) == {Stored.NEW}
        await closing_down
    await inbox.close()
    assert repr(inbox).startswith("SqliteInbox('")


async def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with opened(SqliteInbox(path)):
        with pytest.raises(InboxLockedError, match="another process has"):
            await SqliteInbox(path).open(list[Queued]().extend)
        second = await asyncio.to_thread(open_elsewhere, path)
        assert "InboxLockedError: another process has the inbox" in second
    assert await asyncio.to_thread(open_elsewhere, path) == ""


def open_elsewhere(path: Path) -> str:
    """What another process says that opens the inbox."""
    script = f"""
import asyncio
from cyclesoft_async.webhooks import SqliteInbox
async def main():
    inbox = SqliteInbox({str(path)!r})
    await inbox.open(print)
    await inbox.close()
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize(
    ("statement", "message"),
    [("CREATE TABLE customers (id)", "but no inbox"), ("PRAGMA user_version = 99", "newer version")],
)
async def test_other_databases_are_left_alone(tmp_path: Path, statement: str, message: str) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
    before = path.read_bytes()
    with pytest.raises(InboxError, match=message):
        await SqliteInbox(path).open(list[Queued]().extend)
    assert path.read_bytes() == before


async def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are my notes, and no database" * 100)
    with pytest.raises(InboxError, match="no inbox"):
        await SqliteInbox(path).open(list[Queued]().extend)
    with pytest.raises(InboxError, match="can't be read"):
        entries(path)
    with pytest.raises(InboxError, match="there is no inbox"):
        entries(tmp_path / "nothing.db")
    with pytest.raises(UsageError, match="does not exist"):
        await SqliteInbox(tmp_path / "nowhere" / "inbox.db").open(list[Queued]().extend)
    with pytest.raises(UsageError, match="retention"):
        SqliteInbox(path, keep_done_days=-1)


@contextmanager
def disk_full(path: Path) -> Generator[None]:
    """No file of this process may grow beyond what the inbox's files have now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in path.parent.iterdir())
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


async def test_old_deliveries_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox) as announced:
        await asyncio.gather(*(inbox.put(letter(number, state="done")) for number in range(1200)))
        await inbox.put(letter(2000, state="dead"))
        await inbox.put(letter(2001))
    assert len(announced) == 1
    async with opened(SqliteInbox(path, keep_done_days=0)) as announced:
        await asyncio.to_thread(wait_until_few, path, 2)
    assert {entry.state for entry in entries(path)} == {"dead", "received"}
    inbox = SqliteInbox(path, keep_dead_days=0)
    async with opened(inbox):
        await inbox.purge()
    assert [entry.state for entry in entries(path)] == ["received"]


def wait_until_few(path: Path, few: int) -> None:
    while len(entries(path, limit=10)) > few:
        pass


async def test_replay(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    hooks = WebhookReceiver(SECRET, inbox, max_attempts=1)
    seen: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
    broken = True

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        if broken and event.id == "bad":
            raise ValueError
        seen.put_nowait((event.id, event.is_redelivery))

    async with running(hooks) as server:
        await server.post(order(1, id="bad"))
        await server.post(order(1, id="good"))
        await server.post(delivery("new.thing", {}, secret=SECRET, id="unknown"))
        assert {await take(seen), await take(seen)} == {("good", False), ("unknown", False)}
        broken = False
        assert await inbox.replay("good") == 1
        assert await take(seen) == ("good", True)
        assert await inbox.replay(only_dead=True) == 2
        assert {await take(seen), await take(seen)} == {("bad", True), ("unknown", True)}
        assert await inbox.replay(since=datetime.now(UTC) + timedelta(days=1)) == 0
        assert await inbox.replay(since=datetime.now(UTC) - timedelta(days=1)) == 3
        assert len([await take(seen) for _ in range(3)]) == 3
