"""SqliteInbox: replay and purge beside deliveries, the size of the file, and a full disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import SqliteInbox
from cyclesoft_async.webhooks.inbox import Selection, Stored, entries
from cyclesoft_async.webhooks.inbox.sqlite.connection import InboxFile
from cyclesoft_async.webhooks.inbox.sqlite.maintenance import PurgeSlice, Retention, purge, shrink
from cyclesoft_async.webhooks.inbox.sqlite.upgrades import id_hash
from tests.support.inboxes import letter, opened
from tests.support.paths import DATA


async def test_deleted_data_is_in_none_of_the_files(tmp_path: Path) -> None:
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


async def test_a_replay_lets_deliveries_through(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    async with opened(inbox) as announced:
        await asyncio.gather(*(inbox.put(letter(number, state="done")) for number in range(3000)))
        replaying = asyncio.create_task(inbox.replay())
        await asyncio.sleep(0)
        assert await inbox.put(letter(5000)) is Stored.NEW
        assert not replaying.done()
        assert await replaying == 3000
        assert len(announced) == 3001


async def test_a_purge_shrinks_the_file(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox):
        bodies = (letter(number, body=b"x" * 4000, state="done") for number in range(600))
        await asyncio.gather(*map(inbox.put, bodies))
    full = path.stat().st_size
    assert await SqliteInbox(path, keep_done_days=0).purge() == 600
    assert path.stat().st_size < full / 4


async def test_one_slice_of_shrinking_gives_back_many_pages(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path)
    async with opened(inbox):
        bodies = (letter(number, body=b"x" * 4000, state="done") for number in range(600))
        await asyncio.gather(*map(inbox.put, bodies))
    with closing(InboxFile(path, on_open=lambda _: None)) as file:
        window = PurgeSlice(Retention(0, 0, 730), Selection())
        purge(file, [window, window._replace(after=500)])
        before = pages(file)
        assert shrink(file, [None]) == [True]
        assert before - pages(file) == 64


def pages(file: InboxFile) -> int:
    (number,) = file.connection.execute("PRAGMA page_count").fetchone()
    return int(number)


async def test_only_selected_deliveries_are_replayed_and_purged(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path, keep_done_days=0, keep_dead_days=0)
    async with opened(inbox):
        for number in range(4):
            await inbox.put(letter(number, state="done" if number % 2 else "dead"))
        one, dead = Selection(entity="a/1"), Selection(states=("dead",))
        assert await inbox.replay(where=one, dry_run=True) == 1
        assert await inbox.purge(dead, dry_run=True) == 2
        assert len(entries(path, state="done")) == 2
        assert await inbox.replay(where=one) == 1
        assert await inbox.purge(dead) == 2
        assert [(entry.id, entry.state) for entry in entries(path)] == [
            ("id-3", "done"),
            ("id-1", "received"),
        ]


async def test_compacting_makes_a_file_of_version_2_shrink(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript((DATA / "sqlite_inbox_2.sql").read_text())
        old.commit()
    inbox = SqliteInbox(path, keep_done_days=1e6, keep_dead_days=1e6)
    async with opened(inbox):
        bodies = (letter(number, body=b"x" * 4000, state="done") for number in range(10, 600))
        await asyncio.gather(*map(inbox.put, bodies))
        with pytest.raises(UsageError, match="cannot be compacted while it is open"):
            await inbox.compact()
    full = path.stat().st_size
    everything_done = SqliteInbox(path, keep_done_days=0)
    assert await everything_done.purge(Selection(until=datetime(2020, 1, 1, tzinfo=UTC))) == 2
    await everything_done.compact()
    assert await everything_done.purge() == 590
    assert path.stat().st_size < full / 4
    assert [entry.id for entry in entries(path)] == ["id-3"]


async def test_a_purge_leaves_some_seventy_bytes_of_a_delivery(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path, keep_done_days=0)
    async with opened(inbox):
        empty = path.stat().st_size
        for first in range(0, 20_000, 2_000):
            letters = (letter(number, state="done") for number in range(first, first + 2_000))
            await asyncio.gather(*map(inbox.put, letters))
            await inbox.purge()
    await inbox.compact()
    assert path.stat().st_size - empty < 20_000 * 70


async def test_a_purged_delivery_with_the_same_hash_is_another(tmp_path: Path) -> None:
    """As 64 bits may collide."""
    path = tmp_path / "inbox.db"
    inbox = SqliteInbox(path, keep_done_days=0)
    async with opened(inbox):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO purged_ids VALUES (?, ?, ?)", (id_hash(1, "id-1"), bytes(16), time()))
    async with opened(inbox):
        assert await inbox.put(letter(1, state="done")) is Stored.NEW
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
        assert await inbox.purge() == 1
        assert await inbox.put(letter(1)) is Stored.DUPLICATE


def test_a_purge_works_on_a_full_disk(tmp_path: Path) -> None:
    disk = f"mount -t tmpfs -o size=24m tmpfs {tmp_path}"
    script = f"{disk} && exec {sys.executable} -m tests.support.full_disk {tmp_path}"
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    command = ["unshare", *as_root, "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    stored, purged = map(int, done.stdout.split())
    assert stored == purged
    assert stored > 1000
