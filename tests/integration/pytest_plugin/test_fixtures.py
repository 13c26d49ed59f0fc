"""The pytest fixtures in projects of their own: under anyio and under pytest-asyncio in both modes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PLUGIN = ["-p", "cyclesoft_async.pytest_plugin", "-p", "no:cyclesoft", "-p", "no:cacheprovider"]
OURS = ["-p", "no:schemathesis", "-p", "no:hypothesispytest"]
"""Plugins of this project that a user's has not, and that import for a second."""

TESTS = """
from datetime import date

from cyclesoft_async.models import WorkshopOrderUpdate
from cyclesoft_async.sandbox import Deliveries
from cyclesoft_async.webhooks import events


async def test_calls(cyclesoft_session, cyclesoft_sandbox):
    orders = await cyclesoft_session.workshop_orders.list().collect()
    assert len(orders) == cyclesoft_sandbox.orders == 100


async def test_handler(cyclesoft_webhooks):
    seen = []

    @cyclesoft_webhooks.receiver.on(events.WorkshopOrderUpdated)
    async def handle(event):
        seen.append(event.payload.workshop_order_id)

    await cyclesoft_webhooks.send(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 7})
    await cyclesoft_webhooks.settled()
    assert seen == [50032]


async def test_a_change_reaches_the_handler(cyclesoft_session, cyclesoft_sandbox, cyclesoft_webhooks):
    seen = []

    @cyclesoft_webhooks.receiver.on(events.WorkshopOrderEvent)
    async def handle(event):
        seen.append((event.event_name, event.payload.workshop_order_id, event.payload.status_id))

    page = await cyclesoft_session.workshop_orders.list()
    order = page.items[0]
    async with Deliveries(cyclesoft_sandbox, cyclesoft_webhooks.url, cyclesoft_webhooks.secret) as sent:
        await cyclesoft_session.workshop_orders.update(
            order.customer_id, order.workshop_order_id, WorkshopOrderUpdate(status_id=7)
        )
        await sent.settled()
    await cyclesoft_webhooks.settled()
    assert seen == [("workshop_order.updated", order.workshop_order_id, 7)]
"""
ANYIO_BACKEND = """
import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
RUNNERS: dict[str, tuple[list[str], str]] = {
    "anyio marked": (["-p", "no:asyncio"], "import pytest\n\npytestmark = pytest.mark.anyio\n"),
    "anyio auto": (["-p", "no:asyncio", "-o", "anyio_mode=auto"], ""),
    "anyio beside asyncio strict": ([], "import pytest\n\npytestmark = pytest.mark.anyio\n"),
    "asyncio strict": ([], "import pytest\n\npytestmark = pytest.mark.asyncio\n"),
    "asyncio strict, module loop": (
        [],
        'import pytest\n\npytestmark = pytest.mark.asyncio(loop_scope="module")\n',
    ),
    "asyncio auto": (["-o", "asyncio_mode=auto"], ""),
    "asyncio auto, session loop": (
        ["-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session"],
        "",
    ),
}


def run_pytest(folder: Path, *options: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project of its own, with warnings as errors."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    if "no:asyncio" not in options:  # it warns of a default that will change
        options = ("-o", "asyncio_default_fixture_loop_scope=function", *options)
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", *PLUGIN, *OURS, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("runner", RUNNERS)
def test_three_tests_use_the_fixtures_without_any_set_up(tmp_path: Path, runner: str) -> None:
    """Calls, a handler and both together work in every mode of both plugins."""
    options, marks = RUNNERS[runner]
    conftest = ANYIO_BACKEND if "anyio" in runner else ""
    done = run_pytest(tmp_path, *options, test_shop=marks + TESTS, conftest=conftest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_marker_passes_arguments_to_the_sandbox(tmp_path: Path) -> None:
    """The number of orders is the marker's, for an async test and for another."""
    text = """
import urllib.request

import pytest

pytestmark = pytest.mark.cyclesoft_sandbox(orders=7, seed=3)


@pytest.mark.asyncio
async def test_async(cyclesoft_session):
    assert len(await cyclesoft_session.workshop_orders.list().collect()) == 7


def test_sync(cyclesoft_sandbox):
    assert cyclesoft_sandbox.orders == 7
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(cyclesoft_sandbox.url + "/api/v1/workshop/orders.json")
    refused.value.close()
"""
    done = run_pytest(tmp_path, test_marker=text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_receiver_is_the_users_where_they_override_it(tmp_path: Path) -> None:
    """A project's own receiver, with its handlers, is what events are sent to."""
    conftest = """
import pytest

from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET

SEEN = []


@pytest.fixture
def cyclesoft_receiver(tmp_path):
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "mine.db"))

    @receiver.on(events.CustomerUpdated)
    async def handle(event):
        SEEN.append(event.payload.customer.customer_id)

    return receiver
"""
    text = """
import pytest
from conftest import SEEN

from cyclesoft_async.webhooks import events


@pytest.mark.asyncio
async def test_mine(cyclesoft_webhooks):
    await cyclesoft_webhooks.send(events.CustomerUpdated, {"customer": {"customer_id": 24}})
    await cyclesoft_webhooks.settled()
    assert SEEN == [24]
"""
    done = run_pytest(tmp_path, conftest=conftest, test_mine=text)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_integration_passes_its_tests(tmp_path: Path) -> None:
    """The example's tests run from a copy, as a project of their own, those with unittest too."""
    shutil.copytree(ROOT / "examples" / "tested_integration", tmp_path / "shop")
    done = run_pytest(tmp_path, "-p", "no:asyncio")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("def test_sync(cyclesoft_session): ...", "write `async def`, and mark the test"),
        ("def test_sync(cyclesoft_webhooks): ...", "write `async def`, and mark the test"),
        (
            "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'trio'\n\n"
            "@pytest.mark.anyio\nasync def test_trio(cyclesoft_session): ...",
            "override that fixture",
        ),
    ],
    ids=["session", "webhooks", "trio"],
)
def test_a_test_without_an_asyncio_loop_is_told_what_to_do(tmp_path: Path, text: str, remedy: str) -> None:
    """The error names the remedy."""
    done = run_pytest(tmp_path, test_wrong=text)
    assert done.returncode == 1
    assert remedy in done.stdout
