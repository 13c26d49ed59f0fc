"""Common lists of the sandbox: enums, employees, suppliers, brands. Vendor page: "Common"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from .orders.catalogue import BIKES, LINE_STATUSES, ORDER_STATUSES, VAT_PERCENTAGES
from .responses import json_response, not_found
from .routing import scoped
from .world.overlay import Record
from .world.people import CUSTOMER_TYPES, EMPLOYEES, make_employee

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
    "workshop_order_status": ORDER_STATUSES,
    "sales_order_item_status": LINE_STATUSES,
    "transaction_item_types": {1: "Artikelregel", 2: "Fiets", 4: "Reparatiecode", 11: "Arbeid"},
    "delivery_methods": {0: "Afhalen in winkel", 3: "Bezorgen"},
    "workshop_order_types": {1: "Reparatie"},
    "workshop_rates": {1: "Standaard"},
    "customer_types": dict(enumerate(CUSTOMER_TYPES)),
    "vat_codes": {code: f"{percentage}%" for code, percentage in VAT_PERCENTAGES.items()},
    "pos_groups": {1: "Fietsen", 2: "Reparatie", 5: "Banden", 21: "Onderdelen"},
    "service_item_status": {1: "Open", 4: "Gesloten"},
}


def _brands() -> list[Record]:
    names = dict.fromkeys(bike.brand for bike in BIKES)
    return [_supplier("bike-brand", 201 + number, name, 101) for number, name in enumerate(names)]


def _supplier(type_: str, supplier_id: int, name: str, parent: int | None) -> Record:
    return {
        "type": type_,
        "supplier_id": supplier_id,
        "supplier_name": name,
        "parent_supplier_id": parent,
    }


_SUPPLIERS: Final = [_supplier("supplier", 101, "Groothandel Oost", None)]
_MOPED_BRANDS: Final = [_supplier("moped-brand", 301, "Sparta Mofa", 101)]


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
