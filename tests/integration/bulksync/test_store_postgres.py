"""A store in a PostgreSQL that is not set up as one is used to."""

import logging

import psycopg
import pytest

from cyclesoft_async.bulksync import Store
from cyclesoft_async.bulksync.store import queries, runs
from cyclesoft_async.bulksync.sync import finish_run
from tests.support.postgres import query
from tests.support.store import YEAR, begin, last_run, rows, write

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
