"""Handlers that end in every way there is, at random, with restarts: no event is lost, order is kept."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from cyclesoft_async.webhooks import Reject, RetryAt, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from tests.support.inboxes import Place
from tests.support.webhook_server import SECRET, order

ENTITIES = 6
ATTEMPTS = 5
"""An event that has been attempted this many times succeeds."""


class Panic(BaseException):
    """An exception of an extension in Rust: not an Exception."""


async def fail() -> None:
    raise ValueError


async def panic() -> None:
    raise Panic


async def raise_generator_exit() -> None:
    raise GeneratorExit


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def hang() -> None:
    await asyncio.Event().wait()


async def ignore_cancellation() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0.02)  # the fault itself: it still runs when it should have ended


async def ask_for_a_retry() -> None:
    raise RetryAt(datetime.now(UTC) + timedelta(milliseconds=5))


async def succeed_late() -> None:
    await asyncio.sleep(0.01)  # its work, during which the others misbehave


FAILURES: list[Callable[[], Awaitable[None]]] = [
    fail,
    panic,
    raise_generator_exit,
    cancel_itself,
    hang,
    ignore_cancellation,
    ask_for_a_retry,
    succeed_late,
]


class Handlers:
    """Misbehave at random, and record each call: the entity's calls, and how the last of each event ended."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a repeatable mix of faults
        self.calls: defaultdict[int, list[int]] = defaultdict(list)
        self.attempts: defaultdict[str, int] = defaultdict(int)
        self.ended: dict[str, str] = {}
        self.running: set[int] = set()

    async def handle(self, event: events.WorkshopOrderUpdated) -> None:
        entity, number = event.payload.workshop_order_id, event.payload.status_id
        assert number is not None
        assert entity not in self.running, "two handlers of an entity run at the same time"
        self.running.add(entity)
        self.calls[entity].append(number)
        self.attempts[event.id] += 1
        self.ended[event.id] = "failed"
        try:
            await self._misbehave(event)
            self.ended[event.id] = "done"
        finally:
            self.running.discard(entity)

    async def _misbehave(self, event: events.WorkshopOrderUpdated) -> None:
        chance = self.random.random()
        if chance < 0.1:
            self.ended[event.id] = "dead"
            raise Reject("never")
        if chance < 0.7 and self.attempts[event.id] < ATTEMPTS:
            await self.random.choice(FAILURES)()


class Sender:
    """Sends the events of one entity, numbered from 1."""

    def __init__(self, entity: int) -> None:
        self.entity = entity
        self.acknowledged: list[str] = []

    async def send(self, receiver: WebhookReceiver, count: int) -> None:
        for _ in range(count):
            sent = order(self.entity, status=len(self.acknowledged) + 1)
            answer = await receiver.receive(sent.body, sent.headers)
            assert answer.status == 200
            self.acknowledged.append(sent.headers["X-CycleSoftware-Delivery"])


def receiver_of(place: Place, handlers: Handlers) -> WebhookReceiver:
    stop_timeout = handlers.random.choice([0.0, 0.02, 1.0])
    receiver = WebhookReceiver(
        SECRET, place.inbox(), handler_timeout=0.1, retry_after=0.002, stop_timeout=stop_timeout
    )
    receiver.on(events.WorkshopOrderUpdated)(handlers.handle)
    return receiver


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(200, marks=pytest.mark.soak)], ids=["a few", "all of them"]
)
async def test_whatever_handlers_do_each_event_ends_in_its_turn(place: Place, rounds: int) -> None:
    handlers = Handlers(seed=rounds)
    senders = [Sender(entity) for entity in range(1, ENTITIES + 1)]
    for _ in range(rounds):
        async with receiver_of(place, handlers) as receiver:
            await asyncio.gather(*(sender.send(receiver, handlers.random.randrange(5)) for sender in senders))
            await asyncio.sleep(handlers.random.choice([0.0, 0.01, 0.1]))  # stopped at any moment
    states: dict[str, str] = {}
    async with receiver_of(place, handlers) as receiver, asyncio.timeout(120):
        while not states or not set(states.values()) <= {"done", "dead"}:
            await receiver.settled()
            found = await asyncio.to_thread(lambda: list(entries(place.location, limit=-1)))
            states = {entry.id: entry.state for entry in found}
    acknowledged = {id_ for sender in senders for id_ in sender.acknowledged}
    assert states == {id_: handlers.ended[id_] for id_ in acknowledged}
    for sender in senders:
        calls = handlers.calls[sender.entity]
        assert all(earlier <= later for earlier, later in pairwise(calls))
        assert set(calls) == set(range(1, len(sender.acknowledged) + 1))
