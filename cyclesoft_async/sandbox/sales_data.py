"""Sales data of the sandbox. Vendor page: "Sales data"."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from .offset_pages import day, integer, page
from .responses import bad_request, json_response
from .routing import scoped
from .times import dutch_day, dutch_moment
from .world.counter import CANCELLED
from .world.goods import INSURED
from .world.invoices import Invoice, InvoiceKey
from .world.overlay import Record
from .world.payments import INVOICE, METHODS, PSP, Payment, seeded_payment
from .world.sales_rows import order_rows, transaction
from .world.world import World

_LONGEST: Final = timedelta(days=31)
_MOST_ORDERS: Final = 25
_EARLIEST, _LATEST = "0001-01-01", "9999-12-31"
_DATE_FIELDS: Final = ("book_date", "modified_at", "transaction_date")


class SalesDataApi:
    """Endpoints of the vendor page "Sales data"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes. Pages of transactions name the path of version 2."""
        routes = [
            *(web.get(f"/api/v{n}/salesdata/transactions.json", self.transactions) for n in (2, 3)),
            web.get("/api/v1/invoices/proforma.json", self.proforma),
            web.get("/api/v2/salesdata/orders.json", self.orders),
            web.get("/api/v1/salesdata/payments.json", self.payments),
            web.get("/api/v1/stock-objects/insurance/list.json", self.insurances),
        ]
        return scoped(routes, "sales-export")

    async def transactions(self, request: web.Request) -> web.Response:
        """List invoices and credit notes. The answer has no `error`, as in the vendor's example."""
        field = request.query.get("date_field") or _DATE_FIELDS[0]
        if field not in _DATE_FIELDS:
            raise bad_request(f"date_field is invalid: {field}")
        only_booked = request.query.get("only_booked_transactions") in {"true", "1"}
        needs_booking = only_booked or field == _DATE_FIELDS[0]
        store_id = integer(request, "store_id")
        found = (
            invoice
            for invoice in self._invoices(request)
            if (invoice.is_final or not needs_booking) and store_id in {None, invoice.store_id}
        )
        rows = list(islice(found, self._page_size + 1))
        shown = rows[: self._page_size]
        url = None
        if len(rows) > self._page_size:
            query = {**request.query, "token": _token(shown[-1].key)}
            url = f"https://api.cyclesoftware.nl/api/v2/salesdata/transactions.json?{urlencode(query)}"
        payload = {
            "data": [transaction(self._world, invoice) for invoice in shown],
            "pagination": {"next_url": url},
        }
        return json_response(request, payload)

    async def proforma(self, request: web.Request) -> web.Response:
        """List the invoices that are not final."""
        found = (made for made in self._world.invoices.between(_EARLIEST, _LATEST) if not made.is_final)
        shown, offset = page(request, found, self._page_size)
        rows = [
            {
                "created_at": invoice.created_at,
                "customer_id": invoice.customer_id,
                "modified_at": invoice.created_at,
                "sales_order_id": invoice.sales_order_id,
                "sales_transaction_number": invoice.number,
                "store_id": invoice.store_id,
                "total_amount_cents": invoice.total_cents,
                "transaction_date": invoice.created_at[:10],
                "unpayed_amount_cents": self._world.payments.unpaid_cents(invoice),
            }
            for invoice in shown
        ]
        return json_response(request, {"data": rows, "pagination": {"next_offset": offset}})

    async def orders(self, request: web.Request) -> web.Response:
        """List the items of orders, one a row; an order without items has a row of its own."""
        first, last = _days(request, "modified_start", "modified_end")
        store_id = integer(request, "store_id")
        with_deleted = request.query.get("include_deleted") in {"1", "true"}
        orders = (
            order
            for order in self._world.sales_orders.modified_between(first, last)
            if store_id in {None, order["store_id"]} and (with_deleted or order["status_id"] != CANCELLED)
        )
        rows, offset = page(request, (row for order in orders for row in order_rows(order)), self._page_size)
        payload = {"data": rows, "pagination": {"count": len(rows), "next_offset": offset}}
        return json_response(request, payload)

    async def payments(self, request: web.Request) -> web.Response:
        """List the payments of some days by invoice, with times like 01-04-2022 10:09:26."""
        first, last = _days(request, "start_date", "end_date")
        groups: dict[int, list[Payment]] = {}
        for invoice in self._world.invoices.between(first, last):
            payment = seeded_payment(invoice)
            if payment:
                groups[invoice.number] = [payment]
        rows: list[Record] = []
        for payment in self._world.payments.added_between(first, last):
            if payment.entity_type_id == INVOICE:
                groups.setdefault(payment.entity_id, []).append(payment)
            else:
                rows.append(self._advance(payment))
        rows += [self._group(number, payments) for number, payments in groups.items()]
        return json_response(request, rows)

    async def insurances(self, request: web.Request) -> web.Response:
        """List the insurances of bikes that were sold on some days, with days like 01-04-2022."""
        first, last = _days(request, "start_date", "end_date")
        found = self._world.counter.between(first, last)
        indices = [index for index in found if index % INSURED == 0]
        return json_response(request, [self._insurance(index // INSURED) for index in indices])

    def _invoices(self, request: web.Request) -> Iterator[Invoice]:
        orders = request.query.get("sales_order_ids")
        first, last = day(request, "date_start"), day(request, "date_end")
        start = _EARLIEST if first is None else first.isoformat()
        end = _LATEST if last is None else last.isoformat()
        after = _key(request.query.get("token"))
        if not orders:
            return self._world.invoices.between(start, end, after)
        ids = orders.split(",")
        if len(ids) > _MOST_ORDERS or not all(id_.isdecimal() for id_ in ids):
            raise bad_request("sales_order_ids must be at most 25 ids")
        found = [made for id_ in ids for made in self._world.invoices.of_order(int(id_))]
        within = (made for made in found if start <= made.created_at[:10] <= end)
        return iter(sorted((made for made in within if after is None or made.key > after), key=_key_of))

    def _group(self, number: int, payments: list[Payment]) -> Record:
        invoice = self._world.invoice(number)
        order = self._world.sales_order(invoice.sales_order_id)
        return _payment_row(order, payments) | {
            "customer_id": invoice.customer_id,
            "invoice_number": number,
            "related_to_invoice_number": invoice.credits or None,
        }

    def _advance(self, payment: Payment) -> Record:
        order = self._world.sales_order(payment.entity_id)
        return _payment_row(order, [payment]) | {"invoice_number": order["invoice_number"] or None}

    def _insurance(self, number: int) -> Record:
        goods = self._world.goods
        bike = goods.bikes.get(goods.sold[number])
        order = goods.counter_order_of(bike["stock_object_id"])
        at = dutch_day(date.fromisoformat(order["datetime_created"][:10]))
        price = bike["object"]["sales_price_cents"]
        return {
            "insurance_id": 1_168_001 + number,
            "customer_id": bike["customer_id"],
            "created_at": at,
            "stock_object_id": bike["stock_object_id"],
            "insurance_company": ("UNIGARANT", "KING")[number % 2],
            "reference_id": "0",
            "policy_number": str(143_000_000 + number),
            "insurance_starting_date": at,
            "description": "E-bike casco compleet jaarpremie",
            "policy_costs": 968,
            "insured_amount": price,
            "premium_amount": price * 4 // 100,
        }


def _payment_row(order: Record, payments: list[Payment]) -> Record:
    return {
        "customer_id": order["customer_id"],
        "invoice_number": None,
        "related_to_invoice_number": None,
        "sales_order_id": order["sales_order_id"],
        "ecommerce_reference_text": order["order_reference_text"] or None,
        "ecommerce_reference_id": order["order_reference_id"] or None,
        "payments": [
            {
                "payment_id": payment.payment_id,
                "store_id": order["store_id"],
                "book_location_id": order["store_id"],
                "method": METHODS[payment.method_id],
                "method_id": payment.method_id,
                "amount_cents": payment.amount_cents,
                "book_date": dutch_moment(payment.at),
                "created_at": dutch_moment(payment.at),
            }
            for payment in payments
        ],
        "psp": [
            {
                "psp_reference": f"17{payment.payment_id}X",
                "psp_reference_2": f"{payment.payment_id:040x}",
                "amount_cents": payment.amount_cents,
            }
            for payment in payments
            if payment.method_id == PSP
        ],
    }


def _days(request: web.Request, start: str, end: str) -> tuple[str, str]:
    """Return two days of the query, at most 31 apart.

    Raises:
        ApiError: One is missing or no day, or they are too far apart.
    """
    first, last = day(request, start), day(request, end)
    if first is None or last is None or not first <= last <= first + _LONGEST:
        raise bad_request(f"{start} and {end} must be days, at most 31 days apart")
    return first.isoformat(), last.isoformat()


def _token(key: InvoiceKey) -> str:
    return urlsafe_b64encode(f"{key[0]}|{key[1]}".encode()).decode()


def _key(token: str | None) -> InvoiceKey | None:
    if not token:
        return None
    try:
        at, _, number = urlsafe_b64decode(token).decode().partition("|")
        return at, int(number)
    except ValueError as error:
        raise bad_request("token is invalid") from error


def _key_of(invoice: Invoice) -> InvoiceKey:
    return invoice.key
