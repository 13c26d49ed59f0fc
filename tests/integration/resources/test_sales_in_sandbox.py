"""Sales, money, comments and bookkeeping against the sandbox: one section's writes show in the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import BadRequestError, NotFoundError, PermissionDeniedError
from cyclesoft_async.models import (
    CommentCreate,
    CommentUpdate,
    EntityType,
    NewAddress,
    OrderRow,
    PaymentInput,
    PaymentMethod,
    StockFilter,
    StockObjectUpdate,
    StoreTransfer,
    Transaction,
    WorkshopOrderCreate,
    WorkshopOrderItemInput,
)
from cyclesoft_async.sandbox import Deliveries, Sandbox
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness

FIRST, LAST = date(2025, 6, 1), date(2025, 6, 30)
IN_PROCESS = 2  # enum sales_order_status
VOUCHER = "1000-2000-3000-0002"


@asynccontextmanager
async def shop(orders: int = 1_000) -> AsyncGenerator[tuple[Sandbox, CycleSoftSession]]:
    async with (
        Sandbox(orders=orders, minutely_limit=10**9, daily_limit=10**9) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        yield sandbox, cs


async def month(cs: CycleSoftSession) -> list[Transaction]:
    return await cs.salesdata.transactions(date_start=FIRST, date_end=LAST).collect()


async def open_orders(cs: CycleSoftSession) -> list[OrderRow]:
    rows = await cs.salesdata.orders(FIRST, LAST).collect()
    found = {row.sales_order_id: row for row in rows if row.status_id == IN_PROCESS and not row.has_invoice}
    assert len(found) >= 3
    return list(found.values())


def today() -> tuple[date, date]:
    """A day on either side of today, as midnight may come between two calls."""
    return date.today() - timedelta(days=1), date.today() + timedelta(days=1)  # noqa: DTZ011


def pin(cents: int) -> list[PaymentInput]:
    return [PaymentInput(payment_method_id=PaymentMethod.PIN, payment_amount_cents=cents)]


async def test_a_month_of_bookkeeping_sums_up_to_the_cent() -> None:
    async with shop() as (_, cs):
        invoices = await month(cs)
        paid = Counter[int | None]()
        for group in await cs.salesdata.payments(FIRST, LAST):
            paid[group.invoice_number] += sum(payment.amount_cents or 0 for payment in group.payments)
    totals = {invoice.sales_transaction_number: invoice.total_amount_cents or 0 for invoice in invoices}
    unpaid = {invoice.sales_transaction_number: invoice.unpaid_amount_cents or 0 for invoice in invoices}
    assert len(totals) == len(invoices) > 50
    assert {number: total - unpaid[number] for number, total in totals.items()} == {
        number: paid[number] for number in totals
    }
    assert paid.keys() <= totals.keys()
    assert sum(totals.values()) == paid.total() + sum(unpaid.values())
    assert sum(unpaid.values()) > 0
    for invoice in invoices:
        lines = invoice.sales_items
        assert sum(line.nett_line_price_in_vat_cents or 0 for line in lines) == invoice.total_amount_cents
        for line in lines:
            without, vat = line.nett_line_price_ex_vat_cents or 0, line.vat_amount_cents or 0
            assert without + vat == line.nett_line_price_in_vat_cents


async def test_paying_an_invoice_changes_what_is_unpaid() -> None:
    async with shop() as (_, cs):
        invoice = next(made for made in await month(cs) if made.unpaid_amount_cents)
        number, unpaid = invoice.sales_transaction_number, invoice.unpaid_amount_cents or 0
        assert invoice.sales_order_id is not None
        link = await cs.payments.invoice_link(number)
        assert (link.sales_transaction_number, link.payment_link_amount_cents) == (number, unpaid)
        assert link.qr_png.startswith(b"\x89PNG")
        added = await cs.payments.add_to_invoice(number, 1, pin(500))
        assert (added.total_amount_cents, added.unpaid_amount_cents) == (
            invoice.total_amount_cents,
            unpaid - 500,
        )
        listed = await cs.salesdata.transactions(sales_order_ids=[invoice.sales_order_id]).collect()
        assert {item.sales_transaction_number: item.unpaid_amount_cents for item in listed}[number] == (
            unpaid - 500
        )
        (group,) = await cs.salesdata.payments(*today())
        (payment,) = group.payments
        assert (group.invoice_number, payment.amount_cents, payment.method_id) == (number, 500, 1)
        assert payment.book_date == added.payments[0].book_date


async def test_a_voucher_pays_an_order() -> None:
    async with shop() as (_, cs):
        order, *_ = await open_orders(cs)
        before = await cs.vouchers.get(VOUCHER)
        link = await cs.payments.order_link(order.sales_order_id, payment_amount_cents=1_000)
        assert (link.sales_order_id, link.payment_link_amount_cents) == (order.sales_order_id, 1_000)
        by_voucher = PaymentInput(
            payment_method_id=PaymentMethod.VOUCHER, payment_amount_cents=300, voucher_code=VOUCHER
        )
        added = await cs.payments.add_to_order(order.sales_order_id, 1, [by_voucher])
        assert added.unpaid_amount_cents == (link.total_amount_cents or 0) - 300
        after = await cs.vouchers.get(VOUCHER)
        assert after.amount_balance_cents == (before.amount_balance_cents or 0) - 300
        with pytest.raises(BadRequestError):
            await cs.payments.add_to_order(
                order.sales_order_id,
                1,
                [
                    PaymentInput(
                        payment_method_id=PaymentMethod.VOUCHER,
                        payment_amount_cents=10**6,
                        voucher_code=VOUCHER,
                    )
                ],
            )
        with pytest.raises(BadRequestError):  # it has money on it
            await cs.sales_orders.cancel(order.sales_order_id, 1)
        with pytest.raises(NotFoundError):
            await cs.vouchers.get("1000-2000-3000-9999")


async def test_cancelling_an_order_changes_its_lists() -> None:
    async with shop() as (_, cs):
        order, *_ = await open_orders(cs)
        await cs.sales_orders.cancel(order.sales_order_id, 1)
        listed = await cs.salesdata.orders(*today()).collect()
        deleted = await cs.salesdata.orders(*today(), include_deleted=True).collect()
    assert order.sales_order_id not in {row.sales_order_id for row in listed}
    (row,) = [row for row in deleted if row.sales_order_id == order.sales_order_id][:1]
    assert row.cancellation_type_id == 1


async def test_moving_delivering_and_invoicing_an_order() -> None:
    address = NewAddress(
        is_business_address=False, name="A", street="B", house_number="1", postal_code="1000AA", city="C"
    )
    async with shop() as (_, cs):
        order = next(row for row in await open_orders(cs) if row.store_id != 2)
        moved = await cs.sales_orders.update_store(order.sales_order_id, StoreTransfer(to_store_id=2))
        assert moved.created_store_order_id is not None
        changed = await cs.sales_orders.update_delivery_method(
            order.sales_order_id, new_delivery_method_id=3, new_delivery_address=address
        )
        assert changed.created_delivery_address_id is not None
        (made,) = await cs.sales_orders.create_invoices(order.sales_order_id, book=True)
        assert made.documents[0].content.startswith(b"%PDF")
        (invoice,) = await cs.salesdata.transactions(sales_order_ids=[order.sales_order_id]).collect()
        rows = [
            row
            for row in await cs.salesdata.orders(*today()).collect()
            if row.sales_order_id == order.sales_order_id
        ]
    assert (invoice.sales_transaction_number, invoice.store_id) == (made.invoice_number, 2)
    assert {(row.store_id, row.delivery_method_id, row.invoice_number) for row in rows} == {
        (2, 3, made.invoice_number)
    }


async def test_an_invoice_that_is_not_booked_is_pro_forma() -> None:
    async with shop() as (_, cs):
        order = await cs.workshop_orders.create(1001, WorkshopOrderCreate(repair_codes=["110"]))
        (made,) = await cs.workshop_orders.create_invoices(order.workshop_order_id)
        listed = await cs.salesdata.proforma().collect()
        proforma = {item.sales_transaction_number: item for item in listed}[made.invoice_number or 0]
        (invoice,) = await cs.salesdata.transactions(
            date_field="transaction_date", sales_order_ids=[order.workshop_order_id]
        ).collect()
    assert proforma.unpayed_amount_cents == proforma.total_amount_cents == invoice.total_amount_cents
    assert (invoice.sales_transaction_number, invoice.is_final) == (made.invoice_number, False)
    assert invoice.workshop_order_id == invoice.sales_order_id == order.workshop_order_id
    assert invoice.customer_id == 1001


async def test_labels_and_comments_of_an_order() -> None:
    async with shop() as (_, cs):
        order, *_ = await open_orders(cs)
        entity = EntityType.SALES_ORDER, order.sales_order_id
        assert order.customer_id is not None
        before = await cs.labels.get(*entity)
        assert await cs.labels.attach(*entity, ["x", "y"]) == [*before, "x", "y"]
        assert await cs.labels.detach(*entity, ["x"]) == await cs.labels.get(*entity) == [*before, "y"]

        await cs.comments.create(
            CommentCreate(
                comment_type_id=1,
                employee_id=1,
                entity_type_id=entity[0],
                entity_id=entity[1],
                comment="Betaald",
                customer_id=order.customer_id,
            )
        )
        made = (await cs.comments.list_for_entity(*entity).collect())[-1]
        assert made.comment == "Betaald"
        assert made in await cs.comments.list_for_customer(order.customer_id).collect()
        await cs.comments.update(made.comment_id, CommentUpdate(comment="Betaald bij levering"))
        assert (await cs.comments.get(made.comment_id)).comment == "Betaald bij levering"
        await cs.comments.delete(made.comment_id)
        with pytest.raises(NotFoundError):
            await cs.comments.get(made.comment_id)


async def test_insurances_are_of_bikes_that_were_sold() -> None:
    async with shop(3_000) as (_, cs):
        insured = await cs.salesdata.insurances(FIRST, LAST)
    assert insured
    assert all(FIRST <= item.created_at <= LAST for item in insured if item.created_at is not None)
    assert {item.created_at is None for item in insured} == {False}


async def test_stock_falls_when_an_article_is_sold() -> None:
    async with shop(0) as (_, cs):
        barcode = next(bike.barcode for bike in await cs.stock.pos_items() if bike.barcode)
        asked_for_nothing = await cs.stock.info(["no such barcode"])
        before = (await cs.stock.info([barcode, *asked_for_nothing]))[barcode]
        assert before.barcode == barcode
        assert before.stock_quantity == sum(store.quantity or 0 for store in before.stock_stores)
        article = next(iter(asked_for_nothing))  # the server adds it to every answer
        line = WorkshopOrderItemInput(barcode=article, quantity=1, item_type_id=1)
        await cs.workshop_orders.create(1001, WorkshopOrderCreate(store_id=1, order_items=[line]))
        after = await cs.stock.info([article])
    sold = (asked_for_nothing[article].stock_quantity or 0) - (after[article].stock_quantity or 0)
    assert sold == 1


async def test_a_batch_changes_bikes_that_are_not_sold() -> None:
    async with shop() as (_, cs):
        bikes = await cs.stock.pos_items()
        sold = next(bike for bike in bikes if bike.is_sold_to_customer)
        new = next(bike for bike in bikes if bike.is_new and not bike.is_sold_to_customer)
        filter_ = StockFilter(stock_object_ids=[new.object_id, sold.object_id])
        changed, refused = await cs.stock_objects.batch_update(
            [StockObjectUpdate(filter=filter_, object_reference="Etalage", is_reserved=True)]
        )
        group, *_ = await cs.stock_objects.batch_update(
            [StockObjectUpdate(filter=StockFilter(stock_object_ids=[new.object_id]), article_group="B")]
        )
        read = await cs.stock_objects.get(new.object_id)
    assert (changed.is_ok, refused.is_ok, group.result) == (True, False, "partial")
    assert refused.error is not None
    assert group.skipped_fields == ["article_group"]
    assert [warning.field for warning in group.warnings] == ["article_group"]
    assert read.object is not None
    assert read.status is not None
    assert (read.object.object_reference, read.status.is_reserved) == ("Etalage", True)


async def test_webhooks_report_what_happens_to_orders_and_money(
    tmp_path: Path,
) -> None:
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    seen: list[events.Event] = []

    @receiver.on(events.Event)
    async def note(event: events.Event) -> None:
        seen.append(event)

    async with (
        shop() as (sandbox, cs),
        ReceiverHarness(receiver) as hooks,
        Deliveries(sandbox, hooks.url, SECRET) as deliveries,
    ):
        cancelled, moved, invoiced = (row.sales_order_id for row in (await open_orders(cs))[:3])
        await cs.sales_orders.cancel(cancelled, 1)
        await cs.sales_orders.update_store(moved, StoreTransfer(to_store_id=2))
        (made,) = await cs.sales_orders.create_invoices(invoiced, book=True)
        await cs.payments.add_to_invoice(made.invoice_number or 0, 1, pin(500))
        await deliveries.settled()
        await hooks.settled()
    by_name = {event.event_name: event for event in seen}
    deleted, paid = by_name["sales_order.deleted"], by_name["payments.created"]
    assert isinstance(deleted, events.SalesOrderDeleted)
    assert deleted.payload.sales_order_id == cancelled
    assert isinstance(paid, events.PaymentsCreated)
    assert (paid.payload.entity_type_id, paid.payload.entity_id) == (5, made.invoice_number)
    assert [payment.amount_cents for payment in paid.payload.payments] == [500]
    transaction = by_name["sales_transaction.created"]
    assert isinstance(transaction, events.SalesTransactionCreated)
    assert transaction.payload.invoice_number == made.invoice_number
    assert {"store_order.created", "sales_order.updated", "sales_order.invoiced"} <= by_name.keys()


async def test_each_section_needs_its_scope() -> None:
    async with (
        Sandbox(orders=10, scopes={"resources"}) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        for call in (
            cs.payments.order_link(900_001),
            cs.salesdata.payments(FIRST, LAST),
            cs.labels.get(7, 900_001),
        ):
            with pytest.raises(PermissionDeniedError):
                await call
        await cs.vouchers.get(VOUCHER)
