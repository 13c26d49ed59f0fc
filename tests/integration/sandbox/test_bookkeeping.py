"""Bookkeeping of the sandbox: invoices, payments, VAT and orders of a year agree to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.pagination import next_offset, next_url
from cyclesoft_async.sandbox import Sandbox

TRANSACTIONS = "/api/v2/salesdata/transactions.json"  # where the cursors of version 3 point


@asynccontextmanager
async def books(orders: int = 3_000) -> AsyncGenerator[CycleSoftSession]:
    async with (
        Sandbox(orders=orders, minutely_limit=10**9, daily_limit=10**9, page_size=500) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        yield cs


def months() -> list[tuple[date, date]]:
    """The year 2025 in parts of 28 days."""
    starts = [date(2025, 1, 1) + timedelta(days=28 * number) for number in range(14)]
    return [(start, start + timedelta(days=27)) for start in starts]


async def transactions(cs: CycleSoftSession, **filters: Any) -> AsyncIterator[dict[str, Any]]:
    pages = cs.paginate("GET", TRANSACTIONS, row=dict[str, Any], follow=next_url, params=filters)
    async for row in pages:
        yield row


async def payment_groups(cs: CycleSoftSession) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for first, last in months():
        found += await cs.request(
            "GET",
            "/api/v1/salesdata/payments.json",
            type=list[dict[str, Any]],
            params={"start_date": first, "end_date": last},
        )
    return found


def vat_of(cents: int, percentage: int) -> int:
    """Return the VAT in an amount, to the nearest cent, halves away from zero."""
    exact = Decimal(cents * percentage) / (100 + percentage)
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def vat_cents(row: dict[str, Any]) -> Counter[int]:
    """Return the VAT of a transaction by percentage."""
    found: Counter[int] = Counter()
    for item in row["sales_items"]:
        found[item["vat_percentage"]] += item["vat_amount_cents"]
    return found


async def test_a_year_sums_up_to_the_cent() -> None:
    async with books() as cs:
        everything = [
            row async for row in transactions(cs, date_start=date(2025, 1, 1), date_end=date(2025, 12, 31))
        ]
        paid: dict[int, int] = {}
        for group in await payment_groups(cs):
            amount = sum(payment["amount_cents"] for payment in group["payments"])
            paid[group["invoice_number"]] = paid.get(group["invoice_number"], 0) + amount
    numbers = [row["sales_transaction_number"] for row in everything]
    assert len(numbers) == len(set(numbers)) > 3_000
    assert all(row["is_final"] for row in everything)
    for row in everything:
        items = row["sales_items"]
        total = row["total_amount_cents"]
        assert sum(item["nett_line_price_in_vat_cents"] for item in items) == total
        for item in items:
            vat = item["vat_amount_cents"]
            assert item["nett_line_price_ex_vat_cents"] + vat == item["nett_line_price_in_vat_cents"]
            assert vat == vat_of(item["nett_line_price_in_vat_cents"], item["vat_percentage"])
        assert paid.get(row["sales_transaction_number"], 0) + row["unpaid_amount_cents"] == total
    turnover = sum(row["total_amount_cents"] for row in everything)
    assert turnover == sum(paid.values()) + sum(row["unpaid_amount_cents"] for row in everything)
    assert paid.keys() <= set(numbers)
    notes = [row for row in everything if "debit_sales_transaction_number" in row]
    by_number = {row["sales_transaction_number"]: row for row in everything}
    assert notes
    for note in notes:
        original = by_number[note["debit_sales_transaction_number"]]
        assert note["total_amount_cents"] == -original["total_amount_cents"] < 0
        assert vat_cents(note) == {rate: -cents for rate, cents in vat_cents(original).items()}
        assert original["credit_sales_transaction_number"] == note["sales_transaction_number"]


async def test_invoices_have_the_items_of_their_orders() -> None:
    async with books(600) as cs:
        rows: dict[int, list[dict[str, Any]]] = {}
        for first, last in months():
            params: dict[str, Any] = {"modified_start": first, "modified_end": last, "include_deleted": 1}
            pages = cs.paginate(
                "GET",
                "/api/v2/salesdata/orders.json",
                row=dict[str, Any],
                follow=next_offset,
                params=params,
            )
            async for row in pages:
                rows.setdefault(row["sales_order_id"], []).append(row)
        placeholders = [found for found in rows.values() if found[0]["description"] == "-"]
        assert placeholders
        assert all(len(found) == 1 and found[0]["order_item_id"] == 0 for found in placeholders)
        invoiced: dict[int, int] = {}
        async for made in transactions(cs, date_field="transaction_date"):
            if "debit_sales_transaction_number" in made:
                continue
            order_id = made["sales_order"]["sales_order_id"]
            invoiced[order_id] = invoiced.get(order_id, 0) + made["total_amount_cents"]
        sold = {
            order_id: sum(row["nett_line_price_in_vat_in_cents"] for row in found)
            for order_id, found in rows.items()
            if found[0]["has_invoice"]
        }
        assert len(rows) == 800
        assert invoiced == sold


async def test_pages_of_transactions_are_the_list() -> None:
    async with books(300) as cs:
        whole = [row["sales_transaction_number"] async for row in transactions(cs)]
    async with (
        Sandbox(orders=300, page_size=7) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        assert [row["sales_transaction_number"] async for row in transactions(cs)] == whole
        first = await cs.request(
            "GET", "/api/v3/salesdata/transactions.json", type=dict[str, Any], params={"store_id": 2}
        )
        assert {row["store_id"] for row in first["data"]} == {2}
        assert first["pagination"]["next_url"].startswith(
            "https://api.cyclesoftware.nl/api/v2/salesdata/transactions.json?store_id=2&token="
        )
