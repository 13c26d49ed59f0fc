"""SqliteInbox: permissions, lock and versions of its files, and files that are replaced or locked."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from cyclesoft_async.errors import InboxError, InboxLockedError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver
from cyclesoft_async.webhooks.inbox import QueuedDelivery, Stored, entries
from cyclesoft_async.webhooks.inbox.sqlite.upgrades import id_hash
from tests.support.inboxes import at_work, letter, opened
from tests.support.paths import DATA
from tests.support.webhook_server import SECRET, order, running


async def test_deliveries_are_refused_until_the_file_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, _: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    path = tmp_path / "inbox.db"
    path.touch()
    path.chmod(0o644)
    hooks = WebhookReceiver(SECRET, SqliteInbox(path))
    async with asyncio.timeout(60):
        # As a file of another owner, or a file system without owners, refuses it.
        monkeypatch.setattr(Path, "chmod", refuse)
        async with running(hooks) as server:
            assert "others may read" in caplog.text
            assert await server.post(order(1)) == 503
            monkeypatch.undo()
            assert await server.post(order(1)) == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_of_version_1_is_upgraded(tmp_path: Path) -> None:
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
        [claimed] = await hands.take(1)
        await inbox.release(claimed.seq, ())
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
    async with at_work(SqliteInbox(path)) as hands:
        [claimed] = await hands.take(1)
        assert (claimed.attempt, claimed.replayed) == (1, True)


async def test_a_file_of_version_2_keeps_ids_attempts_and_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript((DATA / "sqlite_inbox_2.sql").read_text())
        old.execute("UPDATE lanes SET changed_at = unixepoch()")  # newest times are kept for two years
        old.commit()
    with pytest.raises(InboxError, match="older version"):
        entries(path)
    inbox = SqliteInbox(path, keep_done_days=1e6, keep_dead_days=1e6)
    async with at_work(inbox) as hands:
        [claimed] = await hands.take(1)
        assert (claimed.seq, claimed.attempt, claimed.handled, claimed.newest) == (3, 2, ("first",), 1.0)
        assert claimed.interrupted == 1
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
        assert await inbox.put(letter(1, body=b"[]")) is Stored.DUPLICATE
        assert await inbox.put(letter(1, body=b"[1]")) is Stored.QUARANTINED
        assert await inbox.put(letter(3)) is Stored.DUPLICATE
        assert await inbox.put(letter(4)) is Stored.NEW
    states = [entry.state for entry in entries(path)]
    assert states == ["running", "quarantined", "running", "quarantined", "done"]


async def test_two_ids_with_the_same_hash_are_two_deliveries(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with opened(SqliteInbox(path)):
        pass
    with closing(sqlite3.connect(path)) as forged:
        # The id of the delivery to come is taken by another one, as only a collision does it.
        forged.execute(
            "INSERT INTO arrivals (seq, account_id, delivery_id, id_hash, ordering_key, received_at, state,"
            " attempts, body) VALUES (1, 1, 'another', ?, '1/a/1', 1e9, 'quarantined', 0, x'7b7d')",
            (id_hash(1, "id-1"),),
        )
        forged.commit()
    inbox = SqliteInbox(path, keep_dead_days=1e6)
    async with opened(inbox):
        assert await inbox.put(letter(1)) is Stored.NEW
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
        assert await inbox.put(letter(1, body=b"[]")) is Stored.QUARANTINED
    assert sorted(entry.id for entry in entries(path)) == ["another", "id-1", "id-1"]


async def test_what_is_no_regular_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "inbox.db"
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    with pytest.raises(InboxError, match=r"the inbox must be a regular file, got .*inbox\.db"):
        await SqliteInbox(pipe).open(list[QueuedDelivery]().extend)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o644


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with opened(SqliteInbox(path)):
        for _ in range(2):
            with pytest.raises(InboxLockedError, match=r"another process has .*--workers 1.*PostgresInbox"):
                await SqliteInbox(path).open(list[QueuedDelivery]().extend)
            second = await asyncio.to_thread(open_elsewhere, path)
            assert "InboxLockedError: another process has the inbox" in second
            path.with_name("inbox.db.lock").unlink()  # a new one can be locked
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


async def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "inbox.db.lock").symlink_to(victim)
    with pytest.raises(InboxError, match="must be a regular file"):
        await SqliteInbox(tmp_path / "inbox.db").open(list[QueuedDelivery]().extend)
    assert not victim.exists()


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox):
        await inbox.put(letter(1))
        files = modes(tmp_path)
    names = ("inbox.db", "inbox.db-wal", "inbox.db-shm", "inbox.db.lock", "inbox.db.reserve")
    assert files == dict.fromkeys(names, 0o600)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def delete(path: Path) -> None:
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        file.unlink()


def move(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def replace(path: Path) -> None:
    backup = path.with_suffix(".backup")
    asyncio.run(fill(backup))
    backup.rename(path)


async def fill(path: Path) -> None:
    inbox = SqliteInbox(path)
    async with opened(inbox):
        await asyncio.gather(*(inbox.put(letter(number)) for number in (100, 101)))


def delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def delete_index_of_log(path: Path) -> None:
    Path(f"{path}-shm").unlink()


@pytest.mark.parametrize(
    ("operation", "left"),
    [(delete, 0), (move, 0), (replace, 2), (delete_log, 4), (delete_index_of_log, 4)],
)
@pytest.mark.parametrize("folder_is_quiet", [False, True])
async def test_deliveries_are_refused_when_the_file_was_moved_deleted_or_replaced(
    operation: Callable[[Path], None],
    left: int,
    folder_is_quiet: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "inbox.db"
    hooks = WebhookReceiver(SECRET, SqliteInbox(path))
    async with running(hooks) as server:
        for number in range(3):
            if folder_is_quiet:
                os.utime(tmp_path, (1e9, 1e9))  # as after hours without a change of a name in it
            assert await server.post(order(number)) == 200
        await asyncio.to_thread(operation, path)
        assert [await server.post(order(number)) for number in range(3, 6)] == [503] * 3
        assert await server.get("/health") == 503
        crashed = tmp_path / "crashed"
        shutil.copytree(tmp_path, crashed)  # as a `kill -9` leaves the files
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "moved, deleted or replaced" in record.getMessage()
    for folder in (tmp_path, crashed):
        async with opened(SqliteInbox(folder / "inbox.db", keep_done_days=1e6)):
            assert len(entries(folder / "inbox.db")) in {left, left - 1 if left == 4 else left}


async def test_a_lock_of_another_program_fails_all_waiting_deliveries_at_once(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = monotonic()
            for _ in range(3):
                puts = (inbox.put(letter(number)) for number in range(300))
                failed = await asyncio.gather(*puts, return_exceptions=True)
                assert {type(error) for error in failed} == {InboxUnavailableError}
            # One that waited by itself would wait for 15 minutes.
            assert monotonic() - began < 60
            other.execute("ROLLBACK")
        assert await inbox.put(letter(1)) is Stored.NEW


async def test_a_purge_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path, keep_done_days=0)
    async with opened(inbox):
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM deliveries").fetchone()
            began = monotonic()
            for number in range(50):
                await inbox.put(letter(number, state="done"))
                assert await inbox.purge() == 1
            assert monotonic() - began < 60  # with 1.5 seconds for each: 75
