"""pytest fixtures for tests of your own integration. Needs the extra `test`.

::

    async def test_ready(cyclesoft_session):
        orders = await cyclesoft_session.workshop_orders.list(status_ids=[7]).collect()

- `cyclesoft_sandbox`: a `Sandbox`, also for tests that are not async. The marker
  `@pytest.mark.cyclesoft_sandbox(orders=5)` passes arguments to it;
- `cyclesoft_session`: a `CycleSoftSession` of that sandbox;
- `cyclesoft_receiver`: a `WebhookReceiver` with an inbox of its own. Override it with a fixture that returns
  yours;
- `cyclesoft_webhooks`: that receiver, open, in a `ReceiverHarness`.

Async tests can run under anyio or pytest-asyncio, in any of their modes. aiohttp supports asyncio only: under
anyio, the fixture `anyio_backend` must return "asyncio".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

import pytest
from anyio.from_thread import start_blocking_portal

from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.session import CycleSoftSession
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

AsyncFixture: TypeAlias = Callable[..., AsyncGenerator[object]]
LoopScope: TypeAlias = Literal["function", "class", "module", "package", "session"]

_LOOP_SCOPES: Final[tuple[LoopScope, ...]] = ("function", "class", "module", "package", "session")
_FEW_ORDERS: Final = 100  # a test reads them with one request


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the fixtures of pytest-asyncio if it is active."""
    config.addinivalue_line(
        "markers", "cyclesoft_sandbox(**options): arguments of the Sandbox of `cyclesoft_sandbox`"
    )
    # An async fixture runs in the loop of the plugin that it is made for, and a session belongs to one loop.
    # So each fixture exists for every loop that a test can run in. The public fixtures choose among them.
    fixtures = ModuleType("cyclesoft_async_fixtures")
    for kind, function in _async_fixtures().items():
        setattr(fixtures, f"_cyclesoft_anyio_{kind}", pytest.fixture(function))
    if config.pluginmanager.has_plugin("asyncio"):
        import pytest_asyncio  # noqa: PLC0415 - the user's choice

        for scope in _LOOP_SCOPES:
            for kind, function in _async_fixtures().items():
                setattr(
                    fixtures, f"_cyclesoft_{scope}_{kind}", pytest_asyncio.fixture(function, loop_scope=scope)
                )
    config.pluginmanager.register(fixtures, fixtures.__name__)


@pytest.fixture
def cyclesoft_sandbox(request: pytest.FixtureRequest) -> Generator[Sandbox]:
    """A sandbox of 100 orders: in the event loop of an async test, else in a thread."""
    if _event_loop(request) is not None:
        yield _for_async_test(request, "sandbox")
        return
    sandbox = Sandbox(**_sandbox_options(request))
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(sandbox):
        yield sandbox


@pytest.fixture
def cyclesoft_session(request: pytest.FixtureRequest, cyclesoft_sandbox: Sandbox) -> CycleSoftSession:  # noqa: ARG001 - opened first, closed last
    """A session of `cyclesoft_sandbox`, closed after the test."""
    session: CycleSoftSession = _for_async_test(request, "session")
    return session


@pytest.fixture
def cyclesoft_receiver(tmp_path: Path) -> WebhookReceiver:
    """A receiver with an empty inbox in a temporary folder. Override it to test your own."""
    return WebhookReceiver([SECRET], SqliteInbox(tmp_path / "cyclesoft_inbox.db"))


@pytest.fixture
def cyclesoft_webhooks(
    request: pytest.FixtureRequest,
    cyclesoft_receiver: WebhookReceiver,  # noqa: ARG001 - made outside the event loop
) -> ReceiverHarness:
    """`cyclesoft_receiver`, open until the end of the test: send events to it, and wait for its handlers."""
    harness: ReceiverHarness = _for_async_test(request, "webhooks")
    return harness


def _async_fixtures() -> Mapping[str, AsyncFixture]:
    """Return the async fixtures by kind: new functions each time, because pytest-asyncio marks them."""

    async def sandbox(request: pytest.FixtureRequest) -> AsyncGenerator[Sandbox]:
        async with Sandbox(**_sandbox_options(request)) as opened:
            yield opened

    async def session(cyclesoft_sandbox: Sandbox) -> AsyncGenerator[CycleSoftSession]:
        async with CycleSoftSession("user", "pass", base_url=cyclesoft_sandbox.url) as opened:
            yield opened

    async def webhooks(cyclesoft_receiver: WebhookReceiver) -> AsyncGenerator[ReceiverHarness]:
        async with ReceiverHarness(cyclesoft_receiver) as opened:
            yield opened

    return {"sandbox": sandbox, "session": session, "webhooks": webhooks}


def _for_async_test(request: pytest.FixtureRequest, kind: str) -> Any:
    """Return the async fixture in the event loop of the test.

    Raises:
        UsageError: The test is not async, or runs on trio.
    """
    loop = _event_loop(request)
    if loop is None:
        raise UsageError(
            f"cyclesoft_{kind} must be used by an async test that anyio or pytest-asyncio runs;"
            " write `async def`, and mark the test"
        )
    if loop == "anyio" and "asyncio" not in (backend := request.getfixturevalue("anyio_backend")):
        raise UsageError(f'anyio_backend must be "asyncio", got {backend!r}; override that fixture')
    return request.getfixturevalue(f"_cyclesoft_{loop}_{kind}")


def _event_loop(request: pytest.FixtureRequest) -> LoopScope | Literal["anyio"] | None:
    """Return the event loop of the test: one of pytest-asyncio's by its scope, anyio's, or None."""
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None and request.config.pluginmanager.has_plugin("asyncio"):
        loop_scope: LoopScope = marker.kwargs.get("loop_scope") or request.config.getini(
            "asyncio_default_test_loop_scope"
        )
        return loop_scope
    return "anyio" if "anyio_backend" in request.fixturenames else None


def _sandbox_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("cyclesoft_sandbox")
    return {"orders": _FEW_ORDERS, **(marker.kwargs if marker else {})}
