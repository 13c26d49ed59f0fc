"""Fixtures of all tests."""

import os
import signal
from pathlib import Path

import pytest

from .support.postgres import postgres, postgres_server
from .support.store import SQLITE

__all__ = ["anyio_backend", "postgres", "postgres_server", "url"]

# A shell starts a background job with SIGINT ignored. Children would inherit that, and ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of tests start Python, and without bytecode each start compiles the package: a third of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give soaks more time than other tests."""
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(3_600))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of all tests: aiohttp supports asyncio only."""
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database for a store, missing or empty: SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        return f"{SQLITE}{tmp_path / 'orders.db'}"
    found: str = request.getfixturevalue("postgres")
    return found
