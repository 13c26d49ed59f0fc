"""Operators' view of a PostgreSQL inbox: figures, failed attempts, selections and purges."""

from __future__ import annotations

import asyncio
import logging
from itertools import groupby
from math import inf

import psycopg
import pytest

from cyclesoft_async.webhooks import PostgresInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Completed, Selection, entries, failed_attempts
from cyclesoft_async.webhooks.inbox.postgres import migrate
from cyclesoft_async.webhooks.inbox.protocol import HandlerFailure
from tests.support.inboxes import at_work, letter
from tests.support.polling import until
from tests.support.postgres import query
from tests.support.webhook_server import SECRET, eventually, order, running, take

from .test_postgres_inbox import OURS, ignore

FILL = """
    INSERT INTO cyclesoft.deliveries (
        account_id, delivery_id, body_hash, is_original, event_name, lane, state, finished_at, body
    ) SELECT
        1, n::text, sha256(n::text::bytea), true, 'a.b', '1/a/' || n, 'done', now() - interval '1 day', 'x'
    FROM generate_series(1, 20000) AS n
"""
PURGE = "SELECT purge_deliveries(interval '30 days', interval '90 days', interval '730 days', 500)"


async def test_figures_count_deliveries_failures_and_what_waits(postgres: str) -> None:
    inbox = PostgresInbox(postgres)
    failure = HandlerFailure(handler="app.notify", error="ValueError: no", seconds=0.5)
    async with at_work(inbox) as hands:
        for number in range(3):
            await inbox.put(letter(number))
        await inbox.put(letter(0))
        await inbox.put(letter(0, body=b"[]"))
        done, later, dead = await hands.take(3)
        await inbox.complete([Completed(done.seq, done.ordering_key, 1.0)])
        await inbox.postpone(later.seq, 2e9, (), "app.notify: ValueError: no", [failure])
        await inbox.dead_letter(dead.seq, "app.notify: ValueError: no", [failure, failure])
        figures = await inbox.stats()
        assert {(one.state, one.event_name): one.count for one in figures.counts} == {
            (state, "a.b"): 1 for state in ("dead", "done", "quarantined", "retrying")
        }
        assert figures.oldest_due_at is None
        [handler] = figures.handlers
        assert (handler.handler, handler.failures, handler.worst_seconds) == ("app.notify", 3, 0.5)
    attempts = await asyncio.to_thread(failed_attempts, postgres, dead.seq)
    assert [(one.attempt, one.handler, one.error) for one in attempts] == [
        (1, "app.notify", "ValueError: no")
    ] * 2
    assert failed_attempts(postgres, done.seq) == []


async def test_a_delivery_that_no_process_claims_is_the_oldest_that_waits(postgres: str) -> None:
    inbox = PostgresInbox(postgres)
    await inbox.open(ignore)
    try:
        assert await inbox.oldest_unannounced() is None
        await inbox.put(letter(1))
        [entry] = await asyncio.to_thread(entries, postgres)
        assert await inbox.oldest_unannounced() == pytest.approx(entry.received_at.timestamp())
        assert (await inbox.stats()).oldest_due_at == entry.received_at
    finally:
        await inbox.close()


async def test_a_selection_is_counted_before_it_is_replayed_or_purged(postgres: str) -> None:
    inbox = PostgresInbox(postgres, keep_done_days=0.0, keep_dead_days=0.0)
    for number in range(4):
        await inbox_put(postgres, number)
    only = Selection(entity="a/2")
    assert await inbox.replay(where=only, dry_run=True) == 1
    assert await inbox.purge(only, dry_run=True) == 1
    assert await inbox.purge(dry_run=True) == 4
    assert await inbox.purge(only) == 1
    assert [entry.id for entry in await asyncio.to_thread(entries, postgres)] == ["id-3", "id-1", "id-0"]
    assert await inbox.replay(where=Selection(states=("dead",), error="HOPE")) == 2
    waiting = await asyncio.to_thread(entries, postgres, state="received")
    assert [entry.id for entry in waiting] == ["id-3", "id-1"]


async def inbox_put(url: str, number: int) -> None:
    """Store a dead letter or a handled one, by a process of its own."""
    inbox = PostgresInbox(url)
    await inbox.open(ignore)
    try:
        await inbox.put(letter(number, state="dead" if number % 2 else "done"))
    finally:
        await inbox.close()
    query(url, "UPDATE cyclesoft.deliveries SET error = 'no hope' WHERE state = 'dead'")


async def test_a_purge_that_finds_nothing_reads_no_table(postgres: str) -> None:
    await migrate(postgres)
    query(postgres, FILL)
    lanes = "INSERT INTO cyclesoft.lanes (lane, changed_at) SELECT lane, now() FROM cyclesoft.deliveries"
    query(postgres, lanes)
    query(postgres, "ANALYZE")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET search_path = cyclesoft")
        connection.execute(PURGE)  # which reads the catalog, too
        [[[plan]]] = connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {PURGE}".encode()
        ).fetchall()
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 100
    assert query(postgres, "SELECT pg_relation_size('cyclesoft.deliveries') / 8192 > 400") == [(True,)]


@pytest.mark.parametrize(
    ("selection", "index"),
    [
        (Selection(entity="1/a/77"), "deliveries_entity"),
        (Selection(entity="a/77"), "deliveries_entity"),
        (Selection(states=("dead",)), "deliveries_failed"),
        (Selection(error="no such"), "deliveries_failed"),
        (Selection(states=("retrying", "received")), "deliveries_waiting"),
    ],
)
async def test_rare_deliveries_are_found_by_an_index(postgres: str, selection: Selection, index: str) -> None:
    await migrate(postgres)
    query(postgres, FILL)
    query(postgres, "VACUUM ANALYZE")
    with PostgresInbox(postgres).reader() as reader:
        found = await asyncio.to_thread(reader.find, selection, seconds=inf)
    assert [one.id for one in found.items] == (["77"] if selection.entity else [])
    scans = f"SELECT idx_scan > 0 FROM pg_stat_all_indexes WHERE indexrelname = '{index}'"  # noqa: S608
    await until(lambda: query(postgres, scans) == [(True,)])  # a session reports when it has ended


async def test_looks_share_a_connection_and_survive_its_end(postgres: str) -> None:
    """A reader connects for the first look only, and once more after the server has dropped that."""
    await migrate(postgres)
    sessions = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE application_name = 'cyclesoft-inbox' AND datname = current_database()"
    )
    await until(lambda: not query(postgres, sessions))  # those of the migration end
    with PostgresInbox(postgres).reader() as reader:
        reader.find(Selection())
        first = query(postgres, sessions)
        reader.failed_attempts(1)
        assert query(postgres, sessions) == first
        query(postgres, f"SELECT pg_terminate_backend(pid, 5000) FROM ({sessions}) AS s")  # noqa: S608
        assert reader.find(Selection()).items == []
        assert len(query(postgres, sessions)) == len(first) == 1
    await until(lambda: not query(postgres, sessions))


async def test_a_purge_that_fails_is_logged(postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    await migrate(postgres)
    query(postgres, "DROP FUNCTION cyclesoft.purge_deliveries")
    inbox = PostgresInbox(postgres)
    with caplog.at_level(logging.WARNING, "cyclesoft_async.webhooks"):
        await inbox.open(ignore)
        await until(lambda: "old deliveries were not purged" in caplog.text)
        await inbox.close()


async def test_deliveries_are_handled_in_order_while_all_connections_are_terminated(postgres: str) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=0.01)
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        seen.put_nowait(event.id)

    async with running(hooks) as server:
        for number in range(8):
            while await server.post(order(1, id=f"{number}")) != 200:
                pass
            query(postgres, f"SELECT pg_terminate_backend(pid) {OURS}")
        handled: list[str] = []
        while not handled or handled[-1] != "7":
            handled.append(await take(seen))
        await eventually(postgres, lambda entry: entry.id == "7" and entry.state == "done")
    # Handled again is only what ended while its result could not be written.
    assert [id_ for id_, _ in groupby(handled)] == [f"{number}" for number in range(8)]
