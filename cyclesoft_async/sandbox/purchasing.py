"""Purchasing of the sandbox. Vendor pages: "Supplier orders", "Packing lists"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count, islice
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec import Struct

from .offset_pages import integer
from .orders.places import STORES
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .world.goods import SUPPLIERS, Article
from .world.overlay import Record
from .world.people import EMPLOYEES
from .world.world import World

_Body = TypeVar("_Body")
_REFUSING: Final = 112
"""The supplier that refuses every order, in words of its own."""
_HOST: Final = "https://s01.cyclesoftware.nl"
_DUTCH: Final = re.compile(r"(\d\d)-(\d\d)-(\d{4})(?: \d\d:\d\d)?", re.ASCII)
_DAYS: Final = 31
_LIST_ITEMS: Final = 4
_MAIN: Final = 12  # articles that the workshops use


class _Item(Struct):
    quantity: int
    article_id: str | None = None
    barcode: str | None = None


class _Order(Struct):
    supplier_id: int
    store_id: int
    items: list[_Item]
    own_reference: str | None = None


class _Dropshipment(Struct):
    supplier_id: int
    packinglist_number: str
    store_id: int
    send_customer_messages: bool = True
    update_sales_order_status_if_possible: bool = False
    ignore_already_processed: bool = False


class PurchasingApi:
    """Endpoints of the vendor pages "Supplier orders" and "Packing lists"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size
        self._orders: dict[int, Record] = {}
        self._ids = count(2_001)
        self._item_ids = count(10_001)
        self._processed: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        order = f"/api/v1/supplier/order/{{id:{ID}}}"
        orders = [
            web.post("/api/v1/supplier/order.json", self.create),
            web.get(f"{order}.json", self.get),
            web.post(f"{order}/send.json", self.send),
            web.post("/api/v1/supplier/packinglist/process-dropshipment.json", self.process_dropshipment),
        ]
        lists = [web.get("/api/v1/supplier/packinglists.json", self.packing_lists)]
        return [*scoped(orders, "e-commerce"), *scoped(lists, "resources")]

    async def create(self, request: web.Request) -> web.Response:
        """Create an order at a supplier."""
        body = await _read(request, _Order)
        _check(body.supplier_id, body.store_id)
        order: Record = {
            "supplier_order_id": next(self._ids),
            "supplier_id": body.supplier_id,
            "store_id": body.store_id,
            "order_type_id": 1,
            "status_id": 0,
            "supplier_comment": "",
            "own_reference": body.own_reference or "",
            "supplier_reference": "",
            "created_at": self._world.now(),
            "items": [self._item(item) for item in body.items],
        }
        self._orders[order["supplier_order_id"]] = order
        return json_response(request, order)

    async def get(self, request: web.Request) -> web.Response:
        """Get one order."""
        return json_response(request, self._order(request))

    async def send(self, request: web.Request) -> web.Response:
        """Send an order to its supplier, who may refuse it."""
        order = self._order(request)
        if order["supplier_id"] == _REFUSING:
            raise bad_request(f"{SUPPLIERS[_REFUSING]}: artikel niet leverbaar")
        if order["status_id"]:
            raise bad_request(f"Supplier order {order['supplier_order_id']} is sent already")
        order |= {"status_id": 1, "supplier_reference": f"S{order['supplier_order_id']}"}
        return json_response(request, order)

    async def process_dropshipment(self, request: web.Request) -> web.Response:
        """Process the packing list of a drop shipment. It does not add to the stock, as documented."""
        body = await _read(request, _Dropshipment)
        _check(body.supplier_id, body.store_id)
        number = body.packinglist_number
        if number in self._processed and not body.ignore_already_processed:
            raise bad_request(f"Packing list {number} is processed already")
        rows = [row for row in self._rows() if row["packinglist_number"] == number]
        if not rows:
            raise not_found("Packing list not found")
        self._processed.add(number)
        articles = [
            {
                "barcode": row["barcode"],
                "stock": self._world.goods.stock(row["barcode"], body.store_id),
                "units_delivered": row["quantity"],
            }
            for row in rows
        ]
        result = {
            "supplier_id": body.supplier_id,
            "packinglist_numbers": [number],
            "articles": articles,
            "delivered_objects": [],
            "sales_orders": [],
            "notifications": [],
        }
        return json_response(request, {"error": False, "error_message": None, "result": result})

    async def packing_lists(self, request: web.Request) -> web.Response:
        """List what the suppliers delivered in the last month. There is no `error`."""
        first, last = _day(request, "start_date"), _day(request, "end_date")
        offset = integer(request, "offset") or 0
        rows = (
            row
            for row in self._rows()
            if (first is None or row["created_at"][:10] >= first.isoformat())
            and (last is None or row["created_at"][:10] <= last.isoformat())
        )
        found = list(islice(rows, offset, offset + self._page_size + 1))
        after = offset + self._page_size if len(found) > self._page_size else None
        before = max(0, offset - self._page_size) if offset else None
        pagination = {"previous": _link(request, before), "next": _link(request, after)}
        return json_response(request, {"data": found[: self._page_size], "pagination": pagination})

    def _rows(self) -> Iterator[Record]:
        today = date.fromisoformat(self._world.now()[:10])
        articles = list(islice(self._world.goods.articles(), _MAIN))
        for number in range(_DAYS):
            day = today - timedelta(days=_DAYS - 1 - number)
            for item in range(_LIST_ITEMS):
                article = articles[(number + item) % len(articles)]
                yield _packing_row(day, number * _LIST_ITEMS + item, article)

    def _item(self, item: _Item) -> Record:
        return {
            "supplier_order_item_id": next(self._item_ids),
            "item_type_id": 1,
            "article_id": item.article_id or "",
            "barcode": item.barcode or "",
            "quantity": item.quantity,
            "quantity_delivered": 0,
            "quantity_open": item.quantity,
            "supplier_delivery_date": None,
            "supplier_item_reference": "",
        }

    def _order(self, request: web.Request) -> Record:
        found = self._orders.get(int(request.match_info["id"]))
        if found is None:
            raise not_found("Supplier order not found")
        return found


def _packing_row(day: date, number: int, article: Article) -> Record:
    store = STORES[day.toordinal() % len(STORES)]
    return {
        "supplier_packinglist_id": 1_000_000 + day.toordinal(),
        "supplier_packinglist_item_id": 8_000_000 + _LIST_ITEMS * day.toordinal() + number % _LIST_ITEMS,
        "store_id": store,
        "supplier_id": article.supplier_id,
        "supplier_name": SUPPLIERS[article.supplier_id],
        "packinglist_number": f"PB{day:%Y%m%d}",
        "supplier_order_id": 0,
        "employee_id": store,
        "employee_name": EMPLOYEES[store],
        "barcode": article.barcode,
        "article_id": article.barcode[-6:],
        "unit_purchase_price_ex_vat_cents": article.purchase_cents,
        "quantity": 1 + number % 3,
        "stock_object_id": None,
        "created_at": f"{day.isoformat()} 08:15:00",
    }


def _check(supplier_id: int, store_id: int) -> None:
    if supplier_id not in SUPPLIERS:
        raise bad_request(f"Unknown supplier: {supplier_id}")
    if store_id not in STORES:
        raise bad_request(f"Unknown store: {store_id}")


def _day(request: web.Request, name: str) -> date | None:
    value = request.query.get(name)
    if not value:
        return None
    found = _DUTCH.fullmatch(value)
    try:
        if found:
            return datetime.strptime(value[:10], "%d-%m-%Y").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        pass
    raise bad_request(f"{name} is not a day like 27-09-2025: {value}")


def _link(request: web.Request, offset: int | None) -> str | None:
    if offset is None:
        return None
    return f"{_HOST}{request.path}?{urlencode({**request.query, 'offset': str(offset)})}"


async def _read(request: web.Request, body: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=body)
    except msgspec.DecodeError as error:
        raise bad_request(str(error)) from error
