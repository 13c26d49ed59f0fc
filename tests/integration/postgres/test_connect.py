"""Connections to PostgreSQL: settings that the database cannot change."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from traceback import TracebackException
from urllib.parse import urlsplit

import psycopg
import pytest

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async._postgres.errors import ErrorTypes, translated
from cyclesoft_async.errors import InboxError, InboxUnavailableError
from tests.support.postgres import Server, query

PASSWORD = "topsecret"
ERRORS = ErrorTypes(refused=InboxError, unavailable=InboxUnavailableError)


async def shown(url: str, setting: str) -> str:
    async with await connect(Dsn(url).conninfo("me")) as connection:
        [value] = await (await connection.execute("SELECT current_setting(%s)", (setting,))).fetchone() or [
            ""
        ]
        return str(value)


@pytest.mark.parametrize(
    ("setting", "preferred", "expected"),
    [
        ("default_transaction_isolation", "serializable", "read committed"),
        ("client_encoding", "latin1", "UTF8"),
        ("datestyle", "german", "ISO, MDY"),
        ("timezone", "Asia/Tokyo", "UTC"),
        ("synchronous_commit", "off", "on"),
        ("synchronous_commit", "remote_apply", "remote_apply"),
    ],
)
async def test_a_setting_of_the_database_does_not_change_what_statements_do(
    postgres: str, setting: str, preferred: str, expected: str
) -> None:
    name = urlsplit(postgres).path.strip("/")
    query(postgres, f"ALTER DATABASE \"{name}\" SET {setting} = '{preferred}'")
    assert await shown(postgres, setting) == expected


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_text_comes_back_from_a_database_of_another_encoding(
    postgres_server: Server, encoding: str
) -> None:
    url = postgres_server.database(encoding)
    async with await connect(Dsn(url).conninfo("me")) as connection:
        cursor = await connection.execute("SELECT 'é' || %s::text", ("é",))
        assert await cursor.fetchone() == ("éé",)


async def test_a_failure_says_what_the_server_said_and_nothing_of_the_password() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dsn = Dsn(f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/shop")
    async with server:
        with pytest.raises(InboxUnavailableError, match="connection failed") as caught, translated(ERRORS):
            await connect(dsn.conninfo("me"))
    assert caught.value.__context__ is None
    whole = TracebackException.from_exception(caught.value, capture_locals=True)
    assert PASSWORD not in "".join(whole.format())


@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        ("SELECT nothing_such()", InboxError, "PostgreSQL: function nothing_such"),
        ("SELECT 'topsecret'::integer", InboxError, "refused the statement .InvalidTextRepresentation."),
        ("SELECT 1 / 0", InboxError, "refused the statement .DivisionByZero."),
        ("SET statement_timeout = '10ms'; SELECT pg_sleep(60)", InboxUnavailableError, "statement timeout"),
        ("BEGIN READ ONLY; CREATE TABLE t ()", InboxUnavailableError, "read-only"),
    ],
)
async def test_errors_of_the_server_become_those_of_the_caller(
    postgres: str, statement: str, kind: type[InboxError], message: str
) -> None:
    async with await connect(Dsn(postgres).conninfo("me")) as connection:
        with pytest.raises(kind, match=message) as caught, translated(ERRORS):
            await connection.execute(statement.encode())
    assert "topsecret" not in str(caught.value)


async def test_a_host_name_that_cannot_exist_is_refused() -> None:
    with pytest.raises(InboxError, match="host name is invalid"), translated(ERRORS):
        await connect(Dsn(f"postgresql://{'a' * 70}/shop").conninfo("me"))
    with pytest.raises(psycopg.OperationalError):
        await connect(Dsn("postgresql://127.0.0.1:1/shop").conninfo("me"))
