"""Contract of every inbox, in a SQLite file and in PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from cyclesoft_async.errors import InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import Reject, WebhookReceiver, events, sign
from cyclesoft_async.webhooks.inbox import (
    Completed,
    QueuedDelivery,
    Selection,
    Stored,
    entries,
)
from cyclesoft_async.webhooks.testing import delivery
from tests.support.inboxes import Place, at_work, letter, opened
from tests.support.webhook_server import SECRET, eventually, order, running, take

GARBAGE = b"\xff"


async def test_a_stored_delivery_is_announced_at_once_and_after_a_restart(place: Place) -> None:
    inbox = place.inbox()
    async with at_work(inbox) as hands:
        stored = await asyncio.gather(*(inbox.put(letter(number % 300)) for number in range(400)))
        assert (stored.count(Stored.NEW), stored.count(Stored.DUPLICATE)) == (300, 100)
        assert await inbox.put(letter(1, body=b"[]")) is Stored.QUARANTINED
        assert await inbox.put(letter(1, body=b"[]")) is Stored.DUPLICATE
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
        first = await hands.take(300)
        assert {work.ordering_key for work in first} == {f"1/a/{number}" for number in range(300)}
        assert {(work.body, work.attempt, work.replayed, work.newest) for work in first} == {
            (b"{}", 1, False, None)
        }
        for work in first[:100]:
            await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])
    async with at_work(place.inbox()) as hands:
        again = await hands.take(200)
        assert {work.seq for work in again} == {work.seq for work in first[100:]}
        assert {work.attempt for work in again} == {2}
        assert hands.work.empty()


async def test_two_accounts_may_use_the_same_id(place: Place) -> None:
    inbox = place.inbox()
    async with at_work(inbox) as hands:
        mine, theirs = letter(1), structs.replace(letter(1), account_id=2, ordering_key="2/a/1")
        assert await inbox.put(mine) is Stored.NEW
        assert await inbox.put(theirs) is Stored.NEW
        accounts = {work.ordering_key: work.account_id for work in await hands.take(2)}
        assert accounts == {mine.ordering_key: 1, theirs.ordering_key: 2}


async def test_the_same_delivery_at_the_same_time_is_stored_once(place: Place) -> None:
    inbox = place.inbox()
    async with at_work(inbox) as hands:
        stored = await asyncio.gather(*(inbox.put(letter(1)) for _ in range(20)))
        assert sorted(one.value for one in stored) == ["duplicate"] * 19 + ["new"]
        await hands.take(1)
        await inbox.check()
        assert hands.work.empty()


async def test_every_end_of_an_attempt_is_recorded(place: Place) -> None:
    inbox = place.inbox()
    async with at_work(inbox) as hands:
        await asyncio.gather(*(inbox.put(letter(number)) for number in range(4)))
        done, dead, later, back = await hands.take(4)
        await inbox.progress(done.seq, ["first"])
        await inbox.complete([Completed(done.seq, done.ordering_key, 5.0)])
        await inbox.dead_letter(dead.seq, "hopeless \ud800 \0")
        await inbox.postpone(later.seq, 0.0, ["first"], "not yet")
        await inbox.release(back.seq, ["first"])
    states = {entry.entity: (entry.state, entry.attempts) for entry in entries(place.location)}
    assert states == {
        done.ordering_key: ("done", 1),
        dead.ordering_key: ("dead", 1),
        later.ordering_key: ("retrying", 1),
        back.ordering_key: ("received", 0),
    }
    [error] = [entry.error for entry in entries(place.location, state="dead")]
    assert error is not None
    assert error.startswith("hopeless ?")
    async with at_work(place.inbox()) as hands:
        again = {work.ordering_key: work for work in await hands.take(2)}
        assert (again[later.ordering_key].attempt, again[later.ordering_key].replayed) == (2, False)
        assert (again[back.ordering_key].attempt, again[back.ordering_key].replayed) == (1, True)
        assert {work.handled for work in again.values()} == {("first",)}


async def test_odd_texts_are_kept(place: Place) -> None:
    inbox = place.inbox()
    odd = structs.replace(
        letter(1), id="\0", event_name="\0", ordering_key="1/\0/" + "x" * 10_000, problem="\0", body=b"\0\xff"
    )
    async with at_work(inbox) as hands:
        assert await inbox.put(odd) is Stored.NEW
        assert await inbox.put(odd) is Stored.DUPLICATE
        [work] = await hands.take(1)
        assert work.body == odd.body


async def test_a_closed_inbox_is_unavailable(place: Place) -> None:
    inbox = place.inbox()
    with pytest.raises(InboxUnavailableError, match="not open"):
        await inbox.put(letter(1))
    with pytest.raises(InboxUnavailableError, match="not open"):
        await inbox.claim(1)
    async with opened(inbox):
        with pytest.raises(UsageError, match="open already"):
            await inbox.open(list[QueuedDelivery]().extend)
        waiting = [asyncio.create_task(inbox.put(letter(number))) for number in range(100)]
        await asyncio.sleep(0)
        closing_down = asyncio.create_task(inbox.close())
        await asyncio.sleep(0)
        with pytest.raises(InboxUnavailableError, match=r"closed|not open"):
            await inbox.put(letter(101))
        assert set(await asyncio.gather(*waiting)) == {Stored.NEW}
        await closing_down
    await inbox.close()
    assert repr(inbox).startswith(f"{type(inbox).__name__}('")


async def test_replayed_deliveries_are_handled_again(place: Place) -> None:
    inbox = place.inbox()
    hooks = WebhookReceiver(SECRET, inbox, retry_for=0)
    seen: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
    broken = True

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        if broken and event.id == "bad":
            raise ValueError
        seen.put_nowait((event.id, event.is_redelivery))

    async with running(hooks) as server:
        await server.post(order(1, id="bad"))
        await server.post(order(1, id="good"))
        await server.post(delivery("new.thing", {}, secret=SECRET, id="unknown"))
        await server.post(GARBAGE, {"X-CycleSoftware-Signature": sign(GARBAGE, SECRET)})
        assert {await take(seen), await take(seen)} == {("good", False), ("unknown", False)}
        await eventually(place.location, lambda entry: entry.id == "good" and entry.state == "done")
        await eventually(place.location, lambda entry: entry.id == "unknown" and entry.state == "dead")
        broken = False
        assert await inbox.replay("good") == 1
        assert await take(seen) == ("good", True)
        await eventually(place.location, lambda entry: entry.id == "good" and entry.state == "done")
        assert await inbox.replay(only_dead=True) == 3
        assert {await take(seen), await take(seen)} == {("bad", True), ("unknown", True)}
        assert await inbox.replay(since=datetime.now(UTC) + timedelta(days=1)) == 0
        await eventually(place.location, lambda entry: entry.id == "bad" and entry.state == "done")
        assert await inbox.replay("bad", since=datetime.now(UTC) - timedelta(days=1)) == 1
        assert await take(seen) == ("bad", True)
        with pytest.raises(UsageError, match="aware"):
            await inbox.replay(since=datetime.now())  # noqa: DTZ005


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(), [4, 3, 2, 1, 0]),
        (Selection(delivery_id="id-2"), [2]),
        (Selection(states=("done",)), [2, 1]),
        (Selection(states=("done", "dead")), [3, 2, 1]),
        (Selection(event_name="c.d"), [4]),
        (Selection(account_id=2), [4]),
        (Selection(account_id=0), []),
        (Selection(delivery_id=""), []),
        (Selection(entity="a/3"), [3]),
        (Selection(entity="1/a/3"), [3]),
        (Selection(entity="2/a/3"), []),
        (Selection(since=datetime(2020, 1, 1, tzinfo=UTC)), [4, 3, 2, 1, 0]),
        (Selection(until=datetime(2020, 1, 1, tzinfo=UTC)), []),
        (Selection(error="NO SUCH"), [3]),
        (Selection(states=("done",), entity="a/1"), [1]),
    ],
)
async def test_a_selection_lists_what_meets_all_conditions(
    place: Place, selection: Selection, numbers: list[int]
) -> None:
    inbox = place.inbox()
    async with opened(inbox):
        for number, state in enumerate(("received", "done", "done", "dead")):
            await inbox.put(
                structs.replace(letter(number, state=state), problem="no such event" if number == 3 else None)
            )
        await inbox.put(structs.replace(letter(4), account_id=2, event_name="c.d", ordering_key="2/a/4"))
        found = entries(place.location, where=selection)
        pages = [
            entries(place.location, where=selection, before=before, limit=1)
            for before in (None, *(entry.seq for entry in found))
        ]
    assert [entry.id for entry in found] == [f"id-{number}" for number in numbers]
    assert [entry for page in pages for entry in page] == found
    with pytest.raises(UsageError, match="since must be an aware datetime"):
        Selection(since=datetime(2020, 1, 1))  # noqa: DTZ001


async def test_events_of_an_entity_are_handled_in_order_when_some_fail(place: Place) -> None:
    hooks = WebhookReceiver(SECRET, place.inbox(), retry_after=0.01)
    seen: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    failures = {(1, 0): 2, (2, 1): 1, (3, 0): 99}

    @hooks.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        number, status = event.payload.workshop_order_id, event.payload.status_id or 0
        seen.put_nowait((number, status))
        if failures.get((number, status), 0) > 0:
            failures[number, status] -= 1
            raise Reject("hopeless") if failures[number, status] == 96 else ValueError

    async with running(hooks) as server:
        for status in range(3):
            sent = await asyncio.gather(*(server.post(order(n, status=status)) for n in range(4)))
            assert sent == [200] * 4
        handled = [await take(seen) for _ in range(12 + 2 + 1 + 2)]
        await eventually(place.location, lambda entry: entry.entity.endswith("/3") and entry.state == "dead")
    assert {n: [status for number, status in handled if number == n] for n in range(4)} == {
        0: [0, 1, 2],
        1: [0, 0, 0, 1, 2],
        2: [0, 1, 1, 2],
        3: [0, 0, 0, 1, 2],
    }


async def test_unfinished_deliveries_are_handled_after_a_restart(place: Place) -> None:
    first = WebhookReceiver(SECRET, place.inbox(), stop_timeout=0.0)
    started = asyncio.Event()

    @first.on_any
    async def hang(_: events.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(first) as server:
        for status in range(3):
            assert await server.post(order(1, status=status)) == 200
        await started.wait()

    second = WebhookReceiver(SECRET, place.inbox())
    seen: asyncio.Queue[tuple[int | None, bool]] = asyncio.Queue()

    @second.on(events.WorkshopOrderUpdated)
    async def note(event: events.WorkshopOrderUpdated) -> None:
        seen.put_nowait((event.payload.status_id, event.is_redelivery))

    async with running(second):
        assert [await take(seen) for _ in range(3)] == [(0, True), (1, False), (2, False)]
