"""Virtual time for all tests of the quota: a minute passes in a millisecond."""

import pytest

from benchmarks.virtual_time import VirtualTimeLoop


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}
