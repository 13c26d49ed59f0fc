"""The PostgreSQL inbox by itself: shared, cut off from its database, and taken over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.errors import InboxError, InboxUnavailableError, UsageError
from cyclesoft_async.webhooks import PostgresInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Completed, QueuedDelivery, Stored, entries
from cyclesoft_async.webhooks.inbox.postgres import migrate
from cyclesoft_async.webhooks.inbox.postgres.pool import Database
from tests.support.inboxes import at_work, letter
from tests.support.polling import until
from tests.support.postgres import Server, query
from tests.support.webhook_server import SECRET, eventually, order, running, take

UNREACHABLE = "postgresql://me:topsecret@127.0.0.1:1/nowhere"


@asynccontextmanager
async def away(server: Server) -> AsyncGenerator[None]:
    await asyncio.to_thread(server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


OURS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def give_without_its_knowledge(url: str, *, as_owner: bool) -> None:
    """Store a delivery and give its lane to the one worker, as if the answer to that had been lost."""
    if as_owner:
        query(
            f"{url}&options=-csearch_path%3Dcyclesoft",
            "SELECT s.seq FROM procrastinate_workers w, store_arrivals('{1}', '{x}', '{a}', '{1/a/9}', '{1}',"
            " ARRAY['x'::bytea], '{received}', '{NULL}', ARRAY[w.id]) AS s",
        )
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = cyclesoft")
        connection.execute(
            "SELECT store_deliveries('{1}', '{x}', '{a}', '{1/a/9}', '{1}', ARRAY['x'::bytea], '{received}',"
            " '{NULL}')"
        )
        connection.execute("""
            INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id)
            SELECT 'cyclesoft_inbox', 'handle', '1/a/9', 'doing', id FROM procrastinate_workers
        """)


def ignore(_: Sequence[QueuedDelivery]) -> None:
    pass


async def test_receivers_that_start_together_share_an_empty_postgres_database(postgres: str) -> None:
    seen: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    def receiver() -> WebhookReceiver:
        hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), concurrency=4)

        @hooks.on(events.WorkshopOrderUpdated)
        async def handle(event: events.WorkshopOrderUpdated) -> None:
            await asyncio.sleep(0)
            seen.put_nowait((event.payload.workshop_order_id, event.payload.status_id or 0))

        return hooks

    async with running(receiver()) as one, running(receiver()) as two, running(receiver()) as three:
        for status in range(4):
            for server in (one, two, three):
                await asyncio.gather(
                    *(server.post(order(n, id=f"{n}-{status}", status=status)) for n in range(10))
                )
        handled = [await take(seen) for _ in range(40)]
    assert seen.empty()
    for entity in range(10):
        assert [status for number, status in handled if number == entity] == [0, 1, 2, 3]


async def test_starting_at_once_creates_the_postgres_tables_once(postgres: str) -> None:
    inboxes = [PostgresInbox(postgres) for _ in range(6)]
    await asyncio.gather(*(inbox.open(ignore) for inbox in inboxes))
    await asyncio.gather(*(inbox.check() for inbox in inboxes))
    await asyncio.gather(*(inbox.close() for inbox in inboxes))


async def test_a_dead_processs_postgres_deliveries_are_taken_over(postgres: str) -> None:
    slow, quick = PostgresInbox(postgres, lease_seconds=60), PostgresInbox(postgres, lease_seconds=0.2)
    async with at_work(slow) as first:
        for number in range(5):
            await slow.put(letter(number))
        held = await first.take(5)
        # As if it had sent no heartbeat for an hour; the next one is 5 seconds away.
        query(
            postgres, "UPDATE cyclesoft.procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
        )
        async with at_work(quick) as second:
            taken = {work.seq: work for work in await second.take(5)}
            # The first process lives on, and may have fetched a job again before it was given up once more.
            assert {work.attempt for work in taken.values()} <= {2, 3}
            # What the first says about them now does not count.
            await slow.complete([Completed(held[0].seq, held[0].ordering_key, 1.0)])
            await slow.complete([Completed(held[0].seq, held[0].ordering_key, 1.0)])
            await slow.dead_letter(held[1].seq, "too late")
            await slow.postpone(held[2].seq, 0.0, (), "too late")
            await slow.release(held[3].seq, ())
            await slow.progress(held[4].seq, ["first"])
            assert await slow.claim(held[0].seq) is None
            assert await slow.claim(held[4].seq) is None
            assert {entry.state for entry in entries(postgres)} == {"running"}
            for work in taken.values():
                await quick.complete([Completed(work.seq, work.ordering_key, 1.0)])
            assert {entry.state for entry in entries(postgres)} == {"done"}


async def test_a_given_up_process_signs_on_again_to_postgres(postgres: str) -> None:
    inbox = PostgresInbox(postgres, lease_seconds=0.2)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        [work] = await hands.take(1)
        query(postgres, "DELETE FROM cyclesoft.procrastinate_workers")
        [again] = await hands.take(1)
        assert (again.seq, again.attempt) == (work.seq, 2)


async def test_an_attempt_counts_once_when_its_answer_from_postgres_was_lost(postgres: str) -> None:
    inbox = PostgresInbox(postgres)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        [work] = await hands.take(1)
        again = await inbox.claim(work.seq)  # as a dispatcher does that heard nothing
        assert (work.attempt, again) == (1, work)
        await inbox.postpone(work.seq, 0.0, (), "not yet")
        second = await inbox.claim(work.seq)
        assert second is not None
        assert second.attempt == 2
        # Others gave this process up, too early, and then it was the first to take the delivery again.
        url = f"{postgres}&options=-csearch_path%3Dcyclesoft"
        query(url, "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL")
        [third] = await hands.take(1)
        assert (third.seq, third.attempt) == (work.seq, 3)


async def test_a_handler_of_a_lost_delivery_is_not_called_again(postgres: str) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=0.01)
    failed, other = asyncio.Event(), asyncio.Queue[str]()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        if event.id != "lost":
            other.put_nowait(event.id)
            return
        query(postgres, "UPDATE cyclesoft.lanes SET holder = 0")  # as when another process takes over
        failed.set()
        raise ValueError

    async with running(hooks) as server:
        await server.post(order(1, id="lost"))
        await failed.wait()
        failed.clear()
        await server.post(order(2, id="other"))
        assert await take(other) == "other"
        assert not failed.is_set()


@pytest.mark.parametrize("as_owner", [False, True], ids=["by a job", "as owner"])
async def test_postgres_deliveries_taken_while_the_connection_broke_are_found_again(
    postgres: str, postgres_server: Server, as_owner: bool
) -> None:
    inbox = PostgresInbox(postgres, lease_seconds=600)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        await hands.take(1)
        async with away(postgres_server):
            pass
        give_without_its_knowledge(postgres, as_owner=as_owner)
        [work] = await hands.take(1)
        assert (work.ordering_key, work.attempt) == ("1/a/9", 1)


@pytest.mark.parametrize("as_owner", [False, True], ids=["by a job", "as owner"])
async def test_postgres_deliveries_given_to_a_process_without_its_knowledge_are_found_again(
    postgres: str, as_owner: bool
) -> None:
    inbox = PostgresInbox(postgres, lease_seconds=0.5)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        await hands.take(1)
        # As over a connection that broke, when the commit took longer than the next look.
        give_without_its_knowledge(postgres, as_owner=as_owner)
        [work] = await hands.take(1)
        assert (work.ordering_key, work.attempt) == ("1/a/9", 1)


async def test_a_postgres_that_does_not_answer_is_not_waited_for(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = PostgresInbox(postgres)
    async with at_work(inbox):
        with psycopg.connect(postgres) as other, monkeypatch.context() as patched:
            patched.setattr("cyclesoft_async.webhooks.inbox.postgres.pool._ANSWER_SECONDS", 0.5)
            other.execute("LOCK TABLE cyclesoft.deliveries")
            with pytest.raises(InboxUnavailableError, match="did not answer in time"):
                await inbox.put(letter(1))
        assert await inbox.put(letter(2)) is Stored.NEW


async def test_those_who_wait_for_a_first_connection_to_postgres_hear_of_one_failure_together() -> None:
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"postgresql://127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"
        database = Database(Dsn(url), 1)
        failures = await asyncio.gather(*(database.open() for _ in range(9)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {InboxUnavailableError}
    assert connections == 1


async def test_postgres_away_is_503_and_then_everything_goes_on(
    postgres: str, postgres_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=0.01)
    seen: asyncio.Queue[str] = asyncio.Queue()
    started, release = asyncio.Event(), asyncio.Event()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        started.set()
        await release.wait()
        seen.put_nowait(event.id)

    async with running(hooks) as server:
        assert await server.post(order(1, id="before")) == 200
        await started.wait()
        async with away(postgres_server):
            assert await server.post(order(2, id="during")) == 503
            assert await server.get("/health") == 503
            release.set()
        while await server.get("/health") != 200:
            pass
        assert await server.post(order(2, id="during")) == 200
        assert {await take(seen), await take(seen)} == {"before", "during"}
        await eventually(postgres, lambda entry: entry.id == "before" and entry.state == "done")
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert "workshop_order_id" not in caplog.text


async def test_an_idle_postgres_connection_that_died_costs_no_delivery(postgres: str) -> None:
    inbox = PostgresInbox(postgres, lease_seconds=600)
    async with at_work(inbox) as hands:
        await inbox.put(letter(1))
        [work] = await hands.take(1)
        await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])
        query(postgres, f"SELECT pg_terminate_backend(pid, 5000) {OURS}")
        assert await inbox.put(letter(2)) is Stored.NEW


async def test_postgres_away_at_the_start(postgres: str, postgres_server: Server) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres))
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        seen.put_nowait(event.id)

    async with AsyncExitStack() as until_the_end:
        async with away(postgres_server):
            server = await until_the_end.enter_async_context(running(hooks))
            assert await server.post(order(1)) == 503
        while await server.post(order(1, id="late")) != 200:
            pass
        assert await take(seen) == "late"


async def test_a_postgres_that_became_read_only_is_left_for_one_that_is_not(postgres: str) -> None:
    database = urlsplit(postgres).path.strip("/")
    inbox = PostgresInbox(postgres)
    async with at_work(inbox):
        await inbox.check()
        query(postgres, f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
        query(postgres, f"SELECT pg_terminate_backend(pid, 5000) {OURS}")
        with pytest.raises(InboxUnavailableError):
            await inbox.check()
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.read_only = False
            with connection.transaction():
                connection.execute(
                    f'ALTER DATABASE "{database}" RESET default_transaction_read_only'.encode()
                )
        async with asyncio.timeout(60):
            assert await inbox.put(letter(1)) is Stored.NEW


async def test_a_postgres_commit_waits_for_the_disk_whatever_the_database_says(postgres: str) -> None:
    name = urlsplit(postgres).path.strip("/")
    for setting, expected in (("off", "on"), ("remote_apply", "remote_apply")):
        query(postgres, f'ALTER DATABASE "{name}" SET synchronous_commit = {setting}')
        database = Database(Dsn(postgres), 1)
        assert await database.rows("SELECT current_setting('synchronous_commit')") == [(expected,)]
        await database.close()


async def test_a_postgres_statement_that_can_not_be_carried_out(postgres: str) -> None:
    database = Database(Dsn(postgres), 1)
    await database.rows("SELECT set_config('statement_timeout', '10ms', false)")
    with pytest.raises(InboxUnavailableError, match="statement timeout"):
        await database.rows("SELECT pg_sleep(60)")
    with pytest.raises(InboxError, match=r"PostgreSQL refused the statement \(DivisionByZero\)"):
        await database.rows("SELECT 1 / 0")
    await database.rows("SELECT set_config('default_transaction_read_only', 'on', false)")
    with pytest.raises(InboxUnavailableError, match="read-only"):
        await database.rows("SELECT requeue_deliveries('{}', '{a}')")
    # It has left that connection for one that takes writes.
    assert await database.rows("SELECT requeue_deliveries('{}', '{a}')") == [(0,)]
    await database.close()


def test_a_url_that_is_none_is_refused_and_not_quoted() -> None:
    for wrong in (
        "mysql://me:topsecret@host/name",
        "postgresql://me:topsecret@host/name?nonsense=1",
        "postgresql://me:top/topsecret@host/name",
    ):
        with pytest.raises(UsageError, match="a PostgreSQL URL must") as refused:
            PostgresInbox(wrong)
        assert "topsecret" not in str(refused.value)
    with pytest.raises(UsageError, match="a retention must be"):
        PostgresInbox(UNREACHABLE, keep_dead_days=-1)
    with pytest.raises(UsageError, match="lease_seconds"):
        PostgresInbox(UNREACHABLE, lease_seconds=0)
    assert repr(PostgresInbox(UNREACHABLE)) == "PostgresInbox('postgresql://127.0.0.1/nowhere')"


async def test_what_is_not_reached_is_said_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    inbox = PostgresInbox(UNREACHABLE)
    await inbox.open(ignore)
    with pytest.raises(InboxUnavailableError) as refused:
        await inbox.put(letter(1))
    clock = asyncio.get_running_loop().time
    until = clock() + 1.5  # it tries again after a second, and does not say it again
    while clock() < until:
        await asyncio.sleep(0)
        with pytest.raises(InboxUnavailableError):
            await inbox.check()
    await inbox.close()
    with pytest.raises(InboxUnavailableError):
        await asyncio.to_thread(entries, UNREACHABLE)
    assert "refused" in str(refused.value)
    assert "topsecret" not in caplog.text + str(refused.value)
    assert caplog.text.count("handlers wait until that is over") == 1


async def test_a_role_that_may_store_but_not_fetch_is_logged_once_and_unhealthy(
    postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate(postgres)
    role = f"storer_{urlsplit(postgres).path.strip('/')}"
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA cyclesoft TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA cyclesoft TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA cyclesoft TO {role}",
        f"REVOKE UPDATE ON cyclesoft.procrastinate_jobs FROM {role}",
    ):
        query(postgres, statement)
    async with at_work(PostgresInbox(postgres.replace("postgres:@", f"{role}:@"))) as hands:
        assert await hands.inbox.put(letter(1)) is Stored.NEW
        await until(lambda: "table procrastinate_jobs; handlers wait" in caplog.text)
        assert "permission denied" in str(hands.inbox.problem())
        query(postgres, f"GRANT UPDATE ON cyclesoft.procrastinate_jobs TO {role}")
        await hands.take(1)
        assert hands.inbox.problem() is None
    assert caplog.text.count("permission denied") == 1
