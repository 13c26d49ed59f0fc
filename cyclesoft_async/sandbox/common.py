"""Common lists of the sandbox: enums, employees, suppliers, brands. Vendor page: "Common"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from .customers import CUSTOMER_TYPES
from .orders.catalogue import BIKES, LINE_STATUSES, ORDER_STATUSES, VAT_PERCENTAGES
from .overlay import Record
from .responses import json_response, not_found

API_KEY: Final = "sandbox-api-key"
"""Key of the hashes of employees' codes. The code of an employee is 1000 plus the employee's id."""

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
    "transaction_item_types": {1: "Artikelregel", 2: "Fiets", 4: "Reparatiecode"},
    "delivery_methods": {0: "Afhalen in winkel", 3: "Bezorgen"},
    "workshop_order_types": {1: "Reparatie"},
    "workshop_rates": {1: "Standaard"},
    "customer_types": dict(enumerate(CUSTOMER_TYPES)),
    "vat_codes": {code: f"{percentage}%" for code, percentage in VAT_PERCENTAGES.items()},
    "pos_groups": {1: "Fietsen", 2: "Reparatie", 5: "Banden", 21: "Onderdelen"},
    "service_item_status": {1: "Open", 4: "Gesloten"},
}
_NAMES: Final = (
    "Sanne",
    "Tim",
    "Yusuf",
    "Lotte",
    "Ravi",
    "Mees",
    "Noor",
    "Piet",
    "Eva",
    "Sam",
    "Koen",
    "Fleur",
)
_STORES: Final = (1, 2, 3)
_WITHOUT_USERNAME, _INACTIVE = 2, 32


def employees() -> list[Record]:
    """Return the staff: one at each store's counter, with the store's number, and three mechanics."""
    ids = [*_STORES, *(10 * store + number for store in _STORES for number in range(3))]
    return [_employee(id_, name) for id_, name in zip(ids, _NAMES, strict=True)]


def _employee(employee_id: int, name: str) -> Record:
    code = str(1000 + employee_id)
    is_mechanic = employee_id not in _STORES
    return {
        "employee_id": employee_id,
        "employee_name": name,
        "sso_username": None if employee_id == _WITHOUT_USERNAME else f"{name.lower()}@example.nl",
        "verification_hash": hmac.new(API_KEY.encode(), code.encode(), hashlib.sha256).hexdigest(),
        "roles": ["mechanic" if is_mechanic else "employee"],
        "is_active": employee_id != _INACTIVE,
        "is_default": employee_id == _STORES[0],
        "is_administrator": False,
        "avatar": None,
        "authorizations": ["MAY_PERFORM_CYCLE_COUNT"] if is_mechanic else ["MAY_DO_ANALYTICS"],
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
            "employees": employees(),
            "suppliers": [*_SUPPLIERS, *_brands(), *_MOPED_BRANDS],
            "bike-brands": _brands(),
            "moped-brands": _MOPED_BRANDS,
        }
        return [
            web.get("/api/v1/common/enum.json", self.enums),
            web.get("/api/v1/common/enum/{subject:[a-z0-9-]+}.json", self.enum),
            *(web.get(f"/api/v1/common/{name}.json", _answering(rows)) for name, rows in lists.items()),
        ]

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
