"""Sales orders of the sandbox. Vendor page: "Sales orders"."""

from __future__ import annotations

from itertools import count
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from .api import CREATE_INVOICES
from .offset_pages import integer
from .orders.invoicing import read_invoice_request
from .orders.mutations import with_modification_time
from .orders.places import STORES
from .responses import bad_request, json_response
from .routing import ID, scoped
from .world.counter import CANCELLATIONS, CANCELLED, DELIVERY_METHODS, STATUSES
from .world.overlay import Record
from .world.world import World

_Body = TypeVar("_Body")
_ADDRESS: Final = {
    "company_name": "company_name",
    "name": "name",
    "street": "street",
    "housenumber": "house_number",
    "housenumber_postfix": "house_number_postfix",
    "postcode": "postal_code",
    "city": "city",
    "country": "country_code",
    "country_code_iso_3166": "country_code",
    "phone_number": "phone_number",
    "email": "email",
    "remarks": "notes",
}
"""Names of an address in events, and in requests."""
TRANSFER_MODES: Final = {1: "Reserveren", 2: "Bestellen"}
"""Modes of the items of an order that moves to another store."""


class _Address(Struct):
    is_business_address: bool | int | str | None = None
    company_name: str | None = None
    name: str | None = None
    street: str | None = None
    house_number: str | None = None
    house_number_postfix: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country_code: str | None = None
    phone_number: str | None = None
    email: str | None = None
    notes: str | None = None


class _Item(Struct):
    item_id: int
    mode: int


class _Delivery(Struct):
    new_delivery_method_id: int | None = None
    new_delivery_address: _Address | None = None


class _Transfer(_Delivery):
    to_store_id: int = 0
    default_mode: int = 1
    items: list[_Item] | None = None


class SalesOrdersApi:
    """Endpoints of the vendor page "Sales orders"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._addresses = count(91_001)
        self._store_orders = count(45_001)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        order = f"/api/v1/sales/orders/{{sales_order_id:{ID}}}"
        routes = [
            web.post(f"{order}/update-store.json", self.update_store),
            web.post(f"{order}/update-delivery-method.json", self.update_delivery_method),
            web.post(f"{order}/cancel.json", self.cancel),
            web.post(f"{order}/create-invoices.json", self.create_invoices, name=f"sales-{CREATE_INVOICES}"),
        ]
        return scoped(routes, "e-commerce")

    async def update_store(self, request: web.Request) -> web.Response:
        """Move an order to another store, with a delivery between the stores."""
        order = self._open_order(request)
        given = await _read(request, _Transfer)
        store = given.to_store_id
        if store not in STORES:
            raise bad_request(f"Unknown store: {store}")
        if not {given.default_mode, *(item.mode for item in given.items or ())} <= TRANSFER_MODES.keys():
            raise bad_request("Unknown transfer mode")
        changes = self._delivery(order, given) | {"store_id": store}
        store_order_id = next(self._store_orders)
        self._save(order, changes)
        self._world.notices.store_order_created(store_order_id, order, to_store=store)
        payload: Record = {
            "error": False,
            "error_message": None,
            "created_store_order_id": store_order_id,
            "affected_supplier_order_ids": [],
            "cancelled_store_order_ids": [],
            "cancelled_supplier_order_ids": [],
            "updated_outbound_order_ids": [],
        }
        return json_response(request, payload)

    async def update_delivery_method(self, request: web.Request) -> web.Response:
        """Change how an order reaches its customer."""
        order = self._open_order(request)
        self._save(order, self._delivery(order, await _read(request, _Delivery)))
        address = self._world.delivery_addresses.get(order["sales_order_id"])
        payload = {
            "error": False,
            "error_message": None,
            "created_delivery_address_id": None if address is None else address["delivery_address_id"],
        }
        return json_response(request, payload)

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel an order that has neither payments nor an invoice. The request has no body."""
        order = self._open_order(request)
        order_id = order["sales_order_id"]
        cancellation = integer(request, "cancellation_type_id")
        if cancellation not in CANCELLATIONS:
            raise bad_request(f"Unknown cancellation type: {cancellation}")
        if order["has_invoice"] or self._world.payments.of_order(order_id):
            raise bad_request(f"Sales order {order_id} has payments or an invoice")
        changes = {
            "status_id": CANCELLED,
            "status_text": STATUSES[CANCELLED],
            "cancellation_type_id": cancellation,
            "cancellation_description": CANCELLATIONS[cancellation],
        }
        self._save(order, changes, name="sales_order.deleted")
        return json_response(request, {"error": False, "error_message": None})

    async def create_invoices(self, request: web.Request) -> web.Response:
        """Invoice the order's open lines."""
        raw = await request.read()
        options = read_invoice_request(request.content_type, raw, "order_status_id")
        order_id = int(request.match_info["sales_order_id"])
        invoices = self._world.invoicing.invoice_sales(order_id, options)
        return json_response(request, {"error": False, "error_message": None, "invoices": invoices})

    def _open_order(self, request: web.Request) -> Record:
        order = self._world.sales_order(int(request.match_info["sales_order_id"]))
        if order["status_id"] == CANCELLED:
            raise bad_request(f"Sales order {order['sales_order_id']} is cancelled")
        return order

    def _delivery(self, order: Record, given: _Delivery) -> Record:
        """Read delivery method and address of a request; keep the address."""
        address = given.new_delivery_address
        if address is not None:
            self._world.delivery_addresses[order["sales_order_id"]] = {
                "delivery_address_id": next(self._addresses),
                "customer_id": order["customer_id"],
                "is_business": address.is_business_address in {True, "1"},
                **{name: getattr(address, of) or "" for name, of in _ADDRESS.items()},
            }
        method = given.new_delivery_method_id
        if method is None:
            return {}
        if method not in DELIVERY_METHODS:
            raise bad_request(f"Unknown delivery method: {method}")
        return {
            "delivery_method_id": method,
            "delivery_method_description": DELIVERY_METHODS[method],
            "ship_to_customer": bool(method),
        }

    def _save(self, order: Record, changes: Record, *, name: str = "sales_order.updated") -> None:
        order_id = order["sales_order_id"]
        workshop = self._world.orders.find(order_id)
        if workshop is None:
            self._world.save_at_counter(order | changes, name=name)
            return
        self._world.sales_orders.set_sales_side(order_id, **changes)
        workshop["store_id"] = changes.get("store_id", workshop["store_id"])
        workshop["delivery_method_id"] = changes.get("delivery_method_id", workshop["delivery_method_id"])
        workshop["is_active"] = workshop["is_active"] and name != "sales_order.deleted"
        self._world.orders.save(with_modification_time(workshop, self._world.now()))


async def _read(request: web.Request, body: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=body)
    except msgspec.DecodeError as error:
        raise bad_request(str(error)) from error
