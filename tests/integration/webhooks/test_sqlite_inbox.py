"""What is the file's own affair: its lock, its permissions, its version, and a disk that is full."""

from __future__ import annotations

import asyncio
import errno
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cyclesoft_async.errors import InboxError, InboxLockedError, UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import QueuedDelivery, Stored, entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.paths import DATA
from tests.support.webhook_server import SECRET, order, running, take

from .test_inbox import at_work, letter, opened


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


async def test_a_file_that_can_not_be_made_private_is_503_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, _: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    path = tmp_path / "inbox.db"
    path.touch()
    path.chmod(0o644)
    hooks = WebhookReceiver(SECRET, SqliteInbox(path))
    async with asyncio.timeout(10):
        # As a file that belongs to somebody else, or a file system that knows no owners, refuses it.
        monkeypatch.setattr(Path, "chmod", refuse)
        async with running(hooks) as server:
            assert "others may read" in caplog.text
            assert await server.post(order(1)) == 503
            monkeypatch.undo()
            assert await server.post(order(1)) == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_is_deleted_is_in_none_of_the_files_any_more(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path, keep_done_days=0.0)
    async with opened(inbox):
        for number in range(3):
            await inbox.put(letter(number, body=b'{"iban": "NL91ABNA0417164300"}', state="done"))
        assert b"NL91ABNA0417164300" in everything(tmp_path)
        # Also when it is written in one transaction with something else.
        await asyncio.gather(inbox.purge(), inbox.put(letter(4)))
        assert b"NL91ABNA0417164300" not in everything(tmp_path)
    assert len(entries(path)) == 1


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock")


async def test_a_file_of_the_version_before_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript((DATA / "sqlite_inbox_1.sql").read_text())
        old.execute(
            "INSERT INTO arrivals (seq, account_id, delivery_id, variant, lane, received_at, state, body)"
            " VALUES (1, 1, 'id-1', 0, '1/a/1', 1e9, 'received', x'7b7d')"
        )
        old.commit()
    inbox = SqliteInbox(path)
    async with at_work(inbox) as hands:
        [work] = await hands.take(1)
        await inbox.release(work.seq, ())
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
    async with at_work(SqliteInbox(path)) as hands:
        [work] = await hands.take(1)
        assert (work.attempt, work.replayed) == (1, True)


async def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with opened(SqliteInbox(path)):
        with pytest.raises(InboxLockedError, match="another process has"):
            await SqliteInbox(path).open(list[QueuedDelivery]().extend)
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
        await SqliteInbox(path).open(list[QueuedDelivery]().extend)
    assert path.read_bytes() == before


async def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are my notes, and no database" * 100)
    with pytest.raises(InboxError, match="no inbox"):
        await SqliteInbox(path).open(list[QueuedDelivery]().extend)
    with pytest.raises(InboxError, match="can't be read"):
        entries(path)
    with pytest.raises(InboxError, match="there is no inbox"):
        entries(tmp_path / "nothing.db")
    with pytest.raises(UsageError, match="does not exist"):
        await SqliteInbox(tmp_path / "nowhere" / "inbox.db").open(list[QueuedDelivery]().extend)
    with pytest.raises(UsageError, match="retention"):
        SqliteInbox(path, keep_done_days=-1)


@contextmanager
def disk_full(path: Path) -> Generator[None]:
    """No file of this process may grow beyond what the inbox's files have now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max((file.stat().st_size for file in path.parent.iterdir()), default=0)
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
