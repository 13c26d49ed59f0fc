"""Upgrades of a PostgreSQL inbox from every version before, also of one that was killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from psycopg import Connection
from psycopg.rows import TupleRow

from cyclesoft_async.errors import InboxUnavailableError
from cyclesoft_async.webhooks import PostgresInbox
from cyclesoft_async.webhooks.inbox import Completed, entries
from cyclesoft_async.webhooks.inbox.postgres import migrate
from tests.support.inboxes import at_work
from tests.support.polling import until
from tests.support.postgres import query

DATA = Path(__file__).parents[2] / "data"
RECEIVED, DONE, DEAD, QUARANTINED, DUE, LATER, RUNNING = range(7)
PUT = "SELECT put(1, %(id)s, 'a.b', %(lane)s, 1, '{}', 'received', NULL)"
STORE = """
    SELECT {function}(
        '{{1}}', ARRAY[%(id)s], '{{a.b}}', ARRAY[%(lane)s], '{{1}}', ARRAY['{{}}'::bytea], '{{received}}',
        '{{NULL}}'
    )
"""
STORES = {
    "0001": PUT,
    "0002": PUT,
    "0003": STORE.format(function="store"),
    "0004": STORE.format(function="store_deliveries"),
}
STATES = {
    DONE: "state = 'done', finished_at = now(), attempts = 1",
    DEAD: "state = 'dead', finished_at = now(), attempts = 3, error = 'a.b: ValueError'",
    QUARANTINED: "state = 'quarantined', finished_at = now(), is_original = false",
    DUE: "state = 'retrying', attempts = 1, error = 'a.b: ValueError', due_at = now() - interval '1 hour'",
    LATER: "state = 'retrying', attempts = 1, error = 'a.b: ValueError', due_at = now() + interval '1 day'",
    RUNNING: "attempts = 1",
}
MIGRATING = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'cyclesoft-migrate' AND wait_event_type = 'Lock'
    AND starts_with(query, 'CREATE INDEX')
"""
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


def make_inbox(connection: Connection[TupleRow], version: str) -> None:
    """Create the tables of a version, with a delivery in every state, as its processes left them."""
    connection.execute("CREATE SCHEMA cyclesoft")
    connection.execute("SET search_path = cyclesoft")
    connection.execute(SchemaManager.get_schema().encode())
    connection.execute((DATA / f"postgres_inbox_{version}.sql").read_bytes())
    connection.execute("CREATE TABLE versions (part text PRIMARY KEY, version text NOT NULL)")
    newest = max(Path(SchemaManager.get_migrations_path()).glob("*.sql")).name
    connection.execute("INSERT INTO versions VALUES ('procrastinate', %s), ('inbox', %s)", (newest, version))
    for number in range(7):
        connection.execute(STORES[version].encode(), {"id": str(number), "lane": f"1/a/{number}"})
    for number, state in STATES.items():
        connection.execute(f"UPDATE deliveries SET {state} WHERE delivery_id = '{number}'".encode())  # noqa: S608
    [[worker]] = connection.execute(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
    ).fetchall()
    if version == "0004":  # its jobs are queued after the commit
        connection.execute("UPDATE lanes SET wanted = false WHERE lane = '1/a/6'")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES"
            " ('cyclesoft_inbox', 'cyclesoft_async.webhooks.handle_lane', '1/a/6')"
        )
    if version != "0001":
        connection.execute("UPDATE deliveries SET claimed_by = %s WHERE delivery_id = '6'", (worker,))
    connection.execute(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE lock = '1/a/6'", (worker,)
    )


@pytest.mark.parametrize("version", STORES)
async def test_a_killed_upgrade_is_resumed_and_every_delivery_keeps_its_state(
    postgres: str, version: str
) -> None:
    with psycopg.connect(postgres, autocommit=True) as before:
        make_inbox(before, version)
        # A transaction that has changed deliveries holds up the indexes.
        before.execute("BEGIN")
        before.execute("UPDATE deliveries SET attempts = attempts")
        upgrade = asyncio.create_task(migrate(postgres))
        await until(lambda: bool(query(postgres, MIGRATING)))
        query(postgres, "SELECT pg_terminate_backend(%s, 5000)", query(postgres, MIGRATING)[0][0])
        with pytest.raises(InboxUnavailableError):
            await upgrade
        before.execute("COMMIT")
    assert query(postgres, INVALID) != []
    await migrate(postgres)
    await migrate(postgres)
    assert query(postgres, INVALID) == []
    inbox = PostgresInbox(postgres, lease_seconds=1.0)
    async with at_work(inbox) as hands:
        expected = {"1/a/0": 1, "1/a/4": 2, "1/a/6": 2}
        if version == "0004":  # a process of which still stores
            query(
                f"{postgres}&options=-csearch_path%3Dcyclesoft",
                STORES[version].replace("%(id)s", "'7'").replace("%(lane)s", "'1/a/7'"),
            )
            expected["1/a/7"] = 1
        taken = {work.ordering_key: work for work in await hands.take(len(expected))}
        assert {lane: work.attempt for lane, work in taken.items()} == expected
        for work in taken.values():
            await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])
    assert {int(entry.id): entry.state for entry in entries(postgres) if entry.id != "7"} == {
        RECEIVED: "done",
        DONE: "done",
        DEAD: "dead",
        QUARANTINED: "quarantined",
        DUE: "done",
        LATER: "retrying",
        RUNNING: "done",
    }
