"""The endpoints: each reads its request, asks the book, and answers.

Vendor page: "Workshop orders".
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from aiohttp import web

from .orders.invoicing import invoice, read_wish
from .orders.mutations import as_written, create, touched, update
from .orders.query import next_url, read_cursor, read_filters
from .orders.repository import Book
from .orders.schema import Order
from .responses import answer, not_found
from .times import wall_text

CREATE_INVOICES = "create-invoices"
PAGES_IN_ONE: Final[ContextVar[int]] = ContextVar("PAGES_IN_ONE", default=1)
"""How many pages of rows one page of the list has."""

_ID = "[0-9]{1,18}"
_ORDERS_OF_CUSTOMER = f"/api/v1/customers/{{customer_id:{_ID}}}/workshop-order"
_ORDER_OF_CUSTOMER = f"{_ORDERS_OF_CUSTOMER}/{{order_id:{_ID}}}.json"


class Api:
    """The workshop orders chapter.

    Attributes:
        messages_sent: Messages that real customers would have got.
    """

    def __init__(self, book: Book, *, page_size: int, clock: Callable[[], float]) -> None:
        self.messages_sent = 0
        self._book = book
        self._page_size = page_size
        self._clock = clock
        self._told: set[int] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the paths served; a route has a name if it has a quota of its own."""
        return [
            web.get("/api/v1/workshop/orders.json", self.list),
            web.post(f"{_ORDERS_OF_CUSTOMER}.json", self.create),
            web.get(_ORDER_OF_CUSTOMER, self.get),
            web.put(_ORDER_OF_CUSTOMER, self.update),
            web.post(
                f"/api/v1/workshop/orders/{{order_id:{_ID}}}/create-invoices.json",
                self.create_invoices,
                name=CREATE_INVOICES,
            ),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """List orders; a result of one order is that order itself, as in the vendor's example."""
        query = dict(request.query.items())  # of a name given twice the last counts, as in PHP
        after = read_cursor(query)
        orders, last = self._book.page(read_filters(query), after, self._page_size * PAGES_IN_ONE.get())
        alone = after is None and len(orders) == 1 and last is None
        payload: dict[str, object] = {
            "error": False,
            "error_message": None,
            "data": orders[0] if alone else orders,
            "pagination": {"next_url": None if last is None else next_url(request.path, query, last)},
        }
        return answer(request, payload)

    async def get(self, request: web.Request) -> web.Response:
        """Get one order of a customer."""
        return answer(request, self._order_of_customer(request))

    async def create(self, request: web.Request) -> web.Response:
        """Create an order for the customer in the path."""
        raw = await request.read()
        order = create(
            raw,
            customer_id=int(request.match_info["customer_id"]),
            order_id=self._book.next_order_id(),
            now=self._now(),
        )
        self._book.keep(order)
        return answer(request, as_written(order))

    async def update(self, request: web.Request) -> web.Response:
        """Change an order; its customer is told of another status only if the query says `true`."""
        raw = await request.read()
        before = self._order_of_customer(request)
        after = update(before, raw, now=self._now())
        self._book.keep(after)
        if (
            request.query.get("send_customer_messages") == "true"
            and after["status_id"] != before["status_id"]
        ):
            self._tell_customer(after)
        return answer(request, as_written(after))

    async def create_invoices(self, request: web.Request) -> web.Response:
        """Invoice what is not invoiced yet; when there is nothing, that is an error and not an empty list."""
        wish = read_wish(request.content_type, await request.read())
        order = self._order(request)
        told = wish.customer_messages and (
            wish.allow_resend_messages or order["workshop_order_id"] not in self._told
        )
        invoices = invoice(order, wish, told=told, next_number=self._book.next_invoice_number)
        self._book.keep(touched(order, self._now()))
        if any(made["sent_messages"]["phone_message"] for made in invoices):
            self._tell_customer(order)
        return answer(request, {"error": False, "error_message": None, "invoices": invoices})

    def _order(self, request: web.Request) -> Order:
        order = self._book.find(int(request.match_info["order_id"]))
        if order is None:
            raise not_found("Workshop order not found")
        return order

    def _order_of_customer(self, request: web.Request) -> Order:
        order = self._order(request)
        if order["customer_id"] != int(request.match_info["customer_id"]):
            raise not_found("Workshop order not found")
        return order

    def _tell_customer(self, order: Order) -> None:
        self.messages_sent += 1
        self._told.add(order["workshop_order_id"])

    def _now(self) -> str:
        return wall_text(self._clock())
