"""Common lists of the sandbox: enums, employees, suppliers, brands. Vendor page: "Common"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from .orders.catalogue import LINE_STATUSES, ORDER_STATUSES, VAT_PERCENTAGES
from .responses import json_response, not_found
from .routing import scoped
from .sales_orders import TRANSFER_MODES
from .world.counter import CANCELLATIONS, DELIVERY_METHODS, STATUSES, TYPES
from .world.goods import BRANDS, SUPPLIERS
from .world.overlay import Record
from .world.payments import METHODS
from .world.people import CUSTOMER_TYPES, EMPLOYEES, make_employee
from .world.remarks import COMMENT_TYPES, ENTITY_TYPES
from .world.sales_rows import ITEM_TYPES, POS_GROUPS

_ENGLISH: Final[dict[str, dict[int, str]]] = {
    "workshop_order_status": {
        1: "Wait for object",
        2: "Wait for repair",
        7: "Completed",
        8: "Done",
        15: "Cancelled",
    }
}
_ENUMS: Final[dict[str, dict[int, str]]] = {
    "sales_order_types": TYPES,
    "sales_order_status": STATUSES,
    "sales_order_item_status": LINE_STATUSES,
    "cancellation_types": CANCELLATIONS,
    "pos_groups": POS_GROUPS,
    "payment_methods": METHODS,
    "delivery_methods": DELIVERY_METHODS,
    "vat_codes": {code: f"{percentage}%" for code, percentage in VAT_PERCENTAGES.items()},
    "workshop_order_status": ORDER_STATUSES,
    "workshop_order_types": {1: "Reparatie"},
    "workshop_rates": {1: "Standaard"},
    "customer_types": dict(enumerate(CUSTOMER_TYPES)),
    "transaction_item_types": ITEM_TYPES,
    "service_item_status": {1: "Open", 4: "Gesloten", 5: "Vervallen"},
    "entity_types": ENTITY_TYPES,
    "voucher_types": {1: "Waardebon"},
    "consignment_status": {0: "Geen consignatie"},
    "warranty_types": {0: "Geen garantie", 2: "Fabrieksgarantie"},
    "comment_types": COMMENT_TYPES,
    "sales_order_store_transfer_modes": TRANSFER_MODES,
    "supplier_order_types": {1: "Bestelling bij leverancier"},
    "supplier_order_status": {0: "Aangemaakt", 1: "Verzonden"},
}


def _brands() -> list[Record]:
    return [_supplier("bike-brand", brand_id, name, _BRAND_SUPPLIER) for brand_id, name in BRANDS.items()]


def _supplier(type_: str, supplier_id: int, name: str, parent: int | None) -> Record:
    return {
        "type": type_,
        "supplier_id": supplier_id,
        "supplier_name": name,
        "parent_supplier_id": parent,
    }


_BRAND_SUPPLIER: Final = 111
_SUPPLIERS: Final = [_supplier("supplier", id_, name, None) for id_, name in SUPPLIERS.items()]
_MOPED_BRANDS: Final = [_supplier("moped-brand", 301, "Sparta Mofa", _BRAND_SUPPLIER)]


def _entries(subject: str) -> list[Record]:
    english = _ENGLISH.get(subject, {})
    return [
        {"id": id_, "description": text, "description_en": english.get(id_, text)}
        for id_, text in _ENUMS[subject].items()
    ]


class CommonApi:
    """Endpoints of the vendor page "Common"."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        lists = {
            "employees": list(map(make_employee, EMPLOYEES)),
            "suppliers": [*_SUPPLIERS, *_brands(), *_MOPED_BRANDS],
            "bike-brands": _brands(),
            "moped-brands": _MOPED_BRANDS,
        }
        routes = [
            web.get("/api/v1/common/enum.json", self.enums),
            web.get("/api/v1/common/enum/{subject:[a-z0-9-]+}.json", self.enum),
            *(web.get(f"/api/v1/common/{name}.json", _answering(rows)) for name, rows in lists.items()),
        ]
        return scoped(routes, "common")

    async def enums(self, request: web.Request) -> web.Response:
        """Return all enums."""
        return _data(request, {subject: _entries(subject) for subject in _ENUMS})

    async def enum(self, request: web.Request) -> web.Response:
        """Return one enum."""
        subject = request.match_info["subject"].replace("-", "_")
        if subject not in _ENUMS:
            raise not_found("Unknown enum")
        return _data(request, _entries(subject))


def _answering(rows: list[Record]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        return _data(request, rows)

    return answer


def _data(request: web.Request, data: object) -> web.Response:
    return json_response(request, {"error": False, "error_message": None, "data": data})
