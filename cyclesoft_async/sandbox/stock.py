"""Stock of the sandbox: articles, bikes in stock, bikes for rent.

Vendor pages: "Stock info", "Stock list", "Stock objects", "Rental".
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from .orders.places import STORES
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .times import dutch_day
from .world.goods import STATUSES, stocked_at
from .world.notices import ACCOUNT, dealer_id
from .world.overlay import Record
from .world.world import World

_MOST_UPDATES: Final = 150
_MOST_BARCODES: Final = 10
_READ_ONLY: Final = ("stock_object_id", "store_id", "brand_name")
_GROUPS: Final = {"article_main_group", "article_group", "article_sub_group"}
_UNASKED: Final = "8714181234013"
"""The barcode that every stock info answers as well, as in the vendor's example."""
_IMPOSSIBLE: Final = "2021-01-01T12:00:99"


class _Filter(Struct):
    barcode: str | None = None
    stock_object_ids: list[int] | None = None


class StockApi:
    """Endpoints of the vendor pages "Stock info", "Stock list", "Stock objects" and "Rental"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._goods = world.goods

    def routes(self) -> list[web.RouteDef]:
        """Return the routes. The page of one stock object names no scope."""
        info = [web.get("/app/api/v3/stockinfo/{barcodes:.+}/", self.info)]
        return [
            *scoped(info, "e-commerce"),
            *scoped([web.get("/api/v1/stock/pos-items.json", self.pos_items)], "stock-export"),
            web.get(f"/api/v1/stock-objects/{{stock_object_id:{ID}}}.json", self.get),
            *scoped([web.patch("/api/v1/stock-objects/batch/update.json", self.batch_update)], "resources"),
            *scoped([web.get("/api/v1/rental/objects.json", self.rental)], "rental"),
        ]

    async def info(self, request: web.Request) -> web.Response:
        """Return the stock of some barcodes, in another order and with one more that was not asked for."""
        barcodes = request.match_info["barcodes"].split("/")
        shown = [barcode for barcode in reversed(barcodes) if barcode != _UNASKED] + [_UNASKED]
        with_supplier = len(barcodes) <= _MOST_BARCODES
        items = [
            item for barcode in shown if (item := self._stock_info(barcode, with_supplier=with_supplier))
        ]
        payload = {"error": False, "error_message": "", "data": {"result_items": items}}
        return json_response(request, payload)

    async def pos_items(self, request: web.Request) -> web.Response:
        """List the bikes that the stores have or sold."""
        data = [_pos_item(bike) for bike in self._goods.bikes]
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def get(self, request: web.Request) -> web.Response:
        """Get one bike in stock."""
        found = self._goods.bikes.find(int(request.match_info["stock_object_id"]))
        if found is None:
            raise not_found("Stock object not found")
        return json_response(request, found)

    async def batch_update(self, request: web.Request) -> web.Response:
        """Change bikes in stock. An update that fails is a result with an error, under 200."""
        results = [result for update in await read_updates(request) for result in self._updated(update)]
        return json_response(request, {"results": results})

    async def rental(self, request: web.Request) -> web.Response:
        """List the bikes for rent. An image of the first one has an impossible time, as in the example."""
        bikes = [bike for bike in self._goods.bikes if bike["status"]["is_rental"]]
        return json_response(request, [_rental(bike, is_first=bike is bikes[0]) for bike in bikes])

    def _stock_info(self, barcode: str, *, with_supplier: bool) -> Record | None:
        article = self._goods.article(barcode)
        bikes = list(self._goods.bikes_like(barcode))
        if article is None and not bikes:
            return None
        stores = [
            _store(self._goods.stock(barcode, store) if article else 0, bikes, store) for store in STORES
        ]
        quantity = sum(store["quantity"] for store in stores)
        expected = [day for store in stores for day in store["delivery_dates"]]
        return {
            "barcode": barcode,
            "stock_available": quantity > 0,
            "delivery_date": expected[0] if expected and not quantity else None,
            "stock_supplier": True if with_supplier else None,
            "stock_quantity": quantity,
            "stock_stores": stores,
            "article_id": barcode,
        }

    def _updated(self, update: Record) -> list[Record]:
        try:
            wanted = msgspec.convert(update.get("filter"), _Filter)
        except msgspec.ValidationError as error:
            raise bad_request(str(error)) from error
        if wanted.stock_object_ids is not None:
            return [self._update_one(id_, update) for id_ in wanted.stock_object_ids]
        found = [bike["stock_object_id"] for bike in self._goods.bikes_like(wanted.barcode or "")]
        if not found:
            return [
                _failed({"barcode": wanted.barcode}, f"Object with barcode {wanted.barcode} is not found")
            ]
        return [self._update_one(id_, update) | {"barcode": wanted.barcode} for id_ in found]

    def _update_one(self, stock_object_id: int, update: Record) -> Record:
        key = {"stock_object_id": stock_object_id}
        bike = self._goods.bikes.find(stock_object_id)
        if bike is None:
            return _failed(key, f"Object with number {stock_object_id} is not found")
        if bike["status"]["is_sold"] or bike["status"]["is_used"]:
            return _failed(key, f"Object with number {stock_object_id} is sold or used")
        given = {name: value for name, value in update.items() if name != "filter"}
        skipped = skipped_fields(given, bike["object"])
        warnings = group_warnings(given)
        if warnings:
            skipped += sorted(_GROUPS & given.keys())
        taken = {name: value for name, value in given.items() if name not in skipped}
        bike["object"] |= taken
        for name in ("is_reserved", "is_demo"):
            bike["status"][name] = bike["object"][name]
        self._goods.bikes.save(stock_object_id, bike)
        result = "partial" if skipped else "success"
        return key | {
            "result": result,
            "object": bike["object"],
            "skipped_fields": skipped,
            "warnings": warnings,
        }


async def read_updates(request: web.Request) -> list[dict[str, Any]]:
    """Return the updates of a batch.

    Raises:
        ApiError: The body has none, or more than 150.
    """
    try:
        body = msgspec.json.decode(await request.read(), type=dict[str, list[dict[str, Any]]])
    except msgspec.DecodeError as error:
        raise bad_request(str(error)) from error
    updates = body.get("updates", [])
    if not 0 < len(updates) <= _MOST_UPDATES:
        raise bad_request(f"updates must be 1 to {_MOST_UPDATES}")
    return updates


def skipped_fields(given: Record, known: Record) -> list[str]:
    """Return the fields that a batch can't set: read-only and unknown ones, and those of another type."""
    return [
        name
        for name, value in given.items()
        if name not in known or name in _READ_ONLY or not _fits(value, known[name])
    ]


def group_warnings(given: Record) -> list[Record]:
    """Return the warnings, in Dutch, of a batch that names some but not all of the article groups."""
    named = _GROUPS & given.keys()
    if not named or named == _GROUPS:
        return []
    message = "Hoofdgroep, groep en subgroep moeten samen worden opgegeven"
    return [{"field": name, "message": f"{name}: {message}"} for name in sorted(named)]


def _fits(value: object, known: object) -> bool:
    if value is None or known is None:
        return True
    if isinstance(known, bool) or isinstance(value, bool):
        return isinstance(known, bool) and isinstance(value, bool)
    if isinstance(known, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(known))


def _failed(key: Record, message: str) -> Record:
    return key | {
        "result": "error",
        "error": {"message": message},
        "skipped_fields": [],
        "warnings": [],
    }


def _store(articles: int, bikes: list[Record], store_id: int) -> Record:
    here = [bike for bike in bikes if bike["store_id"] == store_id]
    statuses = [_status(bike) for bike in here]
    quantities = {f"quantity_{name}": statuses.count(name) for name in dict.fromkeys(STATUSES)}
    quantities["quantity_new"] += articles
    expected = sorted({bike["status"]["expected_at"] for bike in here} - {None})
    return {
        "dealer_id": dealer_id(store_id),
        "store_name": f"Winkel {store_id}",
        "store_phone": f"030000000{store_id}",
        "quantity": sum(quantities.values()) - quantities["quantity_expected"],
        **quantities,
        "objects": [_stocked(bike, status) for bike, status in zip(here, statuses, strict=True)],
        "delivery_dates": [_dutch(day) for day in expected],
    }


def _stocked(bike: Record, status: str) -> Record:
    stocked = {"object_id": bike["stock_object_id"], "status": status}
    expected = bike["status"]["expected_at"]
    return stocked | ({"delivery_date": _dutch(expected)} if expected else {})


def _status(bike: Record) -> str:
    status = bike["status"]
    if status["expected_at"]:
        return "expected"
    return next((name for name in ("demo", "used", "rental") if status[f"is_{name}"]), "new")


def _dutch(iso: str) -> str:
    return dutch_day(date.fromisoformat(iso))


def _pos_item(bike: Record) -> Record:
    item, status = bike["object"], bike["status"]
    return {
        "account_id": ACCOUNT,
        "store_id": bike["store_id"],
        "object_id": bike["stock_object_id"],
        "sales_order_id": bike["sales_order_id"] or 0,
        "supplier": item["brand_name"],
        "article_id": item["article_id"],
        "barcode": item["barcode"],
        "description": item["description"],
        "frame_id": bike["identification"]["frame_number"],
        "purchase_price_cents": item["purchase_price_cents"],
        "dealer_rrp_cents": item["rrp_cents"],
        "is_sold_to_customer": status["is_sold"],
        "is_demo": status["is_demo"],
        "is_used": status["is_used"],
        "has_invoice": False,
        "stocked_at": stocked_at(bike["stock_object_id"]).isoformat(),
        "custom_variable_1": item["custom_variable_1"],
        "is_deleted": False,
        "is_rental": status["is_rental"],
        "is_new": _status(bike) == "new",
    }


def _rental(bike: Record, *, is_first: bool) -> Record:
    item, identification = bike["object"], bike["identification"]
    return {
        "code": f"F{bike['store_id']}-{bike['stock_object_id']}",
        "account_id": ACCOUNT,
        "article_id": item["article_id"],
        "barcode": item["barcode"],
        "store_id": bike["store_id"],
        "stock_object_id": bike["stock_object_id"],
        "is_elo": "E-" in item["model_name"],
        "is_moped": False,
        "category_name": "Stadsfietsen",
        "dst_main_id": item["article_main_group"],
        "dst_sub_id": item["article_group"],
        "dst_sub_sub_id": item["article_sub_group"],
        "is_reserved": item["is_reserved"],
        "is_demo": item["is_demo"],
        "is_rental": True,
        "brand_name": item["brand_name"],
        "frame_type": item["frame_type"],
        "brakes_or_transmission": "",
        "name_brakes": "",
        "object_barcode": f"F.{bike['stock_object_id']}",
        "model_name": item["model_name"],
        "color": item["color"],
        "gears": str(item["gear_count"]),
        "year_description": str(item["model_year"]),
        "size": "",
        "frame_height": str(item["frame_height"]),
        "wheel_size": str(item["wheel_size"]),
        "frame_size_supplier": "",
        "tyre_size": "",
        "customer_group": item["customer_group"],
        "material_description": item["frame_material"],
        "basic_color": item["primary_color"],
        "basic_color_secondary": item["secondary_color"],
        "frame_number": identification["frame_number"],
        "chip_number": "",
        "lock_number": identification["lock_number"],
        "key_number": identification["key_number"],
        "license_plate_number": identification["license_plate_number"],
        "engine_number": identification["engine_number"],
        "battery_number": identification["battery_number"],
        "images": [_image()] if is_first else [],
    }


def _image() -> Record:
    url = "https://images.example.nl"
    return {
        "date_modified": _IMPOSSIBLE,
        "url_thumb": f"{url}/thumb.jpg",
        "url_large": f"{url}/large.jpg",
    }
