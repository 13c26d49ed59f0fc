"""PostgreSQL URLs: which ones are accepted, what libpq gets, and that no password is shown."""

from __future__ import annotations

from traceback import TracebackException
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.bulksync import Store
from cyclesoft_async.errors import UsageError
from cyclesoft_async.quota.postgres import PostgresLedger
from cyclesoft_async.webhooks import PostgresInbox

SCHEMES = ["postgres://", "postgresql://", "postgresql+psycopg://"]
# Letters that the rest of the URLs and of the messages lack.
MARK = "ΩЖ"
passwords = st.text(st.sampled_from("@/?#:%&=+ [],\\'\"" + MARK), min_size=1).map(
    lambda text: MARK + text + MARK
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_names_the_same_database(scheme: str) -> None:
    found = conninfo_to_dict(Dsn(f"{scheme}app:p%40ss@db.example:5433/shop?sslmode=require").conninfo("me"))
    expected = {
        "user": "app",
        "password": "p@ss",
        "host": "db.example",
        "port": "5433",
        "dbname": "shop",
        "sslmode": "require",
        "application_name": "me",
        "client_encoding": "UTF8",
    }
    assert expected.items() <= found.items()


def test_parameters_of_the_url_win_over_defaults_and_lose_to_required_settings() -> None:
    url = "postgresql://db/shop?connect_timeout=60&client_encoding=latin1&options=-c%20work_mem%3D9MB"
    found = conninfo_to_dict(Dsn(url).conninfo("me", search_path="cyclesoft"))
    assert (found["connect_timeout"], found["client_encoding"]) == ("60", "UTF8")
    assert str(found["options"]).startswith(
        "-c work_mem=9MB -c default_transaction_isolation=read\\ committed "
    )
    assert str(found["options"]).endswith("-c search_path=cyclesoft")


def test_options_of_the_environment_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    assert str(conninfo_to_dict(Dsn("postgresql:///shop").conninfo("me"))["options"]).startswith(
        "-c work_mem=9MB "
    )


def test_a_pooler_gets_no_options_but_those_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    found = conninfo_to_dict(Dsn("postgresql://app:p%40ss@db/shop").pooler_conninfo("me"))
    assert "options" not in found
    assert (found["password"], found["client_encoding"], found["application_name"]) == ("p@ss", "UTF8", "me")
    found = conninfo_to_dict(Dsn("postgresql://db/shop?options=-c%20work_mem%3D8MB").pooler_conninfo("me"))
    assert found["options"] == "-c work_mem=8MB"


@pytest.mark.parametrize(
    "url",
    ["", "mysql://host/name", "host=db", "postgresql://db/shop?what=ever", "postgresql://db:port/shop"],
)
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="must look like postgresql://user:password@host/database"):
        Dsn(url)


@given(passwords)
def test_a_percent_encoded_password_reaches_libpq_and_is_not_shown(password: str) -> None:
    dsn = Dsn(f"postgresql://app:{quote(password, safe='')}@db/shop")
    assert conninfo_to_dict(dsn.conninfo("me"))["password"] == password
    assert repr(dsn) == "Dsn('postgresql://db/shop')"


@given(passwords, st.sampled_from(SCHEMES), st.sampled_from(["db/shop", "/shop?host=db", "a,b:5432/shop"]))
def test_no_character_of_an_unescaped_password_is_shown(password: str, scheme: str, address: str) -> None:
    for kind in (Dsn, PostgresInbox, PostgresLedger, Store):
        try:
            shown = repr(kind(f"{scheme}app:{password}@{address}"))
        except UsageError as error:
            shown = "".join(TracebackException.from_exception(error, capture_locals=False).format())
        assert not set(shown) & set(MARK), kind


@given(passwords.filter(lambda password: set(password) & set("@/?#")))
def test_an_unescaped_separator_in_a_password_is_refused(password: str) -> None:
    for kind in (Dsn, PostgresInbox, PostgresLedger, Store):
        with pytest.raises(UsageError) as caught:
            kind(f"postgresql://app:{password}@db/shop")
        frames = TracebackException.from_exception(caught.value, capture_locals=True).stack
        ours = [frame.locals or {} for frame in frames if "cyclesoft_async" in frame.filename]
        assert ours
        assert MARK not in str(ours), kind
