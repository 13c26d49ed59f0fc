"""The event loop of the async tests, which anyio runs."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
