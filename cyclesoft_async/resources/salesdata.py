"""Sales data: what the bookkeeping reads. Invoices, order lines, payments and insurances.

Vendor page: "Sales data" (scope `sales-export`). The deprecated "Sales transactions (v1)" has no documented
answer and no method: see `CycleSoftSession.request`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, TypeAlias, get_args

from cyclesoft_async._arguments import check_days, check_id, check_ids, check_word
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import Insurance, OrderRow, PaymentGroup, ProformaInvoice, Transaction
from cyclesoft_async.pagination import PageReader, Paginator, Tail, next_offset, next_url
from cyclesoft_async.transport import Call, dutch_dates, whole

from .resource import Endpoint, Listing, Resource

DateField: TypeAlias = Literal["book_date", "modified_at", "transaction_date"]

LONGEST_RANGE = 31
"""Days that a request for orders, payments or insurances may span."""
MOST_ORDERS = 25
"""Orders that a request for transactions may name."""

_V2, _V3 = "/api/v2/", "/api/v3/"


def next_transactions(call: Call, tail: Tail, has_rows: bool) -> str | None:
    """Follow `pagination.next_url`, which names version 2 of the path in the answers of version 3."""
    cursor = next_url(call, tail, has_rows)
    return cursor if cursor is None else cursor.replace(_V2, _V3, 1)


TRANSACTIONS = Listing(
    path="/api/v3/salesdata/transactions.json",
    rows=PageReader(Transaction, follow=next_transactions),
    scope="sales-export",
)
ORDERS = Listing(
    path="/api/v2/salesdata/orders.json",
    rows=PageReader(OrderRow, follow=next_offset),
    scope="sales-export",
)
PROFORMA = Listing(
    path="/api/v1/invoices/proforma.json",
    rows=PageReader(ProformaInvoice, follow=next_offset),
    scope="sales-export",
)
PAYMENTS = Endpoint(
    path="/api/v1/salesdata/payments.json",
    answer=dutch_dates(whole(list[PaymentGroup]), "book_date", "created_at"),
    scope="sales-export",
)
INSURANCES = Endpoint(
    path="/api/v1/stock-objects/insurance/list.json",
    answer=dutch_dates(whole(list[Insurance]), "created_at", "insurance_starting_date"),
    scope="sales-export",
)


class SalesData(Resource):
    """Lists for the bookkeeping. Every method can raise any `errors.RequestError`."""

    def transactions(
        self,
        *,
        date_field: DateField | None = None,
        date_start: date | None = None,
        date_end: date | None = None,
        only_booked_transactions: bool = False,
        store_id: int | None = None,
        dealer_ids: Sequence[int] | None = None,
        sales_order_ids: Sequence[int] | None = None,
        cursor: str | None = None,
    ) -> Paginator[Transaction]:
        """List invoices with their order, lines and bikes.

        Args:
            date_field: The date that the two days are about: "book_date" (the server's default),
                "modified_at" or "transaction_date".
            date_start: First day.
            date_end: Last day.
            only_booked_transactions: Leave pro-forma invoices out.
            store_id: Store within the account.
            dealer_ids: Dealers, for the account of a warehouse.
            sales_order_ids: Invoices of these sales orders; 25 at most.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filters: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        query = {
            "date_field": check_word("date_field", date_field, get_args(DateField)),
            **check_days("date_start", date_start, "date_end", date_end),
            "only_booked_transactions": only_booked_transactions or None,
            "store_id": None if store_id is None else check_id("store_id", store_id),
            "dealer_ids": check_ids("dealer_ids", dealer_ids),
            "sales_order_ids": check_ids("sales_order_ids", sales_order_ids, at_most=MOST_ORDERS),
        }
        return self._pages(TRANSACTIONS, query=query, cursor=cursor)

    def orders(
        self,
        modified_start: date | None = None,
        modified_end: date | None = None,
        *,
        store_id: int | None = None,
        include_deleted: bool = False,
        cursor: str | None = None,
    ) -> Paginator[OrderRow]:
        """List the lines of the sales orders that changed. An order without lines has one: `is_placeholder`.

        Args:
            modified_start: First day of the last change.
            modified_end: Last day of the last change, 31 days at most from the first.
            store_id: Store within the account.
            include_deleted: List deleted orders as well. They look cancelled.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filters: pass none.

        Raises:
            UsageError: The days are missing or too many, or the arguments do not go together. Raised at once,
                without a request.
        """
        query = {
            "store_id": None if store_id is None else check_id("store_id", store_id),
            **check_days(
                "modified_start", modified_start, "modified_end", modified_end, at_most=LONGEST_RANGE
            ),
            "include_deleted": 1 if include_deleted else None,
        }
        if cursor is None:
            _require(modified_start=modified_start, modified_end=modified_end)
        return self._pages(ORDERS, query=query, cursor=cursor)

    def proforma(self, *, cursor: str | None = None) -> Paginator[ProformaInvoice]:
        """List the invoices that are not booked yet.

        Args:
            cursor: `page.cursor` of an earlier page, to resume after it.

        Raises:
            UsageError: The cursor is from another list. Raised at once, without a request.
        """
        return self._pages(PROFORMA, cursor=cursor)

    async def payments(self, start_date: date, end_date: date) -> list[PaymentGroup]:
        """Return the payments of some days, by invoice or sales order.

        The answer has no pages. A month of a busy shop can take longer than the session's `timeout`: see
        `CycleSoftSession.with_options`.

        Args:
            start_date: First day.
            end_date: Last day, 31 days at most from the first.

        Raises:
            UsageError: The days are missing, too many, or the wrong way round.
        """
        return await self._fetch(PAYMENTS, query=_days(start_date, end_date))

    async def insurances(self, start_date: date, end_date: date) -> list[Insurance]:
        """Return the insurances that were sold in some days. The answer has no pages.

        Args:
            start_date: First day.
            end_date: Last day, 31 days at most from the first.

        Raises:
            UsageError: The days are missing, too many, or the wrong way round.
        """
        return await self._fetch(INSURANCES, query=_days(start_date, end_date))


def _require(**days: date | None) -> None:
    for name, day in days.items():
        if day is None:
            raise UsageError(f"{name} must be a date, got None")


def _days(start_date: date, end_date: date) -> dict[str, date | None]:
    _require(start_date=start_date, end_date=end_date)
    return check_days("start_date", start_date, "end_date", end_date, at_most=LONGEST_RANGE)
