"""Lanes of the PostgreSQL inbox: a stored delivery always has a job or an owner, or one before it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, permutations

import msgspec
import pytest
from procrastinate import PsycopgConnector
from procrastinate.manager import JobManager
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from cyclesoft_async._postgres.connect import connect
from cyclesoft_async._postgres.dsn import Dsn
from cyclesoft_async.webhooks import PostgresInbox, Reject, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import Completed, Delivery, Stored, entries
from cyclesoft_async.webhooks.inbox.base_inbox import AttemptEnd
from cyclesoft_async.webhooks.inbox.postgres import migrate
from cyclesoft_async.webhooks.inbox.postgres.claims import queue_jobs
from cyclesoft_async.webhooks.inbox.postgres.operations import SETTLE, STORE, Arrival, HeldAttempt
from tests.support.inboxes import Hands, at_work, letter
from tests.support.polling import until
from tests.support.postgres import Server, query
from tests.support.webhook_server import SECRET, order, running, take

WITHOUT_JOB = """
    SELECT d.lane FROM cyclesoft.deliveries d JOIN cyclesoft.lanes l ON l.lane = d.lane
    WHERE d.finished_at IS NULL AND NOT l.wanted AND l.owner IS NULL AND NOT EXISTS (
        SELECT FROM cyclesoft.procrastinate_jobs j WHERE j.lock = d.lane AND j.status IN ('todo', 'doing')
    )
"""
IS_WAITING = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"

WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Session:
    """A connection with a transaction that is driven step by step."""

    def __init__(self, connection: AsyncConnection[TupleRow], watch: AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._watch = watch
        self._step: asyncio.Task[list[TupleRow]] | None = None

    async def run(self, statement: str, *parameters: object) -> bool:
        """Start a statement. False: it waits for another session's lock."""
        return await self.do(self._rows(statement, parameters))

    async def queue_jobs(self, manager: JobManager) -> bool:
        """Start to queue jobs for wanted lanes. False: that waits for another session's lock."""

        async def queue() -> list[TupleRow]:
            await queue_jobs(self._connection, manager)
            return []

        return await self.do(queue())

    async def do(self, step: Coroutine[None, None, list[TupleRow]]) -> bool:
        """Start a step. False: it waits for another session's lock."""
        self._step = asyncio.create_task(step)
        async with asyncio.timeout(60):
            while not self._step.done():
                cursor = await self._watch.execute(IS_WAITING, (self._connection.info.backend_pid,))
                if cursor.rowcount:
                    return False
                await asyncio.sleep(0)
        await self._step
        return True

    async def result(self) -> list[TupleRow]:
        """Return the rows of the last statement, once it has ended."""
        assert self._step is not None
        async with asyncio.timeout(60):
            return await self._step

    async def _rows(self, statement: str, parameters: Sequence[object]) -> list[TupleRow]:
        cursor = await self._connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def sessions(url: str, count: int) -> AsyncGenerator[list[Session]]:
    async with AsyncExitStack() as stack:
        conninfo = Dsn(url).conninfo("test", search_path="cyclesoft")
        watch, *others = [await stack.enter_async_context(await connect(conninfo)) for _ in range(count + 1)]
        yield [Session(connection, watch) for connection in others]


def store(session: Session, *deliveries: Delivery, worker: int | None = None) -> Awaitable[bool]:
    columns = [STORE.columns(Arrival(one, worker), str) for one in deliveries]
    return session.run(
        STORE.statement.replace("%b", "%s"), *(list(column) for column in zip(*columns, strict=True))
    )


def settle(session: Session, seq: int, lane: str, holder: int) -> Awaitable[bool]:
    columns = SETTLE.columns(HeldAttempt(lane, holder, AttemptEnd(seq=seq, state="done")), str)
    return session.run(SETTLE.statement, *([column] for column in columns))


async def a_worker(session: Session) -> int:
    await session.run("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    [(worker,)] = await session.result()
    assert isinstance(worker, int)
    return worker


async def begun(session: Session, url: str, lane: str) -> tuple[int, int, int]:
    """Fetch the lane's job, and return it with its holder and delivery."""
    worker = await a_worker(session)
    await session.run(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE lock = %s RETURNING id",
        worker,
        lane,
    )
    [(job,)] = await session.result()
    await session.run("SELECT holder, seq FROM begin_job(%s, %s, %s)", worker, job, lane)
    [(holder, seq)] = await session.result()
    assert query(url, WITHOUT_JOB) == []
    return job, holder, seq


ORDERS = {
    "job": ["store", "store", "end", "end", "end", "queue"],
    "owner": ["store", "store", "end", "end", "queue"],
    "lost owner": ["store", "store", "end", "end", "queue", "disown"],
}
"""The steps of a receiver that stores, those that end a delivery, queueing jobs, and giving up an owner."""

WITH_WORK = """
    SELECT lock AS lane FROM cyclesoft.procrastinate_jobs
    UNION SELECT lane FROM cyclesoft.lanes WHERE owner IS NOT NULL ORDER BY lane
"""


@pytest.mark.parametrize("holder", ORDERS)
async def test_no_order_of_storing_ending_and_queueing_leaves_a_delivery_without_a_job_or_owner(
    postgres: str, holder: str
) -> None:
    await migrate(postgres)
    connector = PsycopgConnector()
    manager = JobManager(connector)
    orders = [
        steps
        for steps in sorted(set(permutations(ORDERS[holder])))
        # The lane of an owner that lives has no job to queue.
        if "disown" not in steps or steps.index("disown") < steps.index("queue")
    ]
    async with sessions(postgres, 4) as [receiver, worker, queuer, other]:
        for number, steps in enumerate(orders):
            await one_order(
                postgres, manager, (receiver, worker, queuer, other), number, steps, has_job=holder == "job"
            )
        # Whatever the order, one delivery of each lane waits, and has its owner or gets its job.
        await queuer.queue_jobs(manager)
    waiting = query(postgres, "SELECT lane FROM cyclesoft.deliveries WHERE finished_at IS NULL ORDER BY lane")
    assert len(waiting) == len(orders)
    assert query(postgres, WITH_WORK) == waiting
    async with at_work(PostgresInbox(postgres, lease_seconds=0.2)) as hands:
        query(
            postgres,
            "DELETE FROM cyclesoft.procrastinate_workers WHERE last_heartbeat < now() - interval '1 s'",
        )
        for _ in orders:
            [work] = await hands.take(1)
            assert work.body == b"second"
            await hands.inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])


async def one_order(
    url: str,
    manager: JobManager,
    by: tuple[Session, Session, Session, Session],
    number: int,
    steps: Sequence[str],
    *,
    has_job: bool,
) -> None:
    receiver, worker, queuer, other = by
    first, second = (
        letter(number),
        msgspec.structs.replace(letter(number), id=f"second-{number}", body=b"second"),
    )
    owner = None if has_job else await a_worker(worker)
    await store(receiver, first, worker=owner)
    [(_, seq, _, _, holder)] = await receiver.result()
    assert query(url, WITHOUT_JOB) == []
    job = 0
    if has_job:
        await queuer.queue_jobs(manager)
        job, holder, seq = await begun(worker, url, first.ordering_key)
    found: list[TupleRow] = []

    async def receive() -> AsyncGenerator[bool]:
        await receiver.run("BEGIN")
        yield await store(receiver, second)
        await receiver.result()
        yield await receiver.run("COMMIT")

    async def end() -> AsyncGenerator[bool]:
        await worker.run("BEGIN")
        yield await settle(worker, seq, first.ordering_key, holder)
        found.extend(await worker.result())
        yield await worker.run("COMMIT")
        if has_job and found[0][1] is None:  # otherwise it has the next delivery in hand, and keeps its job
            await worker.run("DELETE FROM procrastinate_jobs WHERE id = %s", job)
        yield True

    async def queue() -> AsyncGenerator[bool]:
        yield await queuer.queue_jobs(manager)

    async def disown() -> AsyncGenerator[bool]:
        yield await other.run("SELECT disown_lanes(%s::bigint, '{}', NULL)", owner)
        await other.result()

    actors = {"store": receive(), "end": end(), "queue": queue(), "disown": disown()}
    blocked: set[str] = set()
    for name in steps:
        if name not in blocked and not await anext(actors[name], True):
            blocked.add(name)  # it goes on when the other has committed
        assert query(url, WITHOUT_JOB) == []
    for name in actors if "disown" in steps else ("store", "end", "queue"):
        async for _ in actors[name]:
            assert query(url, WITHOUT_JOB) == []
    await queuer.result()


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
async def test_receivers_that_store_the_same_entities_in_opposite_order_do_not_deadlock(
    postgres: str, known: bool
) -> None:
    await migrate(postgres)
    lanes = [letter(number).ordering_key for number in range(4)]
    if known:
        insert = "INSERT INTO cyclesoft.lanes (lane, changed_at) SELECT unnest(%s::text[]), now()"
        query(postgres, insert, lanes)
    forward = [msgspec.structs.replace(letter(number), id=f"a{number}") for number in range(4)]
    backward = [msgspec.structs.replace(letter(number), id=f"b{number}") for number in reversed(range(4))]
    async with sessions(postgres, 2) as [one, other]:
        await one.run("BEGIN")
        await other.run("BEGIN")
        assert await store(one, *forward)
        assert not await store(other, *backward)
        await one.run("COMMIT")
        await other.result()
        await other.run("COMMIT")
    assert query(postgres, "SELECT lane FROM cyclesoft.lanes WHERE wanted ORDER BY lane") == [
        (lane,) for lane in lanes
    ]


async def test_receivers_that_complete_what_the_other_stores_do_not_deadlock(postgres: str) -> None:
    one, other = PostgresInbox(postgres), PostgresInbox(postgres)
    async with at_work(one) as ours, at_work(other) as theirs, sessions(postgres, 1) as [blocker]:
        async with asyncio.timeout(60):
            for number in count():
                await (one, other)[number % 2].put(letter(number))
                if ours.work.qsize() and theirs.work.qsize():
                    break
        mine, its = await ours.take(1) + await theirs.take(1)
        await blocker.run("BEGIN")
        await blocker.run("SELECT FROM lanes WHERE lane = %s FOR UPDATE", mine.ordering_key)
        writes: list[asyncio.Future[tuple[Stored, None]]] = []
        for inbox, held, wanted in ((other, its, mine), (one, mine, its)):
            stored = msgspec.structs.replace(
                letter(0), id=f"next-{wanted.seq}", ordering_key=wanted.ordering_key
            )
            completed = inbox.complete([Completed(held.seq, held.ordering_key, 1.0)])
            writes.append(asyncio.gather(inbox.put(stored), completed))
            await until(lambda: query(postgres, WAITING) == [(len(writes),)])
        await blocker.run("COMMIT")
        assert [stored for stored, _ in await asyncio.gather(*writes)] == [Stored.NEW, Stored.NEW]


async def test_a_delivery_that_comes_alone_is_handled_without_a_job(postgres: str) -> None:
    """Its process owns the lane. What must wait, or is too much for a process, is left to jobs."""
    inbox = PostgresInbox(postgres)
    jobs = "SELECT last_value, is_called FROM cyclesoft.procrastinate_jobs_id_seq"
    async with at_work(inbox) as hands:
        await until_it_owns(postgres, hands)
        before = query(postgres, jobs)
        for number in range(1000, 1020):
            await inbox.put(letter(number))
            [work] = await hands.take(1)
            await inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])
        assert query(postgres, jobs) == before
        assert query(postgres, "SELECT count(*) FROM cyclesoft.lanes WHERE queued OR owner IS NOT NULL") == [
            (0,)
        ]
        await inbox.put(letter(2000))
        [work] = await hands.take(1)
        await inbox.postpone(work.seq, 2e9, (), "later")
        later = "SELECT lock, scheduled_at > now() FROM cyclesoft.procrastinate_jobs"
        await until(lambda: query(postgres, later) == [("1/a/2000", True)])


async def until_it_owns(url: str, hands: Hands) -> None:
    """Store and handle deliveries until one needs no job: from when the process has found that none waits."""
    async with asyncio.timeout(60):
        for number in count():
            await hands.inbox.put(letter(number))
            [work] = await hands.take(1)
            owned = query(url, "SELECT lane FROM cyclesoft.lanes WHERE owner IS NOT NULL")
            await hands.inbox.complete([Completed(work.seq, work.ordering_key, 1.0)])
            if owned:
                return


async def test_a_failing_entity_with_a_backlog_has_one_job_and_delays_no_other(postgres: str) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=600.0)
    failed, seen = asyncio.Event(), asyncio.Queue[int]()

    @hooks.on(events.WorkshopOrderUpdated)
    async def handle(event: events.WorkshopOrderUpdated) -> None:
        if event.payload.workshop_order_id == 1:
            failed.set()
            raise ValueError
        seen.put_nowait(event.payload.workshop_order_id)

    async with running(hooks) as server:
        await server.post(order(1))
        await failed.wait()
        await asyncio.gather(*(server.post(order(1)) for _ in range(60)))
        await asyncio.gather(*(server.post(order(number)) for number in range(2, 12)))
        assert {await take(seen) for _ in range(10)} == set(range(2, 12))
        jobs = "SELECT lock, status, scheduled_at > now() FROM cyclesoft.procrastinate_jobs"
        await until(lambda: query(postgres, jobs) == [("1/workshop_order/1", "todo", True)])


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_of_another_encoding_keeps_what_it_can(
    postgres_server: Server, encoding: str
) -> None:
    url = postgres_server.database(encoding)
    inbox = PostgresInbox(url)
    body = '{"naam": "Zoë €"}'.encode()
    odd = msgspec.structs.replace(letter(1, body=body), id="é €", ordering_key="1/a/é €" + "€" * 400)
    async with at_work(inbox) as hands:
        assert await inbox.put(odd) is Stored.NEW
        assert await inbox.put(odd) is Stored.DUPLICATE
        [work] = await hands.take(1)
        assert work.body == body
        await inbox.dead_letter(work.seq, "fout: Zoë €")
        assert await inbox.replay() == 1
        [work] = await hands.take(1)
        await inbox.dead_letter(work.seq, "fout: Zoë €")
    [entry] = entries(url)
    assert (entry.id, entry.error) == {
        "LATIN1": ("é \\u20ac", "fout: Zoë \\u20ac"),
        "SQL_ASCII": ("é €", "fout: Zoë €"),
    }[encoding]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_database_with_another_default_isolation_refuses_nothing(postgres: str, level: str) -> None:
    name = postgres.partition("?")[0].rpartition("/")[2]
    query(postgres, f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{level}'")
    seen: asyncio.Queue[str] = asyncio.Queue()

    def receiver() -> WebhookReceiver:
        hooks = WebhookReceiver(SECRET, PostgresInbox(postgres))

        @hooks.on_any
        async def handle(event: events.Event) -> None:
            seen.put_nowait(event.id)

        return hooks

    async with running(receiver()) as one, running(receiver()) as other:
        answers = await asyncio.gather(
            *((one, other)[number % 2].post(order(number % 10, id=f"{number}")) for number in range(100))
        )
        assert set(answers) == {200}
        assert {await take(seen) for _ in range(100)} == {str(number) for number in range(100)}


async def test_a_dead_event_whose_report_failed_delays_no_later_event_of_its_entity(postgres: str) -> None:
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=600.0)
    failed, seen = asyncio.Event(), asyncio.Queue[str]()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        if event.id == "dead":
            raise Reject("wrong")
        seen.put_nowait(event.id)

    @hooks.on_dead
    async def report(_event: events.Event, _error: str) -> None:
        failed.set()
        raise ValueError

    async with running(hooks) as server:
        await server.post(order(1, id="dead"))
        await failed.wait()
        await server.post(order(1, id="later"))
        assert await take(seen) == "later"
        await server.post(order(1, id="latest"))
        assert await take(seen) == "latest"
    assert [entry.id for entry in entries(postgres, state="retrying")] == ["dead"]


async def test_a_report_that_is_due_keeps_its_entity_until_it_has_ended(postgres: str) -> None:
    """An event that arrives meanwhile waits. As an owner's it ran beside the report, which ran once more."""
    hooks = WebhookReceiver(SECRET, PostgresInbox(postgres), retry_after=0.1)
    reporting, report_may_end = asyncio.Event(), asyncio.Event()
    reports: list[str] = []
    seen: asyncio.Queue[str] = asyncio.Queue()

    @hooks.on_any
    async def handle(event: events.Event) -> None:
        if event.id == "dead":
            raise Reject("wrong")
        if event.id == "retried" and not event.is_redelivery:
            raise ValueError
        seen.put_nowait(event.id)

    @hooks.on_dead
    async def report(event: events.Event, _error: str) -> None:
        reports.append(event.id)
        if len(reports) == 1:
            raise ValueError
        reporting.set()
        await report_may_end.wait()

    async with running(hooks) as server:
        await server.post(order(1, id="dead"))
        async with asyncio.timeout(60):
            await reporting.wait()
        await server.post(order(1, id="later"))
        await server.post(order(2, id="of another"))
        assert await take(seen) == "of another"
        assert seen.empty()
        report_may_end.set()
        assert await take(seen) == "later"
        await server.post(order(1, id="retried"))
        assert await take(seen) == "retried"
    assert reports == ["dead", "dead"]
    assert [entry.id for entry in entries(postgres, state="dead")] == ["dead"]
