"""The same kind of test with unittest, which knows no fixtures."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import IsolatedAsyncioTestCase

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

from .ready import READY, PickupList


class PickupListTest(IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        folder = self.enterContext(TemporaryDirectory())
        sandbox = await self.enterAsyncContext(Sandbox(orders=100))
        self.cs = await self.enterAsyncContext(CycleSoftSession("user", "pass", base_url=sandbox.url))
        receiver = WebhookReceiver([SECRET], SqliteInbox(Path(folder) / "inbox.db"))
        self.hooks = await self.enterAsyncContext(ReceiverHarness(receiver))

    async def test_an_event_adds_a_repair(self) -> None:
        pickups = PickupList(self.cs)
        pickups.listen(self.hooks.receiver)
        payload = {"workshop_order_id": 50032, "status_id": READY, "repair_description": "Band plakken"}
        await self.hooks.send(events.WorkshopOrderUpdated, payload)
        await self.hooks.settled()
        assert pickups.texts == {50032: "Band plakken"}
