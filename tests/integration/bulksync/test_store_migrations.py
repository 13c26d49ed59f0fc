"""The schema of a store: made on first use, brought up to date, and refused when it is not ours to touch."""

import sqlite3
import sys
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from cyclesoft_async.errors import StoreError, UsageError
from tests.support.paths import DATA
from tests.support.store import SQLITE, YEAR, begin, page_of, rows

VERSION_0_1 = (DATA / "store_0_1.sql").read_text(encoding="utf-8")
OPEN = """
import sys, anyio
from cyclesoft_async.bulksync import Store
async def main():
    async with Store(sys.argv[1]).open(): pass
anyio.run(main)
"""


async def test_the_schema_is_made_once_and_stays(url: str) -> None:
    for _ in range(2):
        async with Store(url).open() as writer:
            assert await writer.last_run(YEAR.first, YEAR.last) is None
    assert rows(url, "select version from cyclesoft_schema") == [(3,)]


async def test_processes_may_open_an_empty_database_at_the_same_time(url: str) -> None:
    results: list[tuple[int, bytes]] = []

    async def open_it() -> None:
        done = await anyio.run_process([sys.executable, "-c", OPEN, url], stderr=PIPE, check=False)
        results.append((done.returncode, done.stderr))

    async with anyio.create_task_group() as processes:
        for _ in range(4):
            processes.start_soon(open_it)
    assert results == [(0, b"")] * 4
    assert rows(url, "select version from cyclesoft_schema") == [(3,)]


async def test_tasks_may_open_an_empty_database_at_the_same_time(url: str) -> None:
    async def open_it() -> None:
        async with Store(url).open():
            pass

    async with anyio.create_task_group() as tasks:
        for _ in range(16):
            tasks.start_soon(open_it)
    assert rows(url, "select version from cyclesoft_schema") == [(3,)]


async def test_new_files_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    async def open_it(number: int) -> None:
        async with Store(f"sqlite:///{tmp_path}/{number}.db").open():
            pass

    # SQLite refuses about one in five hundred of these, unless it is asked again.
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            for _ in range(16):
                tasks.start_soon(open_it, number)


async def test_a_newer_schema_is_refused(url: str) -> None:
    async with Store(url).open():
        pass
    rows(url, "update cyclesoft_schema set version = 4")
    with pytest.raises(StoreError, match="schema 4, made by a newer version of this library"):
        async with Store(url).open():
            pass


async def test_tables_of_somebody_else_are_refused_and_left_alone(url: str) -> None:
    rows(url, "create table workshop_orders (workshop_order_id integer primary key, mine text)")
    with pytest.raises(StoreError, match="a table workshop_orders that is not this library's") as caught:
        async with Store(url).open():
            pass
    assert ": it has no column borrowed_object_reference, " in str(caught.value)
    tables = "select table_name from information_schema.tables where table_schema = 'public'"
    if url.startswith("sqlite"):
        tables = "select name from sqlite_master where type in ('table', 'view')"
    assert rows(url, tables) == [("workshop_orders",)]
    assert rows(url, "select mine from workshop_orders") == []


@pytest.mark.parametrize("definition", ["text", "text not null default 'x'"])
async def test_columns_that_somebody_added_do_no_harm(url: str, definition: str) -> None:
    async with Store(url).open():
        pass
    rows(url, f"alter table workshop_orders add column mine {definition}")
    async with Store(url).open() as writer:
        await writer.write([page_of(await begin(writer), {"workshop_order_id": 1})], requests=1)
    rows(url, "update workshop_orders set mine = 'kept'")
    async with Store(url).open() as writer:
        await writer.write([page_of(await begin(writer), {"workshop_order_id": 1})], requests=1)
    assert rows(url, "select mine, seen_run_id from workshop_orders") == [("kept", 2)]


async def test_a_database_of_version_0_1_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as old, old:
        old.executescript(VERSION_0_1)
        old.execute(
            "insert into workshop_orders (workshop_order_id, datetime_modified, status_text, raw)"
            " values (1, '2025-07-01 07:00:00.000000', 'old', '{}'), (2, null, 'old', '{}')"
        )
        old.execute("insert into workshop_order_items (workshop_order_id, position) values (1, 0), (2, 0)")
        old.execute(
            "insert into rejected_rows (seen_at, reason, raw) values"
            """ ('2025-07-01 07:00:00.000000', 'then', cast('{"workshop_order_id": 3}' as blob)),"""
            """ ('2025-07-01 07:00:00.000000', 'then',"""
            """ cast('{"workshop_order_id": 2, "order_items": 7}' as blob))"""
        )
    url = f"{SQLITE}{file}"
    async with Store(url).open() as writer:
        assert await writer.retry_rejected() == RetriedRows(stored=1, rejected=1)
        run = await begin(writer)
        same_time = {"workshop_order_id": 1, "datetime_modified": "2025-07-01 09:00:00", "status_text": "new"}
        await writer.write(
            [page_of(run, same_time, {"workshop_order_id": 2, "status_text": "new"})], requests=1
        )
        await writer.finish_run(run.run_id, requests=0)
    assert rows(url, "select workshop_order_id, status_text, seen_run_id from workshop_orders") == [
        (1, "new", 1),
        (2, "new", 1),
        (3, None, None),
    ]
    assert rows(url, "select count(*) from workshop_order_items") == [(0,)]
    assert rows(url, "select * from rejected_rows") == [], "the run has come across the second order"
    assert rows(url, "select name from pragma_index_info('ix_workshop_orders_start_seen')") == [
        ("datetime_scheduled_start",),
        ("seen_run_id",),
    ]
    assert rows(
        url, "select datetime_modified from workshop_orders_amsterdam where workshop_order_id = 1"
    ) == [("2025-07-01 09:00:00",)]


async def test_a_database_of_schema_2_is_brought_up_to_date(url: str) -> None:
    unreadable = [b'{"workshop_order_id": 7, "order_items": 7}', b'{"workshop_order_id": []}']
    async with Store(url).open() as writer:
        run = await begin(writer)
        await writer.write([page_of(run, {"workshop_order_id": 1}, *unreadable)], requests=1)
    for back in (
        "alter table rejected_rows drop column workshop_order_id",
        "alter table cyclesoft_windows drop column reached",
        "create view mine as select * from workshop_orders_amsterdam",
        "update cyclesoft_schema set version = 2",
    ):
        rows(url, back)
    async with Store(url).open() as writer:
        found = await writer.last_run(YEAR.first, YEAR.last)
        assert found == await writer.current_run(run.run_id)
        assert found is not None
        assert (found.orders, found.rejected, found.windows[0].reached) == (1, 2, None)
        await writer.write([page_of(found, {"workshop_order_id": 2})], requests=1)
    assert rows(url, "select version from cyclesoft_schema") == [(3,)]
    assert rows(url, "select workshop_order_id from rejected_rows order by id") == [(7,), (None,)]
    assert rows(url, "select workshop_order_id from mine order by 1") == [(1,), (2,)]


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cyclesoft_async.bulksync.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'cyclesoft-async\[postgres\]'"):
        Store("postgresql://localhost/orders")
    Store("sqlite:///orders.db")
