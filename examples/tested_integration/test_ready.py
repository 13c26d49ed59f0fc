"""Tests of the integration, with the fixtures of `cyclesoft_async.pytest_plugin` (extra `test`)."""

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import WorkshopOrderUpdate
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import events
from cyclesoft_async.webhooks.testing import ReceiverHarness

from .ready import READY, PickupList

pytestmark = pytest.mark.anyio


async def test_it_lists_what_is_ready(cyclesoft_session: CycleSoftSession) -> None:
    pickups = PickupList(cyclesoft_session)
    await pickups.load()
    orders = await cyclesoft_session.workshop_orders.list().collect()
    assert set(pickups.texts) == {order.workshop_order_id for order in orders if order.status_id == READY}


async def test_an_event_removes_a_repair(
    cyclesoft_session: CycleSoftSession, cyclesoft_webhooks: ReceiverHarness
) -> None:
    pickups = PickupList(cyclesoft_session)
    pickups.texts[50032] = "Band plakken"
    pickups.listen(cyclesoft_webhooks.receiver)
    await cyclesoft_webhooks.send(events.WorkshopOrderUpdated, {"workshop_order_id": 50032, "status_id": 4})
    await cyclesoft_webhooks.settled()
    assert pickups.texts == {}


async def test_a_change_in_the_shop_reaches_the_list(
    cyclesoft_session: CycleSoftSession, cyclesoft_sandbox: Sandbox, cyclesoft_webhooks: ReceiverHarness
) -> None:
    pickups = PickupList(cyclesoft_session)
    pickups.listen(cyclesoft_webhooks.receiver)
    order = (await cyclesoft_session.workshop_orders.list()).items[0]
    assert order.customer_id is not None
    async with Deliveries(cyclesoft_sandbox, cyclesoft_webhooks.url, cyclesoft_webhooks.secret) as deliveries:
        await cyclesoft_session.workshop_orders.update(
            order.customer_id, order.workshop_order_id, WorkshopOrderUpdate(status_id=READY)
        )
        await deliveries.settled()
    await cyclesoft_webhooks.settled()
    assert pickups.texts == {order.workshop_order_id: order.repair_description}
