"""Schema of a store: created on first use, upgraded, repaired, and refused when it is not ours."""

import sqlite3
import sys
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.store.migrations import VERSION
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from cyclesoft_async.errors import StoreError
from tests.support.paths import DATA
from tests.support.store import (
    SQLITE,
    YEAR,
    begin,
    finish,
    last_run,
    load_version_4,
    missing,
    rows,
    stored,
    version,
    write,
)

VERSION_0_1 = (DATA / "store_0_1.sql").read_text(encoding="utf-8")
OPEN = """
import sys, anyio
from cyclesoft_async.bulksync import Store
async def main():
    async with Store(sys.argv[1]).open(): pass
anyio.run(main)
"""


async def test_the_schema_is_created_once(url: str) -> None:
    for _ in range(2):
        async with Store(url).open() as writer:
            assert await last_run(writer) is None
    assert rows(url, "select version from cyclesoft_schema") == [(VERSION,)]


async def test_processes_may_open_an_empty_database_at_the_same_time(url: str) -> None:
    results: list[tuple[int, bytes]] = []

    async def open_it() -> None:
        done = await anyio.run_process([sys.executable, "-c", OPEN, url], stderr=PIPE, check=False)
        results.append((done.returncode, done.stderr))

    async with anyio.create_task_group() as processes:
        for _ in range(4):
            processes.start_soon(open_it)
    assert results == [(0, b"")] * 4
    assert rows(url, "select version from cyclesoft_schema") == [(VERSION,)]


async def test_tasks_may_open_an_empty_database_at_the_same_time(url: str) -> None:
    async def open_it() -> None:
        async with Store(url).open():
            pass

    async with anyio.create_task_group() as tasks:
        for _ in range(16):
            tasks.start_soon(open_it)
    assert rows(url, "select version from cyclesoft_schema") == [(VERSION,)]


async def test_new_files_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
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
    rows(url, "update cyclesoft_schema set version = 6")
    with pytest.raises(StoreError, match="schema 6, made by a newer version of this library"):
        async with Store(url).open():
            pass


async def test_tables_of_another_application_are_refused_and_left_alone(url: str) -> None:
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
async def test_columns_that_users_added_stay(url: str, definition: str) -> None:
    async with Store(url).open():
        pass
    rows(url, f"alter table workshop_orders add column mine {definition}")
    async with Store(url).open() as writer:
        await write(writer, await begin(writer), {"workshop_order_id": 1})
    rows(url, "update workshop_orders set mine = 'kept'")
    async with Store(url).open() as writer:
        await write(writer, await begin(writer), {"workshop_order_id": 1})
    assert rows(url, "select mine from workshop_orders") == [("kept",)]


async def test_a_database_of_version_0_1_is_upgraded(tmp_path: Path) -> None:
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
    assert await Store(url).retry_rejected() == RetriedRows(stored=1, rejected=1)
    async with Store(url).open() as writer:
        run = await begin(writer)
        same_time = {"workshop_order_id": 1, "datetime_modified": "2025-07-01 09:00:00", "status_text": "new"}
        await write(writer, run, same_time, {"workshop_order_id": 2, "status_text": "new"})
        await finish(writer, run)
    assert rows(url, "select workshop_order_id, status_text from workshop_orders") == [
        (1, "new"),
        (2, "new"),
        (3, None),
    ]
    assert rows(url, "select count(*) from workshop_order_items") == [(0,)]
    assert rows(url, "select * from rejected_rows") == [], "the run has seen the second order"
    assert rows(url, "select name from pragma_index_info('ix_workshop_orders_start')") == [
        ("datetime_scheduled_start",)
    ]
    assert rows(
        url, "select datetime_modified from workshop_orders_amsterdam where workshop_order_id = 1"
    ) == [("2025-07-01 09:00:00",)]


def load_version_3(url: str) -> None:
    """Fill a database with the tables of version 3."""
    load_version_4(url)
    for back in (
        "drop table cyclesoft_seen",
        "drop table cyclesoft_windows",
        "create table cyclesoft_windows (run_id bigint, number integer, cursor text, done boolean)",
        "alter table cyclesoft_schema drop column account",
        "alter table cyclesoft_runs drop column refetched",
        "alter table cyclesoft_runs drop column suspicion",
        "alter table cyclesoft_runs drop column accepts_missing",
        "alter table workshop_orders add column seen_run_id bigint",
        "drop index ix_workshop_orders_start",
        "create index ix_workshop_orders_start_seen on workshop_orders (seen_run_id)",
        "create view mine as select * from workshop_orders_amsterdam",
        "insert into cyclesoft_runs (run_id, date_from, date_until, started_at, active_at)"
        " values (2, '2025-01-01', '2025-12-31', '2025-07-01 07:00:00', '2025-07-01 07:00:00')",
        "update cyclesoft_schema set version = 3",
    ):
        rows(url, back)


async def test_a_database_of_schema_3_is_upgraded(url: str) -> None:
    load_version_3(url)
    async with Store(url).open() as writer:
        found = await last_run(writer)
        assert found is not None
        assert (found.run_id, found.orders, found.windows) == (1, 3, [])
        run = await begin(writer)
        await write(writer, run, {"workshop_order_id": 5})
    assert rows(url, "select version, account from cyclesoft_schema") == [(VERSION, None)]
    assert rows(url, "select workshop_order_id from mine order by 1") == [(1,), (2,), (3,), (5,)]


async def test_rows_rejected_by_schema_2_are_identified_in_slices(url: str) -> None:
    load_version_3(url)
    large = '{"workshop_order_id": %d, "order_items": 7, "x": "' + "x" * 1_000_000 + '"}'
    rows(url, "alter table rejected_rows drop column workshop_order_id")
    raws = [large % number for number in range(1, 12)] + ['{"workshop_order_id": []}']
    rows(url, "delete from rejected_rows")
    for number, raw in enumerate(raws, 1):
        blob = f"x'{raw.encode().hex()}'" if url.startswith("sqlite") else f"'\\x{raw.encode().hex()}'"
        rows(
            url,
            "insert into rejected_rows (id, seen_at, reason, raw)"  # noqa: S608
            f" values ({number}, '2025-07-01 07:00:00.000000', 'then', {blob})",
        )
    rows(url, "update cyclesoft_schema set version = 2")
    async with Store(url).open():
        pass
    assert rows(url, "select workshop_order_id from rejected_rows order by id") == [
        *((number,) for number in range(1, 12)),
        (None,),
    ]


@pytest.mark.parametrize(
    "dropped",
    [
        "table workshop_order_items",
        "table rejected_rows",
        "table cyclesoft_seen",
        "view workshop_orders_amsterdam",
    ],
)
async def test_dropped_tables_and_views_are_created_again(url: str, dropped: str) -> None:
    orders = [version("Lekke band", None, key) for key in (1, 2)]
    await stored(url, tuple(orders))
    rows(url, f"drop {dropped}")
    await stored(url, tuple(orders))
    assert rows(url, "select count(*) from workshop_orders_amsterdam") == [(2,)]
    assert rows(url, "select workshop_order_id, description from workshop_order_items order by 1") == [
        (1, "Lekke band"),
        (2, "Lekke band"),
    ]


@pytest.mark.parametrize("table", ["drop table cyclesoft_runs", "delete from cyclesoft_runs"])
async def test_orders_vanish_for_runs_whose_numbers_begin_anew(url: str, table: str) -> None:
    start = "2025-07-01 09:00:00"
    order = version("Lekke band", None) | {"customer_id": 11, "datetime_scheduled_start": start}
    for _ in range(3):
        await stored(url, (order,))
    is_cascading = table.startswith("drop") and not url.startswith("sqlite")
    rows(url, f"{table} cascade" if is_cascading else table)
    async with Store(url).open() as writer:
        run = await begin(writer)
        assert run.unread == [YEAR], "windows of the earlier run may be left, without foreign keys"
        assert await missing(writer, run) == [1]


async def test_orders_that_were_deleted_by_hand_come_back(url: str) -> None:
    """With their lines left behind, as in a shell that does not enforce foreign keys."""
    order = version("Lekke band", None)
    await stored(url, (order,))
    if not url.startswith("sqlite"):
        rows(
            url,
            "alter table workshop_order_items drop constraint workshop_order_items_workshop_order_id_fkey",
        )
    rows(url, "delete from workshop_orders")
    assert rows(url, "select count(*) from workshop_order_items") == [(1,)]
    await stored(url, (order,))
    assert rows(url, "select repair_description from workshop_orders") == [("Lekke band",)]
    assert rows(url, "select description from workshop_order_items") == [("Lekke band",)]


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cyclesoft_async.bulksync.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install '\.\[postgres\]'"):
        Store("postgresql://localhost/orders")
    Store("sqlite:///orders.db")
