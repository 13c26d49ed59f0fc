"""Payments that webhooks report are in the store soon: their day is read again."""

from datetime import date, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import Follower, Store, sync
from cyclesoft_async.bulksync.fetch.payment_days import days_of
from cyclesoft_async.models import AMSTERDAM, Payment, PaymentInput, RegisteredPayments
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.transport import CallEvent, CallSent
from cyclesoft_async.webhooks import SqliteInbox, WebhookReceiver, events
from cyclesoft_async.webhooks.testing import SECRET, ReceiverHarness
from tests.support.store import rows

TODAY = datetime.now(AMSTERDAM).date()
PAYMENTS = "/api/v1/salesdata/payments.json"


@pytest.mark.parametrize("is_mirrored", [True, False])
async def test_a_reported_payment_is_stored_if_payments_are_mirrored(
    tmp_path: Path, is_mirrored: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    receiver = WebhookReceiver([SECRET], SqliteInbox(tmp_path / "inbox.db"))
    sent: list[str | None] = []

    def note(event: CallEvent) -> None:
        if isinstance(event, CallSent):
            sent.append(event.path)

    async with (
        Sandbox(orders=50, first_day=TODAY - timedelta(days=30), last_day=TODAY) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url, on_event=note) as cs,
    ):
        tables = ["sales_transactions", "payments"] if is_mirrored else ["enums"]
        await sync(cs, Store(url), tables)
        invoices = await cs.salesdata.transactions(date_field="transaction_date").collect()
        invoice = next(each for each in invoices if each.unpaid_amount_cents)
        pin = [PaymentInput(payment_method_id=1, payment_amount_cents=500)]
        added = await cs.payments.add_to_invoice(invoice.sales_transaction_number, 1, pin)
        booked = added.payments[0].book_date
        payload = RegisteredPayments(
            entity_type_id=5,
            entity_id=invoice.sales_transaction_number,
            payments=[Payment(payment_method_id=1, amount_cents=500, book_date=booked)],
        )
        follower = Follower(cs, Store(url))
        follower.listen(receiver)
        sent.clear()
        async with ReceiverHarness(receiver) as hooks, anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await hooks.send(events.PaymentsCreated, payload)
            with anyio.fail_after(60):
                await hooks.settled()
            tasks.cancel_scope.cancel()
    assert sent.count(PAYMENTS) == is_mirrored
    of_invoice = (
        f"select amount_cents from payments where invoice_number = {invoice.sales_transaction_number}"  # noqa: S608
    )
    assert rows(url, of_invoice) == ([(500,)] if is_mirrored else [])


DAY = datetime(2025, 3, 1, 12, tzinfo=AMSTERDAM)


@pytest.mark.parametrize(
    ("booked", "expected"),
    [
        ([], (date(2025, 3, 1), date(2025, 3, 1))),
        ([DAY - timedelta(days=3), DAY], (date(2025, 2, 26), date(2025, 3, 1))),
        ([DAY - timedelta(days=300), DAY], (date(2025, 1, 30), date(2025, 3, 1))),
    ],
)
def test_days_of_payments_fit_into_one_request(booked: list[datetime], expected: tuple[date, date]) -> None:
    payments = [Payment(book_date=moment) for moment in booked]
    found = days_of(RegisteredPayments(entity_type_id=5, entity_id=1, payments=payments), DAY)
    assert found == expected
    assert (found[1] - found[0]).days <= 30
