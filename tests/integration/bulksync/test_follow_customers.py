"""Customers that webhooks name are in the store soon."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import anyio
import pytest

from cyclesoft_async.bulksync import Follower, Store
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.transport import CallEvent, CallSent
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import delivery
from tests.support.following import SECRET, receiving, session
from tests.support.store import rows


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'orders.db'}"


async def test_customers_that_webhooks_name_are_read_unless_they_were_since(url: str, tmp_path: Path) -> None:
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    asked: list[str | None] = []

    def listen(event: CallEvent) -> None:
        if isinstance(event, CallSent):
            asked.append(event.path)

    async with Sandbox(orders=50) as sandbox, session(sandbox, on_event=listen) as cs:
        follower = Follower(cs, Store(url))
        follower.listen(receiver)

        async with (
            receiving(receiver) as hook,
            aiohttp.ClientSession() as sender,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(follower.run)
            now, hour = datetime.now(UTC), timedelta(hours=1)
            moments = ((1001, now), (1001, now - hour), (99_999_999, now))
            for customer_id, at in moments:
                payload = {"customer": {"customer_id": customer_id, "city": "Nergens"}}
                signed = delivery(events.CustomerUpdated, payload, secret=SECRET, occurred_at=at)
                async with sender.post(hook, data=signed.body, headers=signed.headers) as answer:
                    assert answer.status == 200
                with anyio.fail_after(60):
                    await receiver.settled()
            tasks.cancel_scope.cancel()
        customer = await cs.customers.get(1001)
    assert asked.count(None) == 2, "single customers for the first event and for the last"
    of_1001 = "SELECT customer_id, city, company_name FROM customers"
    assert rows(url, of_1001) == [(1001, customer.city, customer.company_name)]


async def test_an_event_that_names_no_customer_is_left_to_the_rounds(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    handled = anyio.Event()
    async with Sandbox(orders=1) as sandbox, session(sandbox) as cs:
        Follower(cs, Store(url)).listen(receiver)

        @receiver.on_any
        async def done(event: events.Event) -> None:
            if event.event_name.startswith("workshop_order."):
                handled.set()

        signed = delivery(events.WorkshopOrderUpdated, {"workshop_order_id": 1}, secret=SECRET)
        async with receiving(receiver) as hook, aiohttp.ClientSession() as sender:
            async with sender.post(hook, data=signed.body, headers=signed.headers) as answer:
                assert answer.status == 200
            with anyio.fail_after(20):
                await handled.wait()
        assert sandbox.received == 0
    assert "names no customer" in caplog.text
