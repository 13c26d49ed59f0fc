"""Sync of invoices, payments and stock, and the views over them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Store, TablesReport, sync
from cyclesoft_async.models import AMSTERDAM, PaymentInput
from cyclesoft_async.sandbox import Sandbox
from tests.support.store import rows
from tests.support.sync import LIMITLESS

MONEY = ["customers", "sales_transactions", "payments", "stock"]
TODAY = datetime.now(AMSTERDAM).date()
FIRST, LAST = TODAY - timedelta(days=60), TODAY


def two_months() -> Sandbox:
    return Sandbox(
        orders=600, minutely_limit=LIMITLESS, daily_limit=LIMITLESS, first_day=FIRST, last_day=LAST
    )


@asynccontextmanager
async def shop() -> AsyncGenerator[CycleSoftSession]:
    async with two_months() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        yield cs


async def copy(cs: CycleSoftSession, url: str) -> TablesReport:
    return await sync(cs, Store(url), MONEY)


async def test_the_tables_have_what_the_server_has(url: str) -> None:
    async with shop() as cs:
        await copy(cs, url)
        invoices = await cs.salesdata.transactions(date_field="transaction_date").collect()
        groups = [
            group
            for day in (FIRST, FIRST + timedelta(days=31))
            for group in await cs.salesdata.payments(day, day + timedelta(days=30))
        ]
        bikes = await cs.stock.pos_items()
    stored = rows(
        url,
        "select sales_transaction_number, customer_id, workshop_order_id, total_amount_cents,"
        " unpaid_amount_cents from sales_transactions order by 1",
    )
    assert stored == sorted(
        (
            each.sales_transaction_number,
            each.customer_id,
            each.workshop_order_id,
            each.total_amount_cents,
            each.unpaid_amount_cents,
        )
        for each in invoices
    )
    lines = (
        "select sales_transaction_number, position, nett_line_price_in_vat_cents from sales_transaction_items"
    )
    assert set(rows(url, lines)) == {
        (each.sales_transaction_number, place, line.nett_line_price_in_vat_cents)
        for each in invoices
        for place, line in enumerate(each.sales_items)
    }
    assert rows(url, "select payment_id, invoice_number, amount_cents from payments order by 1") == sorted(
        (payment.payment_id, group.invoice_number, payment.amount_cents)
        for group in groups
        for payment in group.payments
    )
    assert rows(url, "select object_id, store_id from stock order by 1") == sorted(
        (bike.object_id, bike.store_id) for bike in bikes
    )


async def test_the_books_balance_in_sql(url: str) -> None:
    async with shop() as cs:
        await copy(cs, url)
        invoices = await cs.salesdata.transactions(date_field="transaction_date").collect()
    days: dict[tuple[str, int], list[int]] = {}
    for each in invoices:
        if each.is_final and each.booked_at is not None:
            sums = days.setdefault((str(each.booked_at.date()), each.store_id or 0), [0, 0, 0, 0])
            sums[0] += 1
            sums[1] += each.total_amount_cents or 0
            sums[2] += sum(line.nett_line_price_ex_vat_cents or 0 for line in each.sales_items)
            sums[3] += sum(line.vat_amount_cents or 0 for line in each.sales_items)
    view = (
        "select day, store_id, invoices, total_in_vat_cents, total_ex_vat_cents, vat_cents from sales_by_day"
    )
    assert {(str(day), store): list(sums) for day, store, *sums in rows(url, view)} == days
    balance = rows(
        url,
        "select sum(total_amount_cents) - sum(unpaid_amount_cents) - (select sum(amount_cents) from payments)"
        " from sales_transactions",
    )
    assert balance == [(0,)]


async def test_a_payment_arrives_with_the_next_run_and_the_invoice_is_not_unpaid_any_more(url: str) -> None:
    async with two_months() as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        await copy(cs, url)
        [(number, unpaid, name)] = rows(
            url,
            "select sales_transaction_number, unpaid_amount_cents, customer_name from unpaid_invoices"
            " order by 1 limit 1",
        )
        assert name
        # The vendor's times are whole seconds: a payment in the second of the reading may be older.
        sandbox.clock.advance(timedelta(seconds=2))
        payment = PaymentInput(payment_method_id=1, payment_amount_cents=int(str(unpaid)))
        await cs.payments.add_to_invoice(int(str(number)), 1, [payment])
        report = await copy(cs, url)
        assert report.requests < 8, "only what changed is read"
    paid = f"select amount_cents from payments where invoice_number = {number}"  # noqa: S608
    assert rows(url, paid) == [(unpaid,)]
    left = f"select count(*) from unpaid_invoices where sales_transaction_number = {number}"  # noqa: S608
    assert rows(url, left) == [(0,)]
