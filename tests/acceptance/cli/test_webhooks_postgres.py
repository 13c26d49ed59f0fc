"""The PostgreSQL inbox and its commands: migrated, looked after, served into, and without the extra."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from procrastinate.schema import SchemaManager

from cyclesoft_async.cli.migrate import migrate
from cyclesoft_async.cli.webhooks import webhooks
from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import PostgresInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Completed, QueuedDelivery, entries
from tests.support.inboxes import at_work, letter
from tests.support.paths import DATA
from tests.support.postgres import query
from tests.support.webhook_server import SECRET, eventually, order, running, take

from .test_webhooks_serve import SERVE, free_port, post

UNREACHABLE = "postgresql://me:topsecret@127.0.0.1:1/nowhere"


def ignore(_: Sequence[QueuedDelivery]) -> None:
    pass


def run(command: str, *arguments: str) -> Result:
    if command == "migrate":
        return CliRunner().invoke(migrate, arguments)
    return CliRunner().invoke(webhooks, (command, *arguments), env={"CYCLESOFT_WEBHOOK_SECRETS": SECRET})


def test_migrate_creates_the_postgres_tables_and_does_nothing_then(postgres: str) -> None:
    with pytest.raises(InboxError, match="there is no inbox"):
        entries(postgres)
    for _ in range(2):
        assert "webhook inbox: up to date" in run("migrate", "--database", postgres).output
    assert entries(postgres) == []
    assert isinstance(run("migrate", "--database", "sqlite:///x").exception, UsageError)


@pytest.mark.parametrize("part", ["procrastinate", "inbox"])
async def test_postgres_tables_of_another_version_are_refused(postgres: str, part: str) -> None:
    await asyncio.to_thread(run, "migrate", "--database", postgres)
    for version, message in (
        ("99", "newer than this"),
        ("0", "older version; run: cyclesoft migrate"),
    ):
        query(postgres, "UPDATE cyclesoft.versions SET version = %s WHERE part = %s", version, part)
        inbox = PostgresInbox(postgres)
        with pytest.raises(InboxError, match=message):
            await inbox.open(ignore)
        with pytest.raises(InboxUnavailableError, match="not open"):
            await inbox.check()
    query(postgres, "UPDATE cyclesoft.versions SET version = '99' WHERE part = %s", part)
    assert "newer" in str((await asyncio.to_thread(run, "migrate", "--database", postgres)).exception)


STEPS = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


async def test_migrate_upgrades_an_older_procrastinate_in_postgres(postgres: str) -> None:
    older = [step for step in STEPS if step.name < "03.04"]
    query(postgres, "CREATE SCHEMA cyclesoft")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET search_path = cyclesoft")
        for step in older:
            connection.execute(step.read_bytes())
        connection.execute("CREATE TABLE versions (part text PRIMARY KEY, version text NOT NULL)")
        connection.execute("INSERT INTO versions VALUES ('procrastinate', %s)", (older[-1].name,))
    assert (await asyncio.to_thread(run, "migrate", "--database", postgres)).exit_code == 0
    assert (STEPS[-1].name,) in query(postgres, "SELECT version FROM cyclesoft.versions")
    inbox = PostgresInbox(postgres)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        [work] = await hands.take(1)
        await inbox.release(work.seq, ())
        [work] = await hands.take(1)
        await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])


async def test_migrate_upgrades_an_older_inbox_in_postgres(postgres: str) -> None:
    query(postgres, "CREATE SCHEMA cyclesoft")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET search_path = cyclesoft")
        connection.execute(SchemaManager.get_schema().encode())
        connection.execute((DATA / "postgres_inbox_0001.sql").read_bytes())
        connection.execute("CREATE TABLE versions (part text PRIMARY KEY, version text NOT NULL)")
        connection.execute(
            "INSERT INTO versions VALUES ('procrastinate', %s), ('inbox', '0001')", (STEPS[-1].name,)
        )
        connection.execute("SELECT put(1, 'id-1', 'a.b', '1/a/1', 1.0, '{}', 'received', NULL)")
    with pytest.raises(InboxError, match="older version; run: cyclesoft migrate"):
        await PostgresInbox(postgres).open(ignore)
    assert (await asyncio.to_thread(run, "migrate", "--database", postgres)).exit_code == 0
    inbox = PostgresInbox(postgres)
    async with at_work(inbox) as hands:
        [work] = await hands.take(1)
        assert (work.account_id, work.attempt, work.replayed) == (1, 1, False)
        await inbox.release(work.seq, ())
        [work] = await hands.take(1)
        assert (work.attempt, work.replayed) == (1, True)
        # A process of version 0001 that still runs claims it by this function.
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("SET search_path = cyclesoft")
            [worker, job] = connection.execute("SELECT worker_id, id FROM procrastinate_jobs").fetchall()[0]
            found = connection.execute("SELECT attempts FROM claim(%s, %s, 1)", (worker, job)).fetchall()
        assert found == [(2,)]
        await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])


async def test_a_role_that_may_not_create_needs_migrate_before(postgres: str) -> None:
    role = f"app_{os.getpid()}"
    query(postgres, f"CREATE ROLE {role} LOGIN")
    url = postgres.replace("postgres:@", f"{role}@")
    with pytest.raises(InboxError, match="may not create tables; as one that may, run: cyclesoft migrate"):
        await PostgresInbox(url).open(ignore)
    await asyncio.to_thread(run, "migrate", "--database", postgres)
    with pytest.raises(InboxError, match="permission denied for schema cyclesoft"):
        await PostgresInbox(url).open(ignore)
    query(postgres, f"GRANT USAGE ON SCHEMA cyclesoft TO {role}")
    query(postgres, f"GRANT ALL ON ALL TABLES IN SCHEMA cyclesoft TO {role}")
    query(postgres, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA cyclesoft TO {role}")
    inbox = PostgresInbox(url)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        await hands.take(1)
    query(postgres, f"DROP OWNED BY {role}")
    query(postgres, f"DROP ROLE {role}")


async def test_commands_look_after_a_postgres_inbox_while_receivers_run(postgres: str) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_for=0)
    seen: asyncio.Queue[str] = asyncio.Queue()
    broken = True

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        seen.put_nowait(event.id)
        if broken:
            raise ValueError

    async def cli(*arguments: str) -> str:
        done = await asyncio.to_thread(run, *arguments, "--inbox", postgres)
        assert done.exception is None
        return done.output

    missing = await asyncio.to_thread(run, "replay", "--dead", "--inbox", postgres)
    assert isinstance(missing.exception, InboxError)
    async with running(hooks) as server:
        await server.post(order(1, id="one"))
        assert await take(seen) == "one"
        await eventually(postgres, lambda entry: entry.state == "dead")
        assert "one  workshop_order.updated  1/workshop_order/1  " in await cli("list", "--state", "dead")
        shown = await cli("show", "one")
        assert '"workshop_order_id": 1' in shown
        assert re.search(r"failed: .* attempt 1  .*handle  after 0\.\d+ s  ValueError", shown)
        assert re.search(r" 1  failed attempt of .*handle", await cli("stats"))
        assert await cli("list", "--error", "no such text") == "no deliveries\n"
        broken = False
        assert "1 delivery" in await cli("replay", "--dead")
        assert await take(seen) == "one"
        await eventually(postgres, lambda entry: entry.state == "done")
        assert "0 deliveries" in await cli("purge", "--done-days", "30")
        assert "1 delivery" in await cli("purge", "--done-days", "0")
        assert await cli("list") == "no deliveries\n"


async def test_serve_into_postgres(postgres: str) -> None:
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, "serve", "--port", str(port), "--inbox", postgres,
        stdout=subprocess.PIPE,
        env={**os.environ, "CYCLESOFT_WEBHOOK_SECRETS": SECRET, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    async with asyncio.timeout(20):
        assert b"into PostgresInbox('postgresql://" in await server.stdout.readline()
        await post(f"http://127.0.0.1:{port}/")
        assert "first  workshop_order 5" in (await server.stdout.readline()).decode()
        server.terminate()
        assert await server.wait() == 0
    assert [entry.state for entry in entries(postgres)] == ["done"]


WITHOUT: dict[str, Callable[[str], str]] = {
    "import": lambda _: "from cyclesoft_async.webhooks import PostgresInbox",
    "list": lambda url: SERVE.replace("webhooks()", f"webhooks(['list', '--inbox', {url!r}])"),
    "migrate": lambda url: (
        f"from cyclesoft_async.cli.migrate import migrate; migrate(['--database', {url!r}])"
    ),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_without_the_extra_postgres_says_what_to_install(what: str) -> None:
    program = f"import sys; sys.modules['psycopg'] = None\n{WITHOUT[what](UNREACHABLE)}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "psycopg is not installed; run in the checkout: pip install '.[postgres]'" in done.stderr


def test_webhooks_load_no_postgres_until_it_is_asked_for() -> None:
    program = (
        "import sys, cyclesoft_async.webhooks as w; print('psycopg' in sys.modules, hasattr(w, 'Nothing'))"
    )
    shown = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert shown.split() == ["False", "False"]


async def test_migrate_upgrades_an_inbox_while_a_receiver_of_the_version_before_stores(postgres: str) -> None:
    store = "SELECT put(1, %s, 'a.b', '1/a/1', %s, '{}', 'received', NULL)"
    query(postgres, "CREATE SCHEMA cyclesoft")
    with psycopg.connect(postgres, autocommit=True) as before:
        before.execute("SET search_path = cyclesoft")
        before.execute(SchemaManager.get_schema().encode())
        before.execute((DATA / "postgres_inbox_0002.sql").read_bytes())
        before.execute("CREATE TABLE versions (part text PRIMARY KEY, version text NOT NULL)")
        before.execute(
            "INSERT INTO versions VALUES ('procrastinate', %s), ('inbox', '0002')", (STEPS[-1].name,)
        )
        for number in range(3):
            before.execute(store, (f"id-{number}", float(number)))
        [[worker]] = before.execute("SELECT beat(NULL)").fetchall()
        [[job, seq, _]] = before.execute("SELECT job, seq, lane FROM take(%s, 1)", (worker,)).fetchall()
        assert before.execute("SELECT attempts FROM attempt(%s, %s, %s)", (worker, job, seq)).fetchall() == [
            (1,)
        ]
        assert (await asyncio.to_thread(run, "migrate", "--database", postgres)).exit_code == 0
        inbox = PostgresInbox(postgres)
        async with at_work(inbox) as hands:
            before.execute(store, ("id-3", 3.0))
            assert before.execute("SELECT job FROM take(%s, 8)", (worker,)).fetchall() == []
            # The attempt that was running before the upgrade ends as it did before.
            end = "SELECT settle(%s, %s, %s, 'done', '{}', NULL, NULL, 0.0)"
            assert before.execute(end, (worker, job, seq)).fetchall() == [(True,)]
            for number in (1, 2, 3):
                [work] = await hands.take(1)
                assert (work.attempt, work.newest) == (1, number - 1.0)
                await inbox.complete([Completed(work.seq, work.ordering_key, float(number))])
            assert hands.work.empty()
    assert [(entry.id, entry.state) for entry in entries(postgres)] == [
        (f"id-{number}", "done") for number in (3, 2, 1, 0)
    ]
