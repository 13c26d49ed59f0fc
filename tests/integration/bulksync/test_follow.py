"""A store that is kept fresh: the last days again and again, and the orders that webhooks name."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import anyio
import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, RetryPolicy, errors, models
from cyclesoft_async.bulksync import Follower, Store, SyncReport
from cyclesoft_async.sandbox import Deliveries, Fault, Faults, Sandbox
from cyclesoft_async.transport import CallEvent, CallSent
from cyclesoft_async.webhooks import PostgresInbox, SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import delivery
from tests.support.following import SECRET, TODAY, described, receiving, session
from tests.support.http_server import page
from tests.support.loopback import served
from tests.support.postgres import query
from tests.support.store import rows

WEEK = timedelta(days=7)


ONE_ORDER = ""
"""Path in the events of `CycleSoftSession.request`, which hide it."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'orders.db'}"


async def test_the_last_days_are_read_again_and_again(url: str) -> None:
    async with (
        Sandbox(orders=200, first_day=TODAY - WEEK, last_day=TODAY, daily_limit=10**9) as sandbox,
        session(sandbox) as cs,
    ):
        [order, *_] = await cs.workshop_orders.list(date_from=TODAY, date_until=TODAY).collect()
        rounds: list[SyncReport] = []
        again = anyio.Event()

        def round_done(report: SyncReport) -> None:
            rounds.append(report)
            if len(rounds) > 2 and described(url, order.workshop_order_id) == "Nieuw zadel":
                again.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: Follower(cs, Store(url), days=3, share=1.0).run(on_round=round_done))
            change = models.WorkshopOrderUpdate(repair_description="Nieuw zadel")
            await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
            with anyio.fail_after(20):
                await again.wait()
            tasks.cancel_scope.cancel()
    days = rows(
        url, "SELECT DISTINCT date(datetime_scheduled_start) FROM workshop_orders_amsterdam ORDER BY 1"
    )
    assert days == [(f"{TODAY - timedelta(days=back)}",) for back in (2, 1, 0)]


async def test_orders_that_webhooks_name_are_asked_for_once_for_several_events(
    url: str, tmp_path: Path
) -> None:
    asked: list[str] = []

    def listen(event: CallEvent) -> None:
        if isinstance(event, CallSent) and event.method == "GET":
            asked.append(event.path or "")

    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    all_handled, handled = anyio.Event(), 0

    async with Sandbox(orders=50) as sandbox, session(sandbox, on_event=listen) as cs:
        [order, other, *_] = await cs.workshop_orders.list().collect()
        follower = Follower(cs, Store(url))
        follower.listen(receiver)

        @receiver.on_any
        async def count(event: events.Event) -> None:
            nonlocal handled
            handled += event.event_name.startswith("workshop_order.")
            if handled == 4:
                all_handled.set()

        async with receiving(receiver) as hook, anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            async with Deliveries(sandbox, hook, SECRET) as deliveries:
                for text in ("Eerst", "Toen", "Nu"):
                    change = models.WorkshopOrderUpdate(repair_description=text)
                    await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
                await cs.workshop_orders.update(
                    other.customer_id or 0,
                    other.workshop_order_id,
                    models.WorkshopOrderUpdate(is_active=False),
                )
                await deliveries.settled()
                with anyio.fail_after(20):
                    await all_handled.wait()
            tasks.cancel_scope.cancel()
    assert asked.count(ONE_ORDER) == 2, "three events of one order, and one of another"
    assert described(url, order.workshop_order_id) == "Nu"
    active = rows(url, "SELECT workshop_order_id, is_active FROM workshop_orders")
    assert {row[0]: row[1] for row in active} == {
        order.workshop_order_id: True,
        other.workshop_order_id: False,
    }


@pytest.mark.parametrize("skew", ["-10 seconds", "1 hour"])
async def test_changes_are_stored_whatever_the_clock_of_a_postgres_inbox_shows(
    url: str, postgres: str, skew: str
) -> None:
    receiver = WebhookReceiver([SECRET], PostgresInbox(postgres))
    handled = anyio.Event()

    async with Sandbox(orders=50) as sandbox, session(sandbox) as cs:
        [order, *_] = await cs.workshop_orders.list().collect()
        follower = Follower(cs, Store(url))
        follower.listen(receiver)

        @receiver.on_any
        async def done(event: events.Event) -> None:
            if event.event_name.startswith("workshop_order."):
                handled.set()

        async with receiving(receiver) as hook, anyio.create_task_group() as tasks:
            skewed = f"now() + interval '{skew}'"
            query(postgres, f"ALTER TABLE cyclesoft.deliveries ALTER received_at SET DEFAULT {skewed}")
            tasks.start_soon(follower.run)
            async with Deliveries(sandbox, hook, SECRET) as deliveries:
                for text in ("Eerst", "Nu"):
                    handled = anyio.Event()
                    change = models.WorkshopOrderUpdate(repair_description=text)
                    await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
                    await deliveries.settled()
                    with anyio.fail_after(10):
                        await handled.wait()
                    assert described(url, order.workshop_order_id) == text
            tasks.cancel_scope.cancel()


async def test_events_wait_in_the_inbox_until_somebody_follows(url: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox.db"
    async with Sandbox(orders=50) as sandbox, session(sandbox) as cs:
        [order, *_] = await cs.workshop_orders.list().collect()
        earlier = WebhookReceiver([SECRET], SqliteInbox(inbox), stop_timeout=0)
        Follower(cs, Store(url)).listen(earlier)  # nobody runs it
        async with receiving(earlier) as hook, Deliveries(sandbox, hook, SECRET) as deliveries:
            change = models.WorkshopOrderUpdate(repair_description="Wacht")
            await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
            await deliveries.settled()

        receiver = WebhookReceiver([SECRET], SqliteInbox(inbox))
        follower, stored = Follower(cs, Store(url)), anyio.Event()
        follower.listen(receiver)

        @receiver.on_any
        async def done(event: events.Event) -> None:
            if event.event_name.startswith("workshop_order."):
                stored.set()

        async with receiving(receiver), anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            with anyio.fail_after(20):
                await stored.wait()
            tasks.cancel_scope.cancel()
    assert described(url, order.workshop_order_id) == "Wacht"


async def test_events_that_came_before_it_runs_are_handled_then(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyclesoft_async.bulksync.follow._SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("cyclesoft_async.bulksync.follow._MOST_REMEMBERED", 1)
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    both_handled, handled = anyio.Event(), 0
    async with Sandbox(orders=50) as sandbox, session(sandbox) as cs:
        first, second, *_ = await cs.workshop_orders.list().collect()
        follower = Follower(cs, Store(url))
        follower.listen(receiver)

        @receiver.on_any
        async def count(event: events.Event) -> None:
            nonlocal handled
            handled += event.event_name.startswith("workshop_order.")
            if handled == 2:
                both_handled.set()

        async with (
            receiving(receiver) as hook,
            Deliveries(sandbox, hook, SECRET) as deliveries,
            anyio.create_task_group() as tasks,
        ):
            for order in (first, second):
                change = models.WorkshopOrderUpdate(repair_description="Eerder")
                await cs.workshop_orders.update(order.customer_id or 0, order.workshop_order_id, change)
            await deliveries.settled()
            await anyio.wait_all_tasks_blocked()
            assert handled == 0
            tasks.start_soon(follower.run)
            with anyio.fail_after(20):
                await both_handled.wait()
            tasks.cancel_scope.cancel()
    assert {described(url, order.workshop_order_id) for order in (first, second)} == {"Eerder"}


async def test_what_passes_is_waited_for_and_what_does_not_is_raised(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Sandbox(orders=10) as sandbox, session(sandbox, "wrong") as cs:
        with pytest.raises(errors.AuthenticationError):
            await Follower(cs, Store(url)).run()
    async with CycleSoftSession(
        "user", "pass", base_url="http://127.0.0.1:9", retries=RetryPolicy.none()
    ) as cs:
        with caplog.at_level(logging.WARNING), anyio.move_on_after(1) as scope:
            await Follower(cs, Store(url)).run()
    assert scope.cancelled_caught
    assert "following resumes in a minute" in caplog.text


async def follow_until_a_round_is_done(follower: Follower) -> None:
    done = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: follower.run(on_round=lambda _: done.set()))
        with anyio.fail_after(10):
            await done.wait()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.ERROR_UNDER_200, Fault.LIST_FOR_OBJECT, Fault.REPEATED_CURSOR]
)
async def test_an_odd_answer_does_not_end_it(url: str, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    monkeypatch.setattr("cyclesoft_async.bulksync.follow._RETRY_SECONDS", 0.01)
    shop = Sandbox(
        orders=200,
        page_size=20,
        first_day=TODAY - WEEK,
        last_day=TODAY,
        daily_limit=10**9,
        faults=Faults(at={2: fault}),
    )
    async with shop as sandbox, session(sandbox) as cs:
        await follow_until_a_round_is_done(Follower(cs, Store(url), share=1.0))
    assert rows(url, "SELECT count(*) FROM workshop_orders") == [(200,)]


AMPLE = {"X-RateLimit-Daily-Limit": f"{10**9}", "X-RateLimit-Daily-Remaining": f"{10**9}"}


async def test_a_round_survives_a_cursor_that_was_refused(url: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        token = request.query.get("token", "")
        asked.append(token)
        if token == "1":
            return web.Response(status=400, headers=AMPLE)
        day = request.query.get("date_from", f"{TODAY}")
        next_url = f"{request.path}?token=1" if len(asked) == 1 else None
        order = {"workshop_order_id": len(asked), "datetime_scheduled_start": f"{day} 09:00:00"}
        return web.Response(body=page(order, next_url=next_url), headers=AMPLE)

    async with (
        served(answer) as base,
        CycleSoftSession("user", "pass", base_url=base, retries=RetryPolicy.none()) as cs,
    ):
        await follow_until_a_round_is_done(Follower(cs, Store(url), share=1.0))
    assert asked.count("") == len(asked)


async def test_the_future_is_followed_too(url: str) -> None:
    ahead = timedelta(days=60)
    async with (
        Sandbox(orders=300, first_day=TODAY, last_day=TODAY + 2 * ahead, daily_limit=10**9) as sandbox,
        session(sandbox) as cs,
    ):
        await follow_until_a_round_is_done(Follower(cs, Store(url), share=1.0))
    [(last,)] = rows(url, "SELECT max(date(datetime_scheduled_start)) FROM workshop_orders_amsterdam")
    assert TODAY + ahead - timedelta(days=3) <= datetime.fromisoformat(str(last)).date() <= TODAY + ahead


async def test_orders_that_lists_hide_are_requested_once_and_the_follower_does_not_end(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [
        {
            "workshop_order_id": number,
            "customer_id": 24,
            "is_active": True,
            "datetime_scheduled_start": f"{TODAY - timedelta(days=number % 14)} 09:00:00",
        }
        for number in range(1, 61)
    ]
    hidden: set[int] = set()
    singles: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/orders.json"):
            singles.append(request.path)
            number = int(request.path.rpartition("/")[2].removesuffix(".json"))
            return web.json_response(orders[number - 1], headers=AMPLE)
        first, last = request.query["date_from"], request.query["date_until"]
        found = [
            order
            for order in orders
            if first <= str(order["datetime_scheduled_start"])[:10] <= last
            and order["workshop_order_id"] not in hidden
        ]
        return web.json_response({"data": found, "pagination": {"next_url": None}}, headers=AMPLE)

    async with (
        served(answer) as base,
        CycleSoftSession("user", "pass", base_url=base, retries=RetryPolicy.none()) as cs,
    ):
        follower = Follower(cs, Store(url), share=1.0)
        await follow_until_a_round_is_done(follower)
        hidden.update(range(1, 31))
        with caplog.at_level(logging.ERROR, "cyclesoft_async.bulksync"):
            await follow_until_a_round_is_done(follower)
        assert sorted(singles) == sorted(set(singles)), "each of them once"
        assert len(singles) == 30
        await follow_until_a_round_is_done(follower)
    assert len(singles) == 30, "and not again in the next round"
    suspicions = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage().partition(",")[0] for record in suspicions] == [
        "run 2: the lists lack 30 known orders",
        "run 3: the lists lack 10 known orders",
    ]
    assert rows(url, "SELECT count(*) FROM workshop_orders WHERE is_active") == [(60,)]


async def test_a_used_up_quota_is_waited_for(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Sandbox(orders=10, daily_limit=1) as sandbox, session(sandbox) as cs:
        await cs.workshop_orders.list()
        with caplog.at_level(logging.WARNING), anyio.move_on_after(2) as scope:
            await Follower(cs, Store(url)).run()
        assert scope.cancelled_caught
        assert sandbox.refused == 0
    assert "following resumes at" in caplog.text


async def test_an_event_waits_for_the_days_quota_and_is_not_given_up(url: str, tmp_path: Path) -> None:
    class Waits(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self.round, self.event = anyio.Event(), anyio.Event()

        def emit(self, record: logging.LogRecord) -> None:
            if "following resumes at" in record.getMessage():
                (self.event if self.round.is_set() else self.round).set()

    inbox, waits = tmp_path / "inbox.db", Waits()
    receiver = WebhookReceiver([SECRET], SqliteInbox(inbox), retry_for=0, stop_timeout=0)
    logger = logging.getLogger("cyclesoft_async.bulksync")
    logger.addHandler(waits)
    async with Sandbox(orders=10, daily_limit=1) as sandbox, session(sandbox) as cs:
        await cs.workshop_orders.list()
        follower = Follower(cs, Store(url))
        follower.listen(receiver)
        payload = {"workshop_order_id": 1, "sales_order": {"sales_order_id": 1, "customer_id": 1}}
        signed = delivery(events.WorkshopOrderUpdated, payload, secret=SECRET)
        async with receiving(receiver) as hook, anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            with anyio.fail_after(20):
                await waits.round.wait()
                async with aiohttp.ClientSession() as sender:
                    await sender.post(hook, data=signed.body, headers=signed.headers)
                await waits.event.wait()
            assert [entry.state for entry in entries(inbox)] == ["running"]
            tasks.cancel_scope.cancel()
    logger.removeHandler(waits)


async def test_rounds_keep_to_their_share_of_the_day(url: str) -> None:
    rounds: list[SyncReport] = []
    async with Sandbox(orders=10, daily_limit=86_400 * 20) as sandbox, session(sandbox) as cs:
        with anyio.move_on_after(3):
            await Follower(cs, Store(url), days=1, share=0.05).run(on_round=rounds.append)
        assert 2 <= sandbox.received <= 5, "one a second, and the first at once"
    assert len(rounds) == sandbox.received


@pytest.mark.parametrize(("days", "share"), [(0, 0.5), (1, 0.0), (1, 1.1)])
def test_numbers_that_make_no_sense(url: str, days: int, share: float) -> None:
    with pytest.raises(errors.UsageError, match=r"must be (at least 1|more than 0)"):
        Follower(CycleSoftSession("user", "pass"), Store(url), days=days, share=share)
