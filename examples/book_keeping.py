"""Invoices and payments of a month, matched: what is open, what differs. Runs against the sandbox."""

from collections import Counter
from datetime import date

import anyio

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.sandbox import Sandbox

FIRST, LAST = date(2025, 6, 1), date(2025, 6, 30)  # days of the sandbox


def euros(cents: int) -> str:
    return f"{cents / 100:,.2f}"


async def main() -> None:
    async with Sandbox(orders=1_000) as sandbox, CycleSoftSession("user", "pass", base_url=sandbox.url) as cs:
        paid = Counter[int | None]()
        for group in await cs.salesdata.payments(FIRST, LAST):
            paid[group.invoice_number] += sum(payment.amount_cents or 0 for payment in group.payments)
        received, invoiced, unpaid = paid.total(), 0, 0
        month = cs.salesdata.transactions(date_start=FIRST, date_end=LAST, only_booked_transactions=True)
        async for invoice in month:
            number, total = invoice.sales_transaction_number, invoice.total_amount_cents or 0
            still = invoice.unpaid_amount_cents or 0
            invoiced, unpaid = invoiced + total, unpaid + still
            if difference := total - still - paid.pop(number, 0):
                print(f"invoice {number}: {euros(difference)} paid in another month or in advance")
            elif still:
                print(f"invoice {number}: {euros(still)} of {euros(total)} is open")
        for other, amount in paid.items():
            print(f"invoice {other} of another month: {euros(amount)} received")
        print(f"{FIRST:%B %Y}: invoiced {euros(invoiced)}, received {euros(received)}, open {euros(unpaid)}")


anyio.run(main)
