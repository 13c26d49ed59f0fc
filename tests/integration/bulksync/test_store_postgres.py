"""A store in a PostgreSQL that is not set up as one is used to."""

import logging

import psycopg
import pytest

from cyclesoft_async import models
from cyclesoft_async.bulksync import Store, sync, sync_workshop_orders
from cyclesoft_async.bulksync.store import queries, runs
from cyclesoft_async.bulksync.store.transaction import Transaction
from cyclesoft_async.bulksync.sync_orders import finish_run
from cyclesoft_async.errors import StoreError
from tests.support.pooler import pooled
from tests.support.postgres import Server, query
from tests.support.store import YEAR, begin, last_run, rows, stored, write
from tests.support.sync import YEAR as DAYS
from tests.support.sync import limitless, session

INDEXES = "select count(*) from pg_indexes where tablename = 'workshop_orders'"


def reader_and_writer(url: str) -> str:
    """The URL for a role that owns nothing."""
    with psycopg.connect(url) as connection:
        role = f"app_{connection.info.dbname}"
    for statement in (
        f"create role {role} login",
        f"grant usage on schema public to {role}",
        f"grant select, insert, update, delete on all tables in schema public to {role}",
        f"grant usage on all sequences in schema public to {role}",
    ):
        query(url, statement)
    return url.replace("postgres:@", f"{role}:@")


async def test_a_schema_of_its_own_beside_tables_of_the_same_names(postgres: str) -> None:
    query(postgres, "create table customers (customer_id bigint, mine text)")
    with pytest.raises(StoreError, match=r"a table customers that is not .*\?options=-csearch_path%3Dmirror"):
        async with Store(postgres).open():
            pass
    query(postgres, "create schema mirror")
    own = f"{postgres}{'&' if '?' in postgres else '?'}options=-csearch_path%3Dmirror"
    async with limitless(20) as sandbox, session(sandbox.url) as cs:
        await sync(cs, Store(own), ["workshop_orders", "customers"], **DAYS)
    assert rows(postgres, "select count(*) from mirror.workshop_orders") == [(20,)]
    assert rows(postgres, "select count(*) > 0 from mirror.customers") == [(True,)]
    assert rows(postgres, "select count(*) from customers") == [(0,)]


@pytest.mark.parametrize("is_migrated", [True, False])
async def test_a_role_that_may_only_read_and_write_in_postgres(
    postgres: str, caplog: pytest.LogCaptureFixture, is_migrated: bool
) -> None:
    if is_migrated:
        await Store(postgres).migrate()
    else:
        async with Store(postgres).open():
            pass
    app = reader_and_writer(postgres)
    assert app != postgres
    with caplog.at_level(logging.WARNING, "cyclesoft_async"):
        async with Store(app).open() as writer:
            run = await begin(writer)
            await write(writer, run, {"workshop_order_id": 1})
            await finish_run(writer, run.run_id, requests=0)
            found = await last_run(writer)
    assert found is not None
    assert found.finished_at is not None
    told = "cannot build indexes, run `cyclesoft migrate`: the database: must be owner of table"
    assert (told in caplog.text) is not is_migrated
    await Store(postgres).migrate()
    assert rows(postgres, INDEXES) == [(6,)]


@pytest.mark.parametrize(
    "made", ["table workshop_orders (workshop_order_id bigint)", "view cyclesoft_schema as select 1"]
)
async def test_what_another_role_has_made_is_refused(postgres: str, made: str) -> None:
    with psycopg.connect(postgres) as connection:
        role = f"eve_{connection.info.dbname}"
    query(postgres, f"create role {role} login")
    query(postgres, f"grant create on schema public to {role}")
    query(postgres.replace("postgres:@", f"{role}:@"), f"create {made}")
    store = Store(postgres)
    for begin_to_use in (store.migrate, store.open().__aenter__, store.open_if_there().__aenter__):
        with pytest.raises(StoreError, match=f"tables of the store belong to {role}"):
            await begin_to_use()
    assert rows(postgres, "select count(*) from pg_tables where schemaname = 'public'") == [
        (int(made.startswith("table")),)
    ]


async def test_a_database_that_is_serializable_by_default_reads_what_others_commit(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_isolation = serializable".encode())
    levels: list[list[str]] = []

    def look(tx: Transaction) -> None:
        shown = "select current_setting('transaction_isolation'), current_setting('lock_timeout')"
        levels.append(list(tx.connection.exec_driver_sql(shown).one()))

    async with pooled(postgres) as url:
        for each in (postgres, url):
            async with Store(each).open() as writer:
                await writer.run(look)
    assert levels == [["read committed", "30s"]] * 2


async def test_text_comes_back_from_a_latin1_database(postgres_server: Server) -> None:
    url = postgres_server.database("LATIN1")
    for text in ("Blé", "Lekke band é"):
        await stored(url, ({"workshop_order_id": 1, "repair_description": text},))
        assert rows(url, "select convert_to(repair_description, 'UTF8') from workshop_orders") == [
            (text.encode(),)
        ]


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres"])
async def test_a_postgres_that_writes_dates_in_another_way(postgres: str, style: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set datestyle = {style}".encode())
    order = {"workshop_order_id": 1, "datetime_scheduled_start": "2025-07-02 09:00:00"}
    async with Store(postgres).open() as writer:
        run = await begin(writer)
        await write(writer, run, order)
        assert await last_run(writer) == await writer.run(runs.current_run, run.run_id)
        assert [str(day) for day in await writer.run(queries.orders_per_day, YEAR.first, YEAR.last)] == [
            "2025-07-02"
        ]


async def test_a_generated_column_that_somebody_added_in_postgres(postgres: str) -> None:
    await Store(postgres).migrate()
    generated = "bigint not null generated always as (workshop_order_id * 2) stored"
    query(postgres, f"alter table workshop_orders add column mine {generated}")
    async with Store(postgres).open() as writer:
        for _ in range(2):
            await write(writer, await begin(writer), {"workshop_order_id": 16})
    assert rows(postgres, "select mine from workshop_orders") == [(32,)]


async def synced(url: str, orders: int = 300) -> int:
    """Sync twice, with a change in between; the number of stored orders."""
    async with limitless(orders, page_size=50) as sandbox, session(sandbox.url) as cs:
        await sync_workshop_orders(cs, Store(url), **DAYS)
        order = (await cs.workshop_orders.list()).items[0]
        change = models.WorkshopOrderUpdate(repair_description="Bel monteren")
        await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
        report = await sync_workshop_orders(cs, Store(url), **DAYS)
    assert report.orders == orders
    found = "select count(*) from workshop_orders where repair_description = 'Bel monteren'"
    assert rows(url, found) == [(1,)]
    [(stored,)] = rows(url, "select count(*) from workshop_orders")
    return int(str(stored))


async def test_through_a_pooler_that_gives_every_transaction_another_connection(postgres: str) -> None:
    async with (
        pooled(postgres) as url,
        limitless(300, page_size=50) as sandbox,
        session(sandbox.url) as cs,
    ):
        first = await sync_workshop_orders(cs, Store(url), **DAYS)
        second = await sync_workshop_orders(cs, Store(url), **DAYS)
    assert (first.orders, second.orders) == (300, 300)
    assert rows(postgres, "select count(*) from workshop_orders") == [(300,)]


async def test_a_role_that_may_not_create_temporary_tables_in_postgres(postgres: str) -> None:
    await Store(postgres).migrate()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"revoke temporary on database {connection.info.dbname} from public".encode())
    app = reader_and_writer(postgres)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(app, "create temporary table t (x int)")
    assert await synced(app) == 300


async def test_row_level_security_that_shows_all_rows_in_postgres(postgres: str) -> None:
    await Store(postgres).migrate()
    app = reader_and_writer(postgres)
    query(postgres, "alter table workshop_orders enable row level security")
    query(postgres, "create policy everything on workshop_orders using (true)")
    assert await synced(app) == 300


async def test_row_level_security_that_hides_rows_is_named_in_postgres(postgres: str) -> None:
    await Store(postgres).migrate()
    app = reader_and_writer(postgres)
    async with Store(app).open() as writer:
        await write(writer, await begin(writer), {"workshop_order_id": 1, "store_id": 1})
        query(postgres, "alter table workshop_orders enable row level security")
        query(postgres, "create policy of_store on workshop_orders using (store_id = 2) with check (true)")
        with pytest.raises(StoreError, match="violates row-level security policy for table"):
            await write(writer, await begin(writer), {"workshop_order_id": 1, "store_id": 1, "x": 1})
