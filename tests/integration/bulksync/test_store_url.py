"""Which URLs a store takes, what it makes of them, and what it leaves alone that it only looks at."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cyclesoft_async import errors
from cyclesoft_async.bulksync import Store, estimate
from cyclesoft_async.bulksync.store import runs
from cyclesoft_async.bulksync.store.rejected import RetriedRows
from tests.support.paths import DATA
from tests.support.postgres import query
from tests.support.store import begin
from tests.support.sync import YEAR, limitless, session

VERSION_0_1 = (DATA / "store_0_1.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://orders.db",
        "sqlite://folder/orders.db",
        "sqlite:///orders.db?timeout=abc",
        "postgresql://app@db:port/orders",
        "postgresql://app:p@ss:word@db/orders",
        "postgresql://db/orders?no_such_option=1",
    ],
)
def test_a_malformed_url_is_refused_at_once(url: str) -> None:
    example = (
        "sqlite:///orders.db" if url.startswith("sqlite") else "postgresql://user:password@host/database"
    )
    with pytest.raises(errors.UsageError, match=f"must look like {example}") as caught:
        Store(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_would_not_outlive_its_sync(url: str) -> None:
    with pytest.raises(errors.UsageError, match="in memory"):
        Store(url)


@pytest.mark.parametrize(
    "password", ["p@ss/word", "p@ssword", "p@ss?word", "pa/ss@word?x", "p@s@s", "p@ss/w?or=d"]
)
def test_an_unescaped_separator_in_a_password_is_refused_and_no_part_of_it_shown(password: str) -> None:
    with pytest.raises(errors.UsageError, match="percent-encode special characters") as caught:
        Store(f"postgresql://app:{password}@db/cyclesoft")
    assert "ss" not in str(caught.value).replace("password", "")
    store = Store(f"postgresql://app:{quote(password, safe='')}@db/cyclesoft")
    assert repr(store) == "Store('postgresql://db/cyclesoft')"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
async def test_each_scheme_names_the_same_database(postgres: str, scheme: str) -> None:
    assert await Store(postgres.replace("postgresql", scheme, 1)).retry_rejected() == RetriedRows(
        stored=0, rejected=0
    )
    assert query(postgres, "SELECT count(*) FROM cyclesoft_schema") == [(1,)]


@pytest.mark.parametrize("password", ["a b", "a+b", "a%b", "p@ss/w?rd", "ü&=#"])
def test_other_users_of_the_database_get_its_password_and_parameters_as_they_are(password: str) -> None:
    options = "-c statement_timeout=9s -c application_name=a+b"
    store = Store(
        f"postgresql+psycopg://shop%20keeper:{quote(password, safe='')}@db.example/orders"
        f"?options={quote(options)}&sslmode=require"
    )
    assert conninfo_to_dict(store.postgres_url) == {
        "user": "shop keeper",
        "password": password,
        "host": "db.example",
        "dbname": "orders",
        "options": options,
        "sslmode": "require",
    }


async def test_options_in_the_url_reach_postgres(postgres: str) -> None:
    store = Store(f"{postgres}&options=-c%20statement_timeout%3D9s")
    async with store.open():
        pass
    async with await psycopg.AsyncConnection.connect(store.postgres_url) as connection:
        shown = await (await connection.execute("SHOW statement_timeout")).fetchone()
    assert shown == ("9s",)


async def test_an_estimate_makes_no_file(tmp_path: Path) -> None:
    async with limitless(30) as sandbox, session(sandbox.url) as cs:
        expected = await estimate(cs, Store(f"sqlite:///{tmp_path / 'orders.db'}"), **YEAR)
    assert expected.source == "sample"
    assert os.listdir(tmp_path) == []


async def test_an_estimate_leaves_the_tables_of_an_older_version_alone(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_0_1)
        before = list(connection.iterdump())
    async with limitless(30) as sandbox, session(sandbox.url) as cs:
        expected = await estimate(cs, Store(f"sqlite:///{file}"), **YEAR)
    assert expected.source == "sample"
    with closing(sqlite3.connect(file)) as connection:
        assert list(connection.iterdump()) == before


async def test_an_estimate_makes_no_tables_in_postgres(postgres: str) -> None:
    async with limitless(30) as sandbox, session(sandbox.url) as cs:
        assert (await estimate(cs, Store(postgres), **YEAR)).source == "sample"
    assert query(postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


async def test_a_store_that_is_there_can_be_looked_at_while_another_has_it_open(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'orders.db'}")
    async with store.open() as writer:
        run = await begin(writer)
        async with store.open_if_there() as there:
            assert there is not None
            assert await there.run(runs.current_run, run.run_id) == run


@pytest.mark.parametrize(
    ("host", "reason"), [("127.0.0.1:1", "connection failed"), ("a" * 70, "the host name is invalid")]
)
async def test_a_database_that_is_away_is_no_empty_one(host: str, reason: str) -> None:
    with pytest.raises(errors.StoreError, match=reason):
        async with Store(f"postgresql://{host}/orders").open_if_there():
            pass


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.fixture
def common_umask() -> Generator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("common_umask")
@pytest.mark.parametrize(
    "form", ["sqlite:///{}", "sqlite:///file:{}?uri=true", "sqlite:///file:{}?mode=rwc&uri=true"]
)
async def test_a_new_file_and_those_beside_it_are_for_their_owner(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store(form.format(tmp_path / "orders.db")).open():
        found = modes(tmp_path)
    assert found == dict.fromkeys(("orders.db", "orders.db-wal", "orders.db-shm"), 0o600)
    assert caplog.messages == []


@pytest.mark.usefixtures("common_umask")
async def test_a_link_creates_its_target_for_the_owner(tmp_path: Path) -> None:
    link, target = tmp_path / "link.db", tmp_path / "target.db"
    link.symlink_to(target)
    async with Store(f"sqlite:///{link}").open():
        assert modes(tmp_path)["target.db"] == 0o600


async def test_an_existing_file_that_others_may_read_stays_so_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "orders.db"
    path.touch()
    path.chmod(0o644)
    store = Store(f"sqlite:///{path}")
    for _ in range(2):
        async with store.open():
            assert modes(tmp_path)["orders.db"] == 0o644
    assert caplog.messages == [f"other users may read or write {path}: chmod 600 it and the files beside it"]


async def test_a_missing_folder_is_reported_by_sqlite(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreError, match="unable to open database file"):
        async with Store(f"sqlite:///{tmp_path}/missing/orders.db").open():
            pass
    assert modes(tmp_path) == {}
