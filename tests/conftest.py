"""What every test shares."""

from pathlib import Path

import pytest

from .support.postgres import postgres, postgres_server
from .support.store import SQLITE

__all__ = ["anyio_backend", "postgres", "postgres_server", "url"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything runs on asyncio: aiohttp knows no other loop."""
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store's database, which is not there yet or empty: each kind in its turn."""
    if request.param == "sqlite":
        return f"{SQLITE}{tmp_path / 'orders.db'}"
    found: str = request.getfixturevalue("postgres")
    return found
