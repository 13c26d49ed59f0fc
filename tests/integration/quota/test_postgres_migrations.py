"""The ledger's database: tables, roles, URL, and the extra that it needs."""

import asyncio
import subprocess
import sys
from traceback import TracebackException

import anyio
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cyclesoft_async.errors import LedgerError, QuotaExhausted, UsageError
from cyclesoft_async.quota.postgres import PostgresLedger, migrate
from tests.support.limiter import headers
from tests.support.paths import DATA
from tests.support.postgres import query
from tests.support.shared_limiters import SOON, first, go, limiters


async def test_a_newer_ledger_on_postgres_is_refused(postgres: str) -> None:
    await migrate(postgres)
    await migrate(postgres)
    query(postgres, "UPDATE cyclesoft.versions SET version = '99' WHERE part = 'quota'")
    with pytest.raises(LedgerError, match="version 99"):
        await migrate(postgres)
    async with limiters(postgres) as [limiter]:
        with pytest.raises(LedgerError, match="version 99"):
            await limiter.acquire()


async def test_an_older_ledger_on_postgres_is_upgraded(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute((DATA / "postgres_ledger_2.sql").read_bytes())
    async with limiters(postgres, 2) as both:
        await first(both[0], headers(5, 2))
        assert [len(permits) for permits in await asyncio.gather(*(go(one, 1) for one in both))] == [1, 1]
        with pytest.raises(QuotaExhausted):  # what the older version granted, the first answer has reported
            await both[0].acquire(max_wait=30)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'cyclesoft' ORDER BY tablename"
    assert query(postgres, tables) == [("quota_state",), ("versions",)]
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'cyclesoft'::regnamespace"
    assert query(postgres, functions) == [("quota_clock",)]


async def test_on_postgres_a_role_that_may_not_create_tables_names_the_command(postgres: str) -> None:
    name = postgres.partition("?")[0].rpartition("/")[2]
    query(postgres, f"CREATE ROLE shop_{name} LOGIN")
    url = postgres.replace("postgres:@", f"shop_{name}@")
    async with limiters(url) as [limiter]:
        with pytest.raises(LedgerError, match="cyclesoft migrate"):
            await limiter.acquire()
    await migrate(postgres)
    query(postgres, f"GRANT USAGE ON SCHEMA cyclesoft TO shop_{name}")
    query(postgres, f"GRANT ALL ON ALL TABLES IN SCHEMA cyclesoft TO shop_{name}")
    async with limiters(url) as [limiter]:
        assert len(await go(limiter, 1)) == 1


async def test_with_a_broken_ledger_on_postgres_nothing_is_sent(postgres: str) -> None:
    async with limiters(postgres) as [limiter]:
        await first(limiter, headers(5, 4))
        query(postgres, "UPDATE cyclesoft.quota_state SET state = 'rubbish'")
        with pytest.raises(LedgerError, match="cannot be decoded"):
            await limiter.acquire()
        query(postgres, "DROP TABLE cyclesoft.quota_state")
        with pytest.raises(LedgerError, match="quota_state"):
            await limiter.acquire()


async def test_an_impossible_host_of_postgres_fails_at_once() -> None:
    for host in ("a..b", "a" * 70):
        async with limiters(f"postgresql://me@{host}/shop") as [limiter]:
            with anyio.fail_after(SOON), pytest.raises(LedgerError, match="host name is invalid"):
                await limiter.acquire()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://host/name",
        "postgresql://host/name?what=ever",
        "postgresql://host:port/name",
        "orders.db",
        "postgresql://me:pass@word@host/name",
        "postgresql://me:123/pass@host/name",
    ],
)
def test_a_malformed_url_of_postgres_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="postgresql://") as raised:
        PostgresLedger(url)
    assert "word" not in str(raised.value).replace("password", "")


def test_the_password_of_the_postgres_ledger_is_shown_nowhere() -> None:
    url = "postgresql://me:canary-9431@127.0.0.1:1/shop?password=canary-9431"
    ledger = PostgresLedger(url)
    assert repr(ledger) == "PostgresLedger('postgresql://127.0.0.1/shop')"
    with pytest.raises(LedgerError) as raised:
        asyncio.run(migrate(url))
    assert "canary" not in "".join(TracebackException.from_exception(raised.value).format())
    assert raised.value.__context__ is None, "its frames hold the URL"
    with pytest.raises(UsageError) as refused:
        PostgresLedger("postgresql://me:canary-9431@127.0.0.1:port/shop")
    assert "canary" not in str(refused.value)


async def test_of_several_postgres_servers_in_a_url_the_primary_is_used(
    postgres: str,
) -> None:
    one, other = "postgresql://me@db1:5432,db2:5433/shop", postgres.replace("host=", "host=/nowhere,")
    assert repr(PostgresLedger(one)) == "PostgresLedger('postgresql://db1,db2/shop')"
    await migrate(other)
    query(
        postgres,
        f"ALTER DATABASE {conninfo_to_dict(postgres)['dbname']} SET default_transaction_read_only = on",
    )
    with pytest.raises(LedgerError, match="read-only"):
        await migrate(other)


def test_without_the_extra_the_postgres_ledger_names_what_to_install() -> None:
    program = "import sys; sys.modules['psycopg'] = None\nimport cyclesoft_async.quota.postgres"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "pip install '.[postgres]'" in done.stderr
