"""Endpoints of the sandbox.

Vendor page: "Workshop orders".
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from aiohttp import web

from .orders.awkward import AwkwardLists
from .orders.invoicing import invoice, read_invoice_request
from .orders.mutations import create, update, with_modification_time, write_response
from .orders.query import next_url, read_cursor, read_filters
from .orders.repository import OrderRepository
from .orders.schema import Order
from .responses import json_response, not_found
from .times import wall_text

CREATE_INVOICES = "create-invoices"
PAGE_SIZE_FACTOR: Final[ContextVar[int]] = ContextVar("PAGE_SIZE_FACTOR", default=1)
"""Multiplies the rows of the list's pages; set by the fault HUGE_PAGE."""

_ID = "[0-9]{1,18}"
_ORDERS_OF_CUSTOMER = f"/api/v1/customers/{{customer_id:{_ID}}}/workshop-order"
_ORDER_OF_CUSTOMER = f"{_ORDERS_OF_CUSTOMER}/{{order_id:{_ID}}}.json"


class Api:
    """Endpoints of the vendor page "Workshop orders".

    Attributes:
        messages_sent: Messages that real customers would have received.
    """

    def __init__(
        self,
        repository: OrderRepository,
        *,
        page_size: int,
        clock: Callable[[], float],
        lists: AwkwardLists,
    ) -> None:
        self.messages_sent = 0
        self._repository = repository
        self._page_size = page_size
        self._clock = clock
        self._lists = lists
        self._messaged_orders: set[int] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes. A route with a rate limit of its own has a name."""
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
        """List orders. A result of one order is that order itself, as in the vendor's example."""
        query = dict(request.query.items())  # the last value of a repeated name wins, as in PHP
        after = read_cursor(query)
        self._lists.move_one(self._repository, self._now())
        orders, last = self._repository.page(
            read_filters(query), after, self._page_size * PAGE_SIZE_FACTOR.get(), self._lists.order
        )
        if self._lists.hidden:
            orders = [order for order in orders if order["workshop_order_id"] not in self._lists.hidden]
        if last is not None and self._lists.loses_next_url():
            last = None
        alone = after is None and len(orders) == 1 and last is None
        payload: dict[str, object] = {
            "error": False,
            "error_message": None,
            "data": orders[0] if alone else orders,
            "pagination": {"next_url": None if last is None else next_url(request.path, query, last)},
        }
        return json_response(request, payload)

    async def get(self, request: web.Request) -> web.Response:
        """Get one order of a customer."""
        return json_response(request, self._order_of_customer(request))

    async def create(self, request: web.Request) -> web.Response:
        """Create an order for the customer in the path."""
        raw = await request.read()
        order = create(
            raw,
            customer_id=int(request.match_info["customer_id"]),
            order_id=self._repository.next_order_id(),
            now=self._now(),
        )
        self._repository.save(order)
        return json_response(request, write_response(order))

    async def update(self, request: web.Request) -> web.Response:
        """Update an order. Its customer gets a message about a new status only if the query says `true`."""
        raw = await request.read()
        before = self._order_of_customer(request)
        after = update(before, raw, now=self._now())
        self._repository.save(after)
        if (
            request.query.get("send_customer_messages") == "true"
            and after["status_id"] != before["status_id"]
        ):
            self._message_customer(after)
        return json_response(request, write_response(after))

    async def create_invoices(self, request: web.Request) -> web.Response:
        """Invoice the order's open lines. Nothing left to invoice is an error, not an empty list."""
        options = read_invoice_request(request.content_type, await request.read())
        order = self._order(request)
        is_messaged = options.customer_messages and (
            options.allow_resend_messages or order["workshop_order_id"] not in self._messaged_orders
        )
        invoices = invoice(
            order, options, is_messaged=is_messaged, next_number=self._repository.next_invoice_number
        )
        self._repository.save(with_modification_time(order, self._now()))
        if any(made["sent_messages"]["phone_message"] for made in invoices):
            self._message_customer(order)
        return json_response(request, {"error": False, "error_message": None, "invoices": invoices})

    def _order(self, request: web.Request) -> Order:
        order = self._repository.find(int(request.match_info["order_id"]))
        if order is None:
            raise not_found("Workshop order not found")
        return order

    def _order_of_customer(self, request: web.Request) -> Order:
        order = self._order(request)
        if order["customer_id"] != int(request.match_info["customer_id"]):
            raise not_found("Workshop order not found")
        return order

    def _message_customer(self, order: Order) -> None:
        self.messages_sent += 1
        self._messaged_orders.add(order["workshop_order_id"])

    def _now(self) -> str:
        return wall_text(self._clock())
