"""What every inbox keeps, and for how long: deliveries, their ids, and the newest time of an entity."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks.inbox import (
    Completed,
    Stored,
    entries,
)
from tests.support.inboxes import Place, at_work, letter, opened
from tests.support.postgres import query


async def test_deliveries_older_than_their_retention_are_deleted(place: Place) -> None:
    inbox = place.inbox()
    async with opened(inbox):
        await asyncio.gather(*(inbox.put(letter(number, state="done")) for number in range(1200)))
        await inbox.put(letter(2000, state="dead"))
        await inbox.put(letter(2001))
        assert await inbox.purge() == 0
    async with opened(place.inbox(keep_done_days=0)):
        await asyncio.to_thread(wait_until_few, place.location, 2)
    assert {entry.state for entry in entries(place.location)} == {"dead", "received"}
    inbox = place.inbox(keep_dead_days=0)
    async with opened(inbox):
        await inbox.purge()
    assert [entry.state for entry in entries(place.location)] == ["received"]


async def test_a_purged_delivery_is_known_again_for_two_years(place: Place) -> None:
    inbox = place.inbox(keep_done_days=0, keep_dead_days=0)
    async with opened(inbox):
        for body in (b"{}", b"[]"):
            await inbox.put(letter(1, body=body, state="done"))
        assert await inbox.purge() == 2
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
        assert await inbox.put(letter(1, body=b"[3]")) is Stored.QUARANTINED
        assert await inbox.put(letter(2, state="done")) is Stored.NEW
        assert await inbox.purge() == 2
    age_purged_ids(place.location, days=729)
    async with opened(inbox):
        await inbox.purge()
        assert await inbox.put(letter(1)) is Stored.DUPLICATE
    age_purged_ids(place.location, days=2)
    async with opened(inbox):
        await inbox.purge()
        assert await inbox.put(letter(1)) is Stored.NEW


async def test_the_ids_of_purged_deliveries_are_kept_as_long_as_asked(place: Place) -> None:
    inbox = place.inbox(keep_done_days=0, keep_ids_days=3)
    async with opened(inbox):
        await inbox.put(letter(1, state="done"))
        assert await inbox.purge() == 1
    age_purged_ids(place.location, days=4)
    async with opened(inbox):
        await inbox.purge()
        assert await inbox.put(letter(1)) is Stored.NEW


def age_purged_ids(location: Path | str, *, days: int) -> None:
    if isinstance(location, str):
        query(
            location,
            "UPDATE cyclesoft.purged_ids SET received_at = received_at - make_interval(days => %s)",
            days,
        )
        return
    with closing(sqlite3.connect(location, isolation_level=None)) as connection:
        connection.execute("UPDATE purged_ids SET received_at = received_at - ?", (days * 86_400,))


async def test_an_entitys_newest_time_outlives_its_deliveries_by_years(place: Place) -> None:
    async with at_work(place.inbox()) as hands:
        await hands.inbox.put(letter(1))
        [work] = await hands.take(1)
        await hands.inbox.complete([Completed(work.seq, work.ordering_key, 100.0)])
    age_entities(place.location, days=400)
    async with at_work(place.inbox(keep_done_days=0)) as hands:
        await hands.inbox.purge()
        assert await hands.inbox.put(structs.replace(letter(1), id="id-2")) is Stored.NEW
        [work] = await hands.take(1)
        assert work.newest == 100.0
        await hands.inbox.complete([Completed(work.seq, work.ordering_key, 100.0)])
    age_entities(place.location, days=800)
    async with at_work(place.inbox(keep_done_days=0)) as hands:
        await hands.inbox.purge()
        await hands.inbox.put(structs.replace(letter(1), id="id-3"))
        [work] = await hands.take(1)
        assert work.newest is None


def age_entities(location: Path | str, *, days: int) -> None:
    if isinstance(location, str):
        query(
            location, "UPDATE cyclesoft.lanes SET changed_at = changed_at - make_interval(days => %s)", days
        )
        return
    with closing(sqlite3.connect(location, isolation_level=None)) as connection:
        connection.execute("UPDATE entities SET changed_at = changed_at - ?", (days * 86_400,))


async def test_an_infinite_retention_keeps_every_delivery(place: Place) -> None:
    keeps = place.inbox(keep_done_days=math.inf, keep_dead_days=math.inf)
    async with opened(keeps):
        await keeps.put(letter(1, state="done"))
        await keeps.put(letter(2, state="dead"))
        assert await keeps.purge() == 0
    for done_days, dead_days, left in ((1e308, 1e308, 2), (math.inf, 0.0, 1), (0.0, math.inf, 0)):
        inbox = place.inbox(keep_done_days=done_days, keep_dead_days=dead_days)
        async with opened(inbox):
            await inbox.purge()
        assert len(entries(place.location)) == left
    with pytest.raises(UsageError, match="retention"):
        place.inbox(keep_done_days=math.nan)


def wait_until_few(location: Path | str, few: int) -> None:
    while len(entries(location, limit=10)) > few:
        pass
