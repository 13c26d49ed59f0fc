"""Endpoints of the sandbox.

Vendor page: "Workshop orders".
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from aiohttp import web

from .orders.awkward import AwkwardLists
from .orders.invoicing import read_invoice_request
from .orders.mutations import write_response
from .orders.query import next_url, read_cursor, read_filters
from .orders.schema import Order
from .responses import json_response, not_found
from .routing import ID, scoped
from .world.world import World

CREATE_INVOICES = "create-invoices"
PAGE_SIZE_FACTOR: Final[ContextVar[int]] = ContextVar("PAGE_SIZE_FACTOR", default=1)
"""Multiplies the rows of the list's pages; set by the fault HUGE_PAGE."""

_ORDERS_OF_CUSTOMER = f"/api/v1/customers/{{customer_id:{ID}}}/workshop-order"
_ORDER_OF_CUSTOMER = f"{_ORDERS_OF_CUSTOMER}/{{order_id:{ID}}}.json"


class Api:
    """Endpoints of the vendor page "Workshop orders"."""

    def __init__(self, world: World, *, page_size: int, lists: AwkwardLists) -> None:
        self._world = world
        self._orders = world.orders
        self._page_size = page_size
        self._lists = lists

    def routes(self) -> list[web.RouteDef]:
        """Return the routes. A route with a rate limit of its own has a name."""
        routes = [
            web.get("/api/v1/workshop/orders.json", self.list),
            web.post(f"{_ORDERS_OF_CUSTOMER}.json", self.create),
            web.get(_ORDER_OF_CUSTOMER, self.get),
            web.put(_ORDER_OF_CUSTOMER, self.update),
            web.post(
                f"/api/v1/workshop/orders/{{order_id:{ID}}}/create-invoices.json",
                self.create_invoices,
                name=CREATE_INVOICES,
            ),
        ]
        return scoped(routes, "resources")

    async def list(self, request: web.Request) -> web.Response:
        """List orders. A result of one order is that order itself, as in the vendor's example."""
        query = dict(request.query.items())  # the last value of a repeated name wins, as in PHP
        after = read_cursor(query)
        self._lists.move_one(self._orders, self._world.now())
        orders, last = self._orders.page(
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
        customer_id = int(request.match_info["customer_id"])
        order = self._world.create_order(customer_id, await request.read())
        return json_response(request, write_response(order))

    async def update(self, request: web.Request) -> web.Response:
        """Update an order. Its customer gets a message about a new status only if the query says `true`."""
        before = self._order_of_customer(request)
        after = self._world.update_order(before, await request.read())
        if (
            request.query.get("send_customer_messages") == "true"
            and after["status_id"] != before["status_id"]
        ):
            self._world.invoicing.message_customer(after["sales_order_id"])
        return json_response(request, write_response(after))

    async def create_invoices(self, request: web.Request) -> web.Response:
        """Invoice the order's open lines. Nothing left to invoice is an error, not an empty list."""
        options = read_invoice_request(request.content_type, await request.read())
        invoices = self._world.invoicing.invoice_workshop(self._order(request), options)
        return json_response(request, {"error": False, "error_message": None, "invoices": invoices})

    def _order(self, request: web.Request) -> Order:
        order = self._orders.find(int(request.match_info["order_id"]))
        if order is None:
            raise not_found("Workshop order not found")
        return order

    def _order_of_customer(self, request: web.Request) -> Order:
        order = self._order(request)
        if order["customer_id"] != int(request.match_info["customer_id"]):
            raise not_found("Workshop order not found")
        return order
