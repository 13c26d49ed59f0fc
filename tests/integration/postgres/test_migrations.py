"""Tables in the schema `cyclesoft`: created once, upgraded beside readers, refused when foreign."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async._postgres.migrations import Part, migrate, prepare
from cyclesoft_async.errors import InboxError, InboxUnavailableError
from tests.support.polling import until
from tests.support.postgres import query

ERRORS = ErrorTypes(refused=InboxError, unavailable=InboxUnavailableError)


async def fill(connection: AsyncConnection[TupleRow]) -> None:
    await connection.execute("INSERT INTO first SELECT 7 WHERE NOT EXISTS (SELECT FROM first WHERE a = 7)")


WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
FIRST = Part("first", "1", b"CREATE TABLE first (a integer)")
SECOND = Part(
    "first",
    "3",
    b"CREATE TABLE first (a integer, b integer)",
    [("2", b"ALTER TABLE first ADD COLUMN b integer"), ("3", fill)],
)


async def run(url: str, *parts: Part, upgrade: bool = True) -> None:
    with translated(ERRORS):
        async with await connect(Dsn(url).conninfo("me")) as connection:
            await (migrate if upgrade else prepare)(connection, parts, ERRORS)


def database(url: str) -> str:
    return urlsplit(url).path.strip("/")


def role(url: str, rights: str = "") -> str:
    """Return the URL for a new role, which may create schemas."""
    name = f"r{uuid4().hex[:12]}"
    query(url, f"CREATE ROLE {name} LOGIN {rights}")
    query(url, f"GRANT CREATE ON DATABASE {database(url)} TO {name}")
    return url.replace("postgres:@", f"{name}@")


def user(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].rstrip(":")


async def test_processes_that_start_together_create_tables_once(postgres: str) -> None:
    await asyncio.gather(*(run(postgres, FIRST, upgrade=False) for _ in range(8)))
    assert query(postgres, "SELECT part, version FROM cyclesoft.versions") == [("first", "1")]


async def test_an_upgrade_runs_each_missing_step_once(postgres: str) -> None:
    await run(postgres, FIRST)
    with pytest.raises(InboxError, match="tables of first are of an older version; run: cyclesoft migrate"):
        await run(postgres, SECOND, upgrade=False)
    for _ in range(2):
        await run(postgres, SECOND)
    assert query(postgres, "SELECT a, b FROM cyclesoft.first") == [(7, None)]
    assert query(postgres, "SELECT part, version FROM cyclesoft.versions") == [("first", "3")]


async def test_tables_of_a_newer_version_are_refused(postgres: str) -> None:
    await run(postgres, SECOND)
    for upgrade in (True, False):
        with pytest.raises(InboxError, match="version 3, newer than this library's 1; upgrade the library"):
            await run(postgres, FIRST, upgrade=upgrade)


async def test_an_upgrade_that_waits_for_a_reader_lets_others_use_the_table(postgres: str) -> None:
    await run(postgres, FIRST)
    with psycopg.connect(postgres) as reader:
        reader.execute("SELECT FROM cyclesoft.first")  # as pg_dump does, which holds its locks to the end
        upgrade = asyncio.create_task(run(postgres, SECOND))
        for number in range(3):
            await until(lambda: bool(query(postgres, WAITING)))
            # Queued behind the upgrade's lock request, until that gives up.
            await asyncio.to_thread(query, postgres, "INSERT INTO cyclesoft.first VALUES (%s)", number)
        assert not upgrade.done()
    await upgrade
    assert query(postgres, "SELECT count(*) FROM cyclesoft.first") == [(4,)]


async def test_a_lock_that_is_never_released_ends_the_upgrade(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyclesoft_async._postgres.migrations._LOCK_ATTEMPTS", 1)
    await run(postgres, FIRST)
    with psycopg.connect(postgres) as reader:
        reader.execute("SELECT FROM cyclesoft.first")
        with pytest.raises(InboxUnavailableError, match="keeps the tables of first locked"):
            await run(postgres, SECOND)


async def test_a_role_that_may_not_create_tables_names_the_remedy(postgres: str) -> None:
    shop = role(postgres)
    query(
        postgres,
        f"REVOKE CREATE ON DATABASE {postgres.partition('?')[0].rpartition('/')[2]} FROM {user(shop)}",
    )
    with pytest.raises(InboxError, match="may not create tables; as one that may, run: cyclesoft migrate"):
        await run(shop, FIRST, upgrade=False)


TRAPS = {
    "schema": ["CREATE SCHEMA cyclesoft", "GRANT ALL ON SCHEMA cyclesoft TO public"],
    "table": ["CREATE TABLE cyclesoft.first (a integer)"],
    "function": ["CREATE FUNCTION cyclesoft.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'"],
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("upgrade", [True, False])
async def test_what_another_role_made_before_is_refused(postgres: str, trap: str, upgrade: bool) -> None:
    attacker = role(postgres)
    if trap != "schema":
        query(postgres, "CREATE SCHEMA cyclesoft")
        query(postgres, "GRANT ALL ON SCHEMA cyclesoft TO public")
    for statement in TRAPS[trap]:
        query(attacker, statement)
    for url in (postgres, role(postgres), role(postgres, "SUPERUSER")):
        with pytest.raises(
            InboxError, match=rf"belongs to .*{user(attacker)}, a role that this one does not"
        ):
            await run(url, FIRST, upgrade=upgrade)
    assert query(postgres, "SELECT to_regclass('cyclesoft.versions')::text") == [(None,)]


async def allowed(url: str, *, upgrade: bool) -> bool:
    try:
        await run(url, FIRST, upgrade=upgrade)
    except InboxError as error:
        return "belongs to" not in str(error)
    return True


async def test_who_may_migrate_and_who_may_use_what_a_role_owns(postgres: str) -> None:
    owner = role(postgres)
    await run(owner, FIRST)
    query(owner, "GRANT ALL ON SCHEMA cyclesoft TO public")
    query(owner, "GRANT SELECT ON ALL TABLES IN SCHEMA cyclesoft TO public")
    member, stranger = role(postgres), role(postgres)
    query(postgres, f"GRANT {user(owner)} TO {user(member)}")
    assert await allowed(member, upgrade=True)
    assert await allowed(member, upgrade=False)
    assert not await allowed(stranger, upgrade=False)
    # The database's owner could read and change everything anyway, but it may not run code as a superuser.
    query(postgres, f"ALTER DATABASE {database(postgres)} OWNER TO {user(owner)}")
    assert await allowed(stranger, upgrade=False)
    assert not await allowed(stranger, upgrade=True)
    assert not await allowed(postgres, upgrade=True)
