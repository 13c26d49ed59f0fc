"""Repair objects of the sandbox: seven for twelve orders. Vendor page: "Repair objects"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from .lists import integer, next_url, page, read_object, write_integers, write_texts
from .orders.catalogue import BIKES
from .orders.seeded import SeededOrders, frame_number
from .overlay import Overlay, Record
from .responses import bad_request, json_response, not_found

_COLORS: Final = ("Zwart", "Grijs", "Blauw", "Groen", "Wit")
_TEXTS: Final = (
    "object_barcode",
    "object_type_name",
    "category",
    "brand",
    "model",
    "model_year",
    "color",
    "variant",
    "phone_number_id",
    "license_plate",
    "km_mileage",
    "frame_id",
    "chip_id",
    "key_id",
    "engine_id",
    "battery_id",
    "lock_id",
)
_INTEGERS: Final = ("workshop_rate_id", "service_level_id")
_LEASE: Final = ("lease_fleet_customer_id", "lease_employer_customer_id")
_LIMIT, _HIGHEST_LIMIT = 150, 1_000


def make_object(object_id: int, owner: int) -> Record:
    """Return the seeded object with this id."""
    bike = BIKES[object_id % len(BIKES)]
    is_electric = "E-" in bike.model or "E+" in bike.model or "HMB" in bike.model
    return {
        "customer_id": owner,
        "object_id": object_id,
        "object_barcode": f"OBJ{object_id}",
        "is_active": True,
        "object_type_name": "fiets",
        "category": "Elektrische fietsen" if is_electric else "Stadsfietsen",
        "brand": bike.brand,
        "model": bike.model,
        "model_year": str(2015 + object_id % 10) if object_id % 5 else "",
        "color": _COLORS[object_id % len(_COLORS)],
        "variant": "Heren" if object_id % 2 else "Dames",
        "phone_number_id": "mob",
        "license_plate": "",
        "km_mileage": "0",
        "frame_id": frame_number(object_id),
        "chip_id": "",
        "key_id": "",
        "engine_id": "",
        "battery_id": f"AC{object_id}" if is_electric else "",
        "lock_id": "",
        "workshop_rate_id": 1,
        "service_level_id": 0,
        "images": [],
        "lease_fleet_customer_id": None,
        "lease_employer_customer_id": None,
        "lease_contract_number": None,
    }


class RepairObjectsApi:
    """Endpoints of the vendor page "Repair objects"."""

    def __init__(self, objects: Overlay, customers: Overlay, seeded: SeededOrders, *, page_size: int) -> None:
        self._objects = objects
        self._customers = customers
        self._seeded = seeded
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        id_ = "[0-9]{1,18}"
        of_customer = f"/api/v1/customers/{{customer_id:{id_}}}/objects"
        one = f"{of_customer}/{{object_id:{id_}}}.json"
        return [
            web.get("/api/v1/workshop/repair-objects/search.json", self.search),
            web.get("/api/v1/workshop/repair-objects.json", self.list),
            web.get(f"/api/v1/workshop/repair-objects/{{object_id:{id_}}}.json", self.get_by_id),
            web.get(f"{of_customer}.json", self.of_customer),
            web.post(f"{of_customer}.json", self.create),
            web.get(one, self.get),
            web.put(one, self.update),
        ]

    async def search(self, request: web.Request) -> web.Response:
        """List the objects that match a text: a customer's id, a frame number, brand and model."""
        query = request.query.get("query", "")
        if not query:
            raise bad_request("query is required")
        data, offset = page(request, self._matching(query), self._page_size)
        return _page(request, data, offset, "api.cyclesoftware.nl")

    async def list(self, request: web.Request) -> web.Response:
        """List all objects."""
        limit = min(integer(request, "limit") or _LIMIT, _HIGHEST_LIMIT)
        ids, offset = page(request, self._objects.ids(), min(limit, self._page_size))
        return _page(request, list(map(self._objects.get, ids)), offset, "s01.cyclesoftware.nl")

    async def of_customer(self, request: web.Request) -> web.Response:
        """List the objects of a customer, without pages."""
        customer_id = int(request.match_info["customer_id"])
        return json_response(request, list(self._of_customer(customer_id)))

    async def get(self, request: web.Request) -> web.Response:
        """Get one object of a customer."""
        return json_response(request, self._object_of_customer(request))

    async def get_by_id(self, request: web.Request) -> web.Response:
        """Get one object."""
        data = self._object(request)
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def create(self, request: web.Request) -> web.Response:
        """Create an object for the customer in the path."""
        customer_id = int(request.match_info["customer_id"])
        if self._customers.find(customer_id) is None:
            raise not_found("Customer not found")
        object_id = self._objects.next_id()
        record = (
            make_object(object_id, customer_id) | dict.fromkeys(_TEXTS, "") | {"object_type_name": "fiets"}
        )
        return self._save(request, record, await read_object(request))

    async def update(self, request: web.Request) -> web.Response:
        """Change what the request names of an object."""
        return self._save(request, self._object_of_customer(request), await read_object(request))

    def _save(self, request: web.Request, record: Record, given: Mapping[str, Any]) -> web.Response:
        write_texts(record, given, _TEXTS)
        write_integers(record, given, (*_INTEGERS, *_LEASE))
        is_active = given.get("is_active", record["is_active"])
        if not isinstance(is_active, bool):
            raise bad_request("is_active must be a boolean")
        record["is_active"] = is_active
        record["lease_contract_number"] = given.get("lease_contract_number", record["lease_contract_number"])
        self._objects.save(record["object_id"], record)
        return json_response(request, record)

    def _matching(self, query: str) -> Iterator[Record]:
        if query.isdecimal():
            yield from self._of_customer(int(query))
            return
        seeded = self._seeded.objects_matching(query)
        words = query.casefold().split()
        for item in self._objects:
            texts = f"{item['brand']} {item['model']} {item['frame_id']} {item['object_barcode']}".casefold()
            if item["object_id"] in seeded or all(word in texts for word in words):
                yield item

    def _of_customer(self, customer_id: int) -> Iterator[Record]:
        return (item for item in self._objects if item["customer_id"] == customer_id)

    def _object(self, request: web.Request) -> Record:
        found = self._objects.find(int(request.match_info["object_id"]))
        if found is None:
            raise not_found("Repair object not found")
        return found

    def _object_of_customer(self, request: web.Request) -> Record:
        found = self._object(request)
        if found["customer_id"] != int(request.match_info["customer_id"]):
            raise not_found("Repair object not found")
        return found


def _page(request: web.Request, data: list[Record], offset: int | None, host: str) -> web.Response:
    payload = {
        "error": False,
        "error_message": None,
        "data": data,
        "pagination": {"next_url": next_url(request, offset, host)},
    }
    return json_response(request, payload)
