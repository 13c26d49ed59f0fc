"""Databases that cannot be used: a clear error, nothing half-written, and no data or password in it."""

import resource
import sqlite3
import traceback
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import psycopg
import pytest
from anyio.lowlevel import checkpoint

from cyclesoft_async.bulksync import Store
from cyclesoft_async.errors import StoreError
from tests.support.postgres import Server, query
from tests.support.store import SQLITE, begin, last_run, rows, write

WAITS = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
BIKE: dict[str, object] = {
    "workshop_order_id": 1,
    "repair_description": "Lekke band",
    "order_items": [{"description": "Band"}],
}


async def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        async with Store(f"{SQLITE}{tmp_path / 'nowhere' / 'orders.db'}").open():
            pass


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"these are my notes, and no database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        async with Store(f"{SQLITE}{file}").open():
            pass
    assert file.read_bytes() == b"these are my notes, and no database " * 100


@contextmanager
def disk_full(path: Path) -> Generator[None]:
    """No file of this process may grow beyond what the store's files have now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_full_disk_stops_the_run_and_loses_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    url = f"{SQLITE}{file}"
    big: list[dict[str, object]] = [
        {"workshop_order_id": key, "x": "y" * 5_000, "order_items": [{}]} for key in range(2, 302)
    ]
    async with Store(url).open() as writer:
        run = await begin(writer)
        await write(writer, run, BIKE)
        with disk_full(file), pytest.raises(StoreError, match=r"full|disk I/O error"):
            await write(writer, run, *big)
        found = await last_run(writer)
        assert found is not None
        assert (found.orders, found.pages) == (1, 1)
        assert rows(url, "select count(*) from workshop_order_items") == [(1,)]
        await write(writer, run, *big)
    assert rows(url, "select count(*) from workshop_orders") == [(301,)]
    assert rows(url, "pragma integrity_check") == [("ok",)]


async def test_a_file_that_another_process_keeps_locked(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    store = Store(f"{SQLITE}{file}?timeout=0.1")
    async with store.open() as writer:
        run = await begin(writer)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(StoreError, match="database is locked"):
                await write(writer, run, BIKE)
            with pytest.raises(StoreError, match="database is locked"):
                async with store.open():
                    pass
            other.execute("rollback")
        await write(writer, run, BIKE)
        found = await last_run(writer)
    assert found is not None
    assert (found.orders, found.requests) == (1, 1)


async def test_tables_that_another_session_of_postgres_keeps_locked(postgres: str) -> None:
    async with Store(f"{postgres}&options=-c%20lock_timeout%3D100").open() as writer:
        run = await begin(writer)
        with psycopg.connect(postgres) as other:
            other.execute("lock table workshop_orders")
            with pytest.raises(StoreError, match="lock timeout"):
                await write(writer, run, BIKE)
        await write(writer, run, BIKE)
    assert query(postgres, "select orders, requests from cyclesoft_runs") == [(1, 1)]


@pytest.mark.parametrize("stop", [Server.crash, Server.stop])
async def test_postgres_is_restarted_in_the_middle_of_a_transaction(
    postgres_server: Server, postgres: str, stop: Callable[[Server], None]
) -> None:
    async with Store(postgres).open() as writer:
        run = await begin(writer)
        await write(writer, run, BIKE)
        second = BIKE | {"workshop_order_id": 2}

        async def write_second() -> None:
            with pytest.raises(StoreError) as caught:
                await write(writer, run, second)
            assert "Lekke band" not in "".join(traceback.format_exception(caught.value))

        with closing(psycopg.connect(postgres)) as other, anyio.fail_after(60):
            other.execute("lock table workshop_order_items")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write_second)
                while not query(postgres, WAITS):  # the orders are written, their lines are not
                    await checkpoint()
                stop(postgres_server)
        with pytest.raises(StoreError):
            await write(writer, run, second)
        postgres_server.start()
        found = await last_run(writer)
        assert found is not None
        assert (found.orders, found.requests) == (1, 1)
        assert query(postgres, "select workshop_order_id from workshop_orders") == [(1,)]
        await write(writer, run, second)
    assert query(postgres, "select workshop_order_id from workshop_order_items order by 1") == [(1,), (2,)]


async def test_what_stands_in_the_tables_is_in_no_error(postgres: str) -> None:
    async with Store(postgres).open() as writer:
        run = await begin(writer)
        query(postgres, "alter table workshop_orders add check (repair_description is null)")
        with pytest.raises(StoreError, match="violates check constraint") as caught:
            await write(writer, run, BIKE)
    assert "Lekke band" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert rows(postgres, "select pages from cyclesoft_runs") == [(0,)]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:geheim@127.0.0.1:1/orders",
        "postgresql://shop:geheim@no-such-host.invalid/orders",
        "postgresql://shop:geheim@127.0.0.1:1/orders?sslrootcert=/no/such/file&sslmode=verify-full",
    ],
)
async def test_a_password_is_in_no_error(url: str) -> None:
    store = Store(url)
    with pytest.raises(StoreError) as caught:
        async with store.open():
            pass
    told = "".join(traceback.format_exception(caught.value)) + repr(store)
    assert "geheim" not in told
