"""What every test shares."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything runs on asyncio: aiohttp knows no other loop."""
    return "asyncio"
