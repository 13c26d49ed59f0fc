"""Hand-on: a repair that becomes ready is sent to Fleetio, PPW and ShopCtrl exactly once.

The reference text of an order names its counterparts: "ppw:3850 shopctrl:12122". `VEHICLES` maps bikes to
vehicles in Fleetio. An order is sent to the systems in which it has a counterpart.

A small table makes the transfer idempotent. A row is committed before anything is sent. A row still "sending"
after a crash means an ambiguous outcome, and the request is sent again. All three vendors reject or ignore a
repetition, so their response then shows that the first request was carried out:

    Fleetio     a work order's `number` is unique, and is the workshop order's here
    PPW         a work order has one invoice: `InvoiceExistsError`
    ShopCtrl    a row is invoiced once: null

With a vendor that would create a duplicate, a person has to resolve a row that is still "sending". Runs
against the sandboxes.
"""

import re
import sqlite3
import warnings
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import anyio
from aiohttp import web
from msgspec import UNSET

from cyclesoft_async import CycleSoftSession, errors, models
from cyclesoft_async.bridges import BasicAuth, Fleetio, Ppw, ShopCtrl
from cyclesoft_async.bridges.fleetio import InvalidFieldsError, WorkOrderCreate
from cyclesoft_async.bridges.ppw import ClientItem, InvoiceCreate, InvoiceExistsError
from cyclesoft_async.sandbox import Deliveries, FleetioSandbox, PpwSandbox, Sandbox, ShopCtrlSandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events

READY = 7  # enum workshop_order_status
CANCELLED = 5  # enum sales_order_item_status
COMPLETED = 3  # a work order status of the Fleetio account
VEHICLES = {10_001: 17}  # repair_object_id: Fleetio's vehicle_id

SENDING = "sending"
# Nothing was created; a later attempt may succeed.
RETRYABLE = (
    errors.ConnectError,
    errors.RateLimitedError,
    errors.QuotaExhausted,
    errors.AuthenticationError,
    errors.PermissionDeniedError,
)
# The outcome is unknown.
AMBIGUOUS = (errors.TransportError, errors.ServerError, errors.ResponseDecodeError)

# Both vendors announce a successor of these calls.
warnings.filterwarnings("ignore", "(PPW|Fleetio) deprecates", DeprecationWarning)


class Transfers:
    """Table of transfers, "account/order/system", with their outcome. Every statement commits."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS handed_on (what TEXT PRIMARY KEY, outcome TEXT NOT NULL)")

    async def once(
        self,
        event: events.WorkshopOrderEvent,
        system: str,
        send: Callable[[], Awaitable[str]],
        is_duplicate: Callable[[Exception], bool],
    ) -> None:
        """Send, and store the outcome. Do nothing if there is an outcome already.

        Retryable errors are raised, so that the receiver retries the handler.
        """
        what = f"{event.account_id}/{event.payload.workshop_order_id}/{system}"
        before = self._outcome(what)
        if before is None:
            self.db.execute("INSERT INTO handed_on VALUES (?, ?)", (what, SENDING))
        elif before != SENDING:
            return
        try:
            outcome = await send()
        except RETRYABLE:
            if before is None:
                self.db.execute("DELETE FROM handed_on WHERE what = ?", (what,))
            raise
        except AMBIGUOUS:
            raise
        except errors.CycleSoftError as error:
            was_created = before == SENDING and is_duplicate(error)
            outcome = "created before" if was_created else f"rejected: {error}"
        self.db.execute("UPDATE handed_on SET outcome = ? WHERE what = ?", (outcome, what))

    def _outcome(self, what: str) -> str | None:
        row = self.db.execute("SELECT outcome FROM handed_on WHERE what = ?", (what,)).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        self.db.close()

    def outcomes(self) -> dict[str, str]:
        """Return all outcomes. A person handles those that are rejected or stay "sending"."""
        return dict(self.db.execute("SELECT what, outcome FROM handed_on ORDER BY what"))


def hand_on(
    receiver: WebhookReceiver, transfers: Transfers, fleetio: Fleetio, ppw: Ppw, shopctrl: ShopCtrl
) -> None:
    """Hand on every order that becomes ready. Each system has a handler, so that none waits for another."""

    @receiver.on(events.WorkshopOrderUpdated)
    async def to_fleetio(event: events.WorkshopOrderUpdated) -> None:
        order = event.payload
        vehicle_id = VEHICLES.get(order.repair_object_id or 0)
        if order.status_id != READY or vehicle_id is None:
            return
        repair = work_order(order, vehicle_id, ready_at=event.occurred_at.astimezone(models.AMSTERDAM))

        async def send() -> str:
            return f"work order {(await fleetio.create_work_order(repair)).id}"

        await transfers.once(event, "fleetio", send, is_number_taken)

    @receiver.on(events.WorkshopOrderUpdated)
    async def to_ppw(event: events.WorkshopOrderUpdated) -> None:
        order = event.payload
        report_id = counterpart(order, "ppw")
        items = [ppw_item(line) for line in lines_of(order)]
        if order.status_id != READY or report_id is None or not items:
            return

        async def send() -> str:
            made = await ppw.create_invoice(InvoiceCreate(report_id=report_id, client_items=items))
            return f"invoice {made.invoice_id}"

        await transfers.once(event, "ppw", send, lambda error: isinstance(error, InvoiceExistsError))

    @receiver.on(events.WorkshopOrderUpdated)
    async def to_shopctrl(event: events.WorkshopOrderUpdated) -> None:
        order_id = counterpart(event.payload, "shopctrl")
        if event.payload.status_id != READY or order_id is None:
            return

        async def send() -> str:
            made = await shopctrl.create_invoice(order_id)
            return "nothing left to invoice" if made is None else f"invoice {made.id}"

        await transfers.once(event, "shopctrl", send, lambda _: False)


def counterpart(order: models.WorkshopOrderNotice, system: str) -> int | None:
    named = re.search(rf"\b{system}:(\d+)\b", order.reference_text or "")
    return int(named[1]) if named else None


def lines_of(order: models.WorkshopOrderNotice) -> list[models.WorkshopOrderItem]:
    lines = order.sales_order.order_items if order.sales_order else []
    return [line for line in lines if line.item_status_id != CANCELLED]


def units(cents: Decimal | int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def work_order(order: models.WorkshopOrderNotice, vehicle_id: int, ready_at: datetime) -> WorkOrderCreate:
    """Return the work order. Version 1 has no lines: their VAT becomes a tax, their sum is in the text."""
    sale, lines = order.sales_order, lines_of(order)
    total = units(sum(line.price_in_vat_cents or 0 for line in lines))
    return WorkOrderCreate(
        number=order.workshop_order_id,
        vehicle_id=vehicle_id,
        work_order_status_id=COMPLETED,
        issued_at=(sale and sale.datetime_created) or ready_at,
        started_at=order.datetime_scheduled_start or UNSET,
        completed_at=ready_at,
        invoice_number=str(sale.invoice_number) if sale and sale.invoice_number else UNSET,
        tax_1_type="fixed",
        tax_1=units(sum(line.vat_amount_cents or 0 for line in lines)),
        description=f"{order.repair_description or 'Repair'} ({len(lines)} lines, EUR {total} with VAT)",
    )


def ppw_item(line: models.WorkshopOrderItem) -> ClientItem:
    """Return the item of a line. A price that the quantity does not divide to the cent becomes one piece."""
    quantity, cents = line.quantity or Decimal(1), line.price_in_vat_cents or 0
    if cents % quantity:
        return ClientItem(
            invoice_item_other=f"{quantity} x {line.description or ''}", qty=1, price=units(cents)
        )
    return ClientItem(invoice_item_other=line.description or "", qty=quantity, price=units(cents // quantity))


def is_number_taken(error: Exception) -> bool:
    return isinstance(error, InvalidFieldsError) and set(error.fields) == {"number"}


async def main() -> None:
    secret = "the secret that CycleSoftware gave you"  # noqa: S105
    receiver = WebhookReceiver(secrets=[secret], inbox=SqliteInbox("inbox.db"))
    with closing(Transfers(Path("handed_on.db"))) as transfers:
        async with (
            FleetioSandbox() as fleetio_sandbox,
            PpwSandbox() as ppw_sandbox,
            ShopCtrlSandbox({12122: Decimal("44.95")}) as shopctrl_sandbox,
            Fleetio("key", "account", base_url=fleetio_sandbox.url) as fleetio,
            Ppw("token", base_url=ppw_sandbox.url) as ppw,
            ShopCtrl(BasicAuth("user", "pass"), base_url=shopctrl_sandbox.url) as shopctrl,
        ):
            hand_on(receiver, transfers, fleetio, ppw, shopctrl)
            await become_ready_twice(receiver, secret)
            for what, outcome in transfers.outcomes().items():
                print(f"{what}: {outcome}")
            print(fleetio_sandbox.work_orders[0]["description"])
            print(ppw_sandbox.invoices[3850]["client_items"])


async def become_ready_twice(receiver: WebhookReceiver, secret: str) -> None:
    """Create a repair, set it to ready, and update it again: two events report it as ready."""
    both = anyio.Semaphore(0)

    @receiver.on(events.WorkshopOrderUpdated)  # the last handler, so the others have run
    async def handled(_: events.WorkshopOrderUpdated) -> None:
        both.release()

    runner = web.AppRunner(receiver.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    tyre = models.WorkshopOrderItemInput(description="Band", quantity=2, unit_price_in_vat_cents=1495)
    work = models.WorkshopOrderItemInput(description="Monteren", quantity=1, unit_price_in_vat_cents=1505)
    repair = models.WorkshopOrderCreate(
        repair_object_id=10_001,
        repair_description="Banden vervangen",
        reference_text="ppw:3850 shopctrl:12122",
        order_items=[tyre, work],
    )
    async with (
        Sandbox(orders=0) as sandbox,
        Deliveries(sandbox, url, secret),
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        number = (await cs.workshop_orders.create(1001, repair)).workshop_order_id
        for change in (
            models.WorkshopOrderUpdate(status_id=READY),
            models.WorkshopOrderUpdate(repair_description="Banden vervangen, ketting gesmeerd"),
        ):
            await cs.workshop_orders.update(1001, number, change)
            await both.acquire()
    await runner.cleanup()


if __name__ == "__main__":
    anyio.run(main)
