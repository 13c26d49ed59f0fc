"""The sandbox's deliveries, received."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import web

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from tests.support.webhook_server import SECRET, running, take

CUSTOMER = 1001


def new_order() -> models.WorkshopOrderCreate:
    return models.WorkshopOrderCreate(
        datetime_scheduled_start=datetime(2025, 6, 2, 9, tzinfo=models.AMSTERDAM),
        order_items=[
            models.WorkshopOrderItemInput(description="Band", quantity=1, unit_price_in_vat_cents=1995)
        ],
    )


async def test_every_change_is_told(tmp_path: Path) -> None:
    hooks = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    seen: asyncio.Queue[events.Event] = asyncio.Queue()

    @hooks.on_any
    async def note(event: events.Event) -> None:
        seen.put_nowait(event)

    async with (
        running(hooks) as server,
        Sandbox(orders=10) as sandbox,
        Deliveries(sandbox, server.url, SECRET),
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        order = await cs.workshop_orders.create(CUSTOMER, new_order())
        created, sale = await take(seen), await take(seen)
        assert isinstance(sale, events.SalesOrderCreated)
        assert isinstance(created, events.WorkshopOrderCreated)
        assert created.payload.workshop_order_id == order.workshop_order_id
        assert created.payload.sales_order is not None
        assert created.payload.sales_order.order_items[0].description == "Band"
        change = models.WorkshopOrderUpdate(status_id=4)
        await cs.workshop_orders.update(CUSTOMER, order.workshop_order_id, change)
        updated, sale_updated = await take(seen), await take(seen)
        assert isinstance(sale_updated, events.SalesOrderUpdated)
        assert isinstance(updated, events.WorkshopOrderUpdated)
        assert updated.payload.status_id == 4
        await cs.workshop_orders.create_invoices(order.workshop_order_id)
        assert {(await take(seen)).event_name for _ in range(4)} == {
            "workshop_order.updated",
            "sales_order.invoiced",
            "sales_order.updated",
            "sales_transaction.created",
        }
        gone = models.WorkshopOrderUpdate(is_active=False)
        await cs.workshop_orders.update(CUSTOMER, order.workshop_order_id, gone)
        deleted, sale_deleted = await take(seen), await take(seen)
        assert isinstance(deleted, events.WorkshopOrderDeleted)
        assert isinstance(sale_deleted, events.SalesOrderDeleted)


async def test_a_seeded_order_is_updated_and_not_created(tmp_path: Path) -> None:
    hooks = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    async with (
        running(hooks) as server,
        Sandbox(orders=3) as sandbox,
        Deliveries(sandbox, server.url, SECRET) as deliveries,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        order = (await cs.workshop_orders.list(date_from=sandbox.first_day)).items[0]
        assert order.customer_id is not None
        change = models.WorkshopOrderUpdate(status_id=4)
        await cs.workshop_orders.update(order.customer_id, order.workshop_order_id, change)
        await deliveries.settled()
        names = [entry.event_name or "" for entry in entries(tmp_path / "inbox.db")]
        assert sorted(names) == ["sales_order.updated", "workshop_order.updated"]


async def test_drops_duplicates_and_reorders(tmp_path: Path) -> None:
    hooks = WebhookReceiver(SECRET, SqliteInbox(tmp_path / "inbox.db"))
    async with (
        running(hooks) as server,
        Sandbox(orders=0, minutely_limit=10_000) as sandbox,
        Deliveries(sandbox, server.url, SECRET, drop=0.3, duplicate=0.5, reorder=0.5) as deliveries,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        await asyncio.gather(*(cs.workshop_orders.create(CUSTOMER, new_order()) for _ in range(60)))
        await deliveries.settled()
    stored = entries(tmp_path / "inbox.db")
    assert deliveries.made == 120
    assert 0 < deliveries.dropped < 120
    assert len(stored) == 120 - deliveries.dropped
    assert deliveries.delivered > len(stored)
    in_order = sorted(stored, key=lambda entry: entry.occurred_at or entry.received_at)
    assert [entry.entity for entry in in_order] != [entry.entity for entry in reversed(stored)]


@pytest.mark.parametrize(("failures", "given_up"), [(3, 0), (10**9, 1)])
async def test_refusals_are_sent_again(failures: int, given_up: int) -> None:
    calls = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=503 if calls <= failures else 204)

    app = web.Application()
    app.router.add_post("/", answer)
    async with (
        running(app) as server,
        Sandbox(orders=0) as sandbox,
        Deliveries(sandbox, server.url, SECRET, retry_after=0.0, delay=0.001) as deliveries,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        await cs.workshop_orders.create(CUSTOMER, new_order())
        await deliveries.settled()
    assert (deliveries.given_up, deliveries.delivered) == (2 * given_up, 2 - 2 * given_up)
    assert deliveries.refused == min(failures, 20)


@pytest.mark.parametrize("status", [302, 304, 307])
async def test_only_2xx_is_delivered(status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/landing"})

    async def land(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/", answer)
    app.router.add_route("*", "/landing", land)
    async with (
        running(app) as server,
        Sandbox(orders=0) as sandbox,
        Deliveries(sandbox, server.url, SECRET, retry_after=0.0) as deliveries,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        await cs.workshop_orders.create(CUSTOMER, new_order())
        await deliveries.settled()
    assert (deliveries.delivered, deliveries.given_up) == (0, 2)


async def test_nobody_answers() -> None:
    async with (
        Sandbox(orders=0) as sandbox,
        Deliveries(sandbox, "http://127.0.0.1:9/", SECRET, retry_after=0.0) as deliveries,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        await cs.workshop_orders.create(CUSTOMER, new_order())
        await deliveries.settled()
        assert deliveries.given_up == 2
