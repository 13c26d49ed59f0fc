"""What every test shares."""

import pytest

from .postgres import postgres, postgres_server

__all__ = ["anyio_backend", "postgres", "postgres_server"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything runs on asyncio: aiohttp knows no other loop."""
    return "asyncio"
