"""Figures of receivers: counted, seen by other processes, and shown as metrics."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, NoOpMeter, ObservableCounter, ObservableGauge, Observation

from cyclesoft_async.errors import InboxUnavailableError
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events, health
from cyclesoft_async.webhooks.inbox import InboxStats, ReceiverFigures
from tests.support.asgi_server import serving
from tests.support.inboxes import AnyInbox, Place
from tests.support.webhook_server import SECRET, Server, eventually, order, running, take

HANDLER = "tests.integration.webhooks.test_metrics.receiver_with.<locals>.handle"
FORGED = {"X-CycleSoftware-Signature": "0" * 64}


def receiver_with(inbox: AnyInbox, release: asyncio.Event, seen: asyncio.Queue[str]) -> WebhookReceiver:
    hooks = WebhookReceiver(SECRET, inbox, retry_for=0)

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        seen.put_nowait(event.id)
        if event.id == "slow":
            await release.wait()
        if event.id == "bad":
            raise ValueError

    return hooks


async def text_of(server: Server, path: str = "/metrics") -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}{path}") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path / "inbox.db")
    return Place(str(request.getfixturevalue("postgres")))


async def reported(place: Place) -> ReceiverFigures:
    """Return the next figures of the one receiver, as another process reads them."""
    asked_at = datetime.now(UTC)
    async with asyncio.timeout(60):
        while True:
            for figures in (await place.inbox().stats()).receivers:
                if figures.reported_at > asked_at:
                    return figures


async def test_figures_of_a_receiver_are_its_metrics_and_seen_by_other_processes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(health, "_STATS_SECONDS", 0.0)
    release, seen = asyncio.Event(), asyncio.Queue[str]()
    async with running(receiver_with(place.inbox(), release, seen)) as server:
        bad = order(1, id="bad")
        assert [await server.post(bad), await server.post(bad)] == [200, 200]
        assert await server.post(order(2, id="slow")) == 200
        assert await server.post(b"{}", FORGED) == 401
        assert {await take(seen), await take(seen)} == {"bad", "slow"}
        await eventually(place.location, lambda entry: entry.id == "bad" and entry.state == "dead")
        lines = set((await text_of(server)).splitlines())
        assert {
            'cyclesoft_webhooks_requests_total{result="stored"} 2',
            'cyclesoft_webhooks_requests_total{result="duplicates"} 1',
            'cyclesoft_webhooks_requests_total{result="quarantined"} 0',
            'cyclesoft_webhooks_requests_total{result="refused"} 1',
            'cyclesoft_webhooks_requests_total{result="unavailable"} 0',
            f'cyclesoft_webhooks_handler_attempts_total{{handler="{HANDLER}"}} 1',
            f'cyclesoft_webhooks_handler_failures_total{{handler="{HANDLER}"}} 1',
            "cyclesoft_webhooks_running_handlers 1",
            'cyclesoft_webhooks_inbox_deliveries{state="dead"} 1',
            'cyclesoft_webhooks_inbox_deliveries{state="running"} 1',
            "cyclesoft_webhooks_oldest_due_seconds 0",
            "# TYPE cyclesoft_webhooks_requests_total counter",
        } <= lines
        assert not any("workshop_order" in line for line in lines)

        figures = await reported(place)
        assert (figures.stored, figures.duplicates, figures.refused) == (2, 1, 1)
        [handler], [now] = figures.handlers, figures.running
        assert (handler.handler, handler.attempts, handler.failures) == (HANDLER, 1, 1)
        assert 0.0 < handler.mean_seconds == handler.worst_seconds
        assert (now.handler, now.event_id) == (HANDLER, "slow")
        release.set()


class UnreadableInbox(SqliteInbox):
    """An inbox whose figures cannot be read."""

    async def stats(self) -> InboxStats:
        raise InboxUnavailableError("away")


async def test_metrics_of_the_receiver_are_shown_under_asgi_and_while_the_inbox_cannot_be_read(
    tmp_path: Path,
) -> None:
    hooks = WebhookReceiver(SECRET, UnreadableInbox(tmp_path / "inbox.db"))
    async with serving(hooks.asgi(path="/cyclesoft")) as server:
        text = await text_of(server, "/cyclesoft/metrics")
        assert 'cyclesoft_webhooks_requests_total{result="stored"} 0' in text
        assert "inbox_deliveries" not in text
        async with aiohttp.ClientSession(server.url) as http:
            assert (await http.head("/cyclesoft/metrics")).status == 200
            assert (await http.post("/cyclesoft/metrics")).status == 405


Callback = (
    Callable[[CallbackOptions], Iterable[Observation]]
    | Generator[Iterable[Observation], CallbackOptions, None]
)


class RecordingMeter(NoOpMeter):
    """A meter that reads its observable instruments when asked; opentelemetry-api has none."""

    def __init__(self) -> None:
        super().__init__("test")
        self.callbacks: dict[str, Callback] = {}

    def create_observable_counter(
        self, name: str, callbacks: Sequence[Callback] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        self.callbacks[name] = (callbacks or [])[0]
        return super().create_observable_counter(name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[Callback] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        self.callbacks[name] = (callbacks or [])[0]
        return super().create_observable_gauge(name, callbacks, unit, description)

    def read(self, name: str) -> list[tuple[dict[str, object], float]]:
        callback = self.callbacks[name]
        assert callable(callback)
        found = callback(CallbackOptions())
        return [(dict(one.attributes or {}), one.value) for one in found]


async def test_opentelemetry_reads_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "opentelemetry.metrics" in sys.modules
    meter = RecordingMeter()

    def get_meter(name: str) -> RecordingMeter:
        assert name == "cyclesoft_async"
        return meter

    monkeypatch.setattr(metrics, "get_meter", get_meter)
    hooks = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    async with running(hooks) as server:
        assert await server.post(order(1)) == 200
        found = meter.read("cyclesoft_webhooks_requests_total")
        requests = {labels["result"]: value for labels, value in found}
        assert requests == {
            "stored": 1, "duplicates": 0, "quarantined": 0, "refused": 0, "unavailable": 0,
        }  # fmt: skip
        assert meter.read("cyclesoft_webhooks_oldest_due_seconds") == [({}, 0.0)]
    assert meter.read("cyclesoft_webhooks_requests_total") == []
