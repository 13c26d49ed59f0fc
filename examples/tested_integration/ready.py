"""A small integration: lists the repairs that customers can pick up. Its tests are beside it."""

from __future__ import annotations

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.webhooks import WebhookReceiver, events

READY = 7  # enum workshop_order_status


class PickupList:
    """Repairs that are ready, by the id of their order."""

    def __init__(self, cs: CycleSoftSession) -> None:
        self.texts: dict[int, str] = {}
        self._cs = cs

    async def load(self) -> None:
        """Fill the list from the API."""
        async for order in self._cs.workshop_orders.list(status_ids=[READY]):
            self.texts[order.workshop_order_id] = order.repair_description or ""

    def listen(self, receiver: WebhookReceiver) -> None:
        """Keep the list up to date."""

        @receiver.on(events.WorkshopOrderEvent)
        async def changed(event: events.WorkshopOrderEvent) -> None:
            order = event.payload
            if order.status_id == READY and not isinstance(event, events.WorkshopOrderDeleted):
                self.texts[order.workshop_order_id] = order.repair_description or ""
            else:
                self.texts.pop(order.workshop_order_id, None)
