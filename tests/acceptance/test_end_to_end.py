"""A repair from booking to invoice: calls, webhooks and the PDF show the same facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import (
    AMSTERDAM,
    CreatedInvoice,
    CustomerCreate,
    PaymentInput,
    PaymentMethod,
    PhoneNumberInput,
    RepairCode,
    RepairObject,
    RepairObjectCreate,
    TradingDay,
    Transaction,
    WorkshopOrder,
    WorkshopOrderCreate,
    WorkshopOrderItemInput,
    WorkshopOrderUpdate,
)
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.inbox import entries
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

DAY = date(2025, 12, 3)
START = datetime.combine(DAY, time(9), AMSTERDAM)
STORE, MECHANIC, CODE, DONE = 2, 21, "202", 8
FIRST_NAME, NAME, EMAIL, MOBILE = "Ada", "Vries", "ada@example.nl", "06-12345678"
BRAND, MODEL, FRAME = "Koga", "Pace B10", "KG20260017"


@dataclass
class Repair:
    """What the calls returned."""

    customer_id: int
    bike: RepairObject
    code: RepairCode
    day_before: TradingDay
    day_after: TradingDay
    order: WorkshopOrder
    invoice: CreatedInvoice
    transaction: Transaction

    @property
    def number(self) -> int:
        return self.invoice.invoice_number or 0

    @property
    def lines(self) -> list[tuple[str | None, int | None]]:
        return [(item.description, item.price_in_vat_cents) for item in self.order.order_items]

    @property
    def total_cents(self) -> int:
        return sum(cents or 0 for _, cents in self.lines)


async def trading_day(cs: CycleSoftSession) -> TradingDay:
    (day,) = await cs.workshop.trading_hours(STORE, start_date=DAY, day_count=1)
    return day


async def come_in(cs: CycleSoftSession) -> RepairObject:
    """Create customer and bike."""
    mobile = PhoneNumberInput(phone_number_id="mob", phone_number=MOBILE)
    customer = await cs.customers.create(
        CustomerCreate(first_name=FIRST_NAME, insertion="de", name=NAME, email=EMAIL, phone_numbers=[mobile])
    )
    bike = RepairObjectCreate(brand=BRAND, model=MODEL, frame_id=FRAME)
    return await cs.repair_objects.create(customer.customer_id or 0, bike)


async def repair(cs: CycleSoftSession) -> Repair:
    """Book a repair, finish it, invoice it and pay for it."""
    bike = await come_in(cs)
    owner = bike.customer_id or 0
    (code,) = (repair for repair in await cs.workshop.repair_codes() if repair.code == CODE)
    day_before = await trading_day(cs)
    chain = WorkshopOrderItemInput(description="Ketting (KMC)", quantity=2, unit_price_in_vat_cents=2_995)
    booked = await cs.workshop_orders.create(
        owner,
        WorkshopOrderCreate(
            store_id=STORE,
            repair_object_id=bike.object_id,
            repair_codes=[CODE],
            order_items=[chain],
            datetime_scheduled_start=START,
            mechanic_employee_id=MECHANIC,
            phone_number_id="mob",
        ),
    )
    day_after = await trading_day(cs)
    order_id = booked.workshop_order_id
    await cs.workshop_orders.update(owner, order_id, WorkshopOrderUpdate(status_id=7))
    (invoice,) = await cs.workshop_orders.create_invoices(
        order_id, employee_id=1, workshop_order_status_id=DONE, book=True
    )
    order = await cs.workshop_orders.get(owner, order_id)
    total = sum(item.price_in_vat_cents or 0 for item in order.order_items)
    paid = [PaymentInput(payment_method_id=PaymentMethod.PIN, payment_amount_cents=total)]
    await cs.payments.add_to_invoice(invoice.invoice_number or 0, 1, paid)
    (transaction,) = await cs.salesdata.transactions(sales_order_ids=[order_id]).collect()
    return Repair(owner, bike, code, day_before, day_after, order, invoice, transaction)


async def test_a_repair_is_the_same_in_calls_webhooks_and_pdf(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox.db"
    receiver = WebhookReceiver([SECRET], SqliteInbox(inbox))
    seen: list[events.Event] = []

    @receiver.on(events.Event)
    async def follow(event: events.Event) -> None:
        seen.append(event)

    async with (
        Sandbox(orders=300) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
        ReceiverHarness(receiver) as hooks,
        Deliveries(sandbox, hooks.url, SECRET) as deliveries,
    ):
        done = await repair(cs)
        await deliveries.settled()
        await hooks.settled()
    # Handlers of several entities run side by side: the vendor's order is that in which they came.
    came = [entry.id for entry in reversed(entries(inbox))]
    seen.sort(key=lambda event: came.index(event.id))
    check_trading_hours(done)
    check_calls(done)
    check_webhooks_of_the_repair(done, seen)
    check_webhooks_of_the_money(done, seen)
    check_pdf(done)


def check_trading_hours(done: Repair) -> None:
    before, after, minutes = done.day_before, done.day_after, done.code.time_minutes or 0
    assert minutes > 0
    assert done.order.total_repair_time_minutes == minutes
    assert (after.scheduled_minutes or 0) - (before.scheduled_minutes or 0) == minutes
    (free_before,), (free_after,) = (
        [one.available_minutes for one in day.availability_per_employee if one.employee_id == MECHANIC]
        for day in (before, after)
    )
    assert (free_before or 0) - (free_after or 0) == minutes


def check_calls(done: Repair) -> None:
    order, transaction = done.order, done.transaction
    chain, code = ("Ketting (KMC)", 5_990), (done.code.description, done.code.price_cents)
    assert sorted(done.lines, key=str) == sorted([chain, code], key=str)
    assert done.total_cents == 5_990 + (done.code.price_cents or 0)
    assert (order.status_id, order.invoice_number, order.store_id) == (DONE, done.number, STORE)
    assert order.datetime_scheduled_start == START
    assert order.repair_object_id == done.bike.object_id
    assert {item.invoice_number for item in order.order_items} == {done.number}
    assert (transaction.sales_transaction_number, transaction.total_amount_cents) == (
        done.number,
        done.total_cents,
    )
    assert transaction.unpaid_amount_cents == 0
    items = [(item.description, item.nett_line_price_in_vat_cents) for item in transaction.sales_items]
    assert items == done.lines
    assert transaction.customer is not None
    assert (transaction.customer.customer_id, transaction.customer.customer_full_name) == (
        done.customer_id,
        "Ada de Vries",
    )


def check_webhooks_of_the_repair(done: Repair, seen: list[events.Event]) -> None:
    assert [event.event_name for event in seen] == [
        "customer.created",
        "workshop_order.created",
        "sales_order.created",
        "workshop_order.updated",
        "sales_order.updated",
        "workshop_order.updated",
        "sales_order.invoiced",
        "sales_order.updated",
        "sales_transaction.created",
        "payments.created",
        "sales_transaction.updated",
    ]
    welcomed, booked, reported = seen[0], seen[1], seen[5]
    assert isinstance(welcomed, events.CustomerCreated)
    assert welcomed.payload.customer.customer_id == done.customer_id
    assert isinstance(booked, events.WorkshopOrderCreated)
    assert booked.payload.datetime_scheduled_start == START
    assert isinstance(reported, events.WorkshopOrderUpdated)
    payload = reported.payload
    assert (payload.workshop_order_id, payload.status_id) == (done.order.workshop_order_id, DONE)
    assert payload.repair_object_id == done.bike.object_id
    assert payload.sales_order is not None
    items = payload.sales_order.order_items
    assert [(item.description, item.price_in_vat_cents) for item in items] == done.lines
    customer = payload.sales_order.customer
    assert customer is not None
    assert (customer.customer_id, customer.first_name, customer.name, customer.email) == (
        done.customer_id,
        FIRST_NAME,
        NAME,
        EMAIL,
    )
    assert MOBILE in [number.phone_number for number in customer.phone_numbers]


def check_webhooks_of_the_money(done: Repair, seen: list[events.Event]) -> None:
    invoiced, paid, settled = seen[8:]
    assert isinstance(invoiced, events.SalesTransactionCreated)
    assert (invoiced.payload.invoice_number, invoiced.payload.total_amount_cents) == (
        done.number,
        done.total_cents,
    )
    items = invoiced.payload.sales_items
    assert [(item.description, item.price_in_vat_cents) for item in items] == done.lines
    assert (invoiced.payload.is_final, invoiced.payload.unpayed_amount_cents) == (True, done.total_cents)
    assert isinstance(paid, events.PaymentsCreated)
    assert paid.payload.entity_id == done.number
    assert [payment.amount_cents for payment in paid.payload.payments] == [done.total_cents]
    assert isinstance(settled, events.SalesTransactionUpdated)
    assert (settled.payload.invoice_number, settled.payload.unpayed_amount_cents) == (done.number, 0)


def check_pdf(done: Repair) -> None:
    (document,) = done.invoice.documents
    shown = re.findall(rb"^\((.*)\) Tj T\*$", document.content, re.MULTILINE)
    assert [re.sub(r"\\(.)", r"\1", line.decode("cp1252")) for line in shown] == [
        f"Factuur {done.number}",
        f"Klant {done.customer_id}   Ada de Vries",
        f"Werkorder {done.order.workshop_order_id}",
        f"Fiets {BRAND} {MODEL}   {FRAME}",
        "",
        *(
            f"{item.quantity} x {item.description}   EUR {(item.price_in_vat_cents or 0) / 100:.2f}"
            for item in done.order.order_items
        ),
        "",
        f"Totaal incl. btw   EUR {done.total_cents / 100:.2f}",
    ]
