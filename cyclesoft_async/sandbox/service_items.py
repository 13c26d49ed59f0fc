"""Service items of the sandbox: three for every fourth object. Vendor page: "Service items"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final, TypeAlias

from aiohttp import web

from .lists import day, page, read_object
from .overlay import Overlay, Record
from .responses import bad_request, json_response, not_found
from .times import wall_text

Items: TypeAlias = list[Record]  # inside the class, `list` is a method

_FIRST_SERVICE: Final = 2_000_000
_ITEMS: Final = 3
_EVERY: Final = 4
_OPEN, _CLOSED = 1, 4
_CLOSING_STATUSES: Final = (4, 5)
_BARCODE: Final = re.compile(r"DSK-([0-9]{1,12})-([1-3])")
_SOLD: Final = date(2024, 1, 1)


class ServiceItemsApi:
    """Endpoints of the vendor page "Service items"."""

    def __init__(self, objects: Overlay, *, page_size: int, clock: Callable[[], float]) -> None:
        self._objects = objects
        self._page_size = page_size
        self._clock = clock
        self._closed: dict[int, tuple[int, str]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        of_customer = "/api/v1/customers/{customer_id:[0-9]{1,18}}/service-items"
        return [
            web.get(f"{of_customer}.json", self.of_customer),
            web.get(f"{of_customer}/{{service_id:[0-9]{{1,18}}}}.json", self.get),
            web.get("/api/v1/workshop/repair-objects/service-items.json", self.list),
            web.put("/api/v1/workshop/service-items/{service_barcode}/close.json", self.close),
        ]

    async def of_customer(self, request: web.Request) -> web.Response:
        """Return the items of a customer's objects."""
        customer_id = int(request.match_info["customer_id"])
        return json_response(request, [item for item in self._items() if item["customer_id"] == customer_id])

    async def get(self, request: web.Request) -> web.Response:
        """Return the items of one service."""
        owner, service_id = int(request.match_info["customer_id"]), int(request.match_info["service_id"])
        items = self._of_service(service_id)
        if not items or items[0]["customer_id"] != owner:
            raise not_found("Service not found")
        return json_response(request, items)

    async def list(self, request: web.Request) -> web.Response:
        """List the items; one in ten lacks its `service_id`, as in the vendor's example."""
        first, last = day(request, "modified_start"), day(request, "modified_end")
        rows = (
            _without_service(item)
            for item in self._items()
            if (first is None or item["modified_at"][:10] >= first.isoformat())
            and (last is None or item["modified_at"][:10] <= last.isoformat())
        )
        data, offset = page(request, rows, self._page_size)
        payload = {
            "error": False,
            "error_message": None,
            "data": data,
            "pagination": {"count": len(data), "next_offset": offset},
        }
        return json_response(request, payload)

    async def close(self, request: web.Request) -> web.Response:
        """Close all items of the service that one barcode names."""
        found = _BARCODE.fullmatch(request.match_info["service_barcode"])
        service_id = int(found[1]) if found else 0
        if not self._of_service(service_id):
            raise not_found("Service item not found")
        status = (await read_object(request)).get("service_status_id", _CLOSED)
        if status not in _CLOSING_STATUSES:
            raise bad_request("service_status_id must be 4 or 5")
        self._closed[service_id] = (status, wall_text(self._clock()))
        data = self._of_service(service_id)
        return json_response(request, {"error": False, "error_message": None, "data": data})

    def _items(self) -> Iterator[Record]:
        for record in self._objects:
            if record["object_id"] % _EVERY == 0:
                yield from self._of_object(record)

    def _of_service(self, service_id: int) -> Items:
        record = self._objects.find(service_id - _FIRST_SERVICE)
        if record is None or record["object_id"] % _EVERY:
            return []
        return self._of_object(record)

    def _of_object(self, record: Record) -> Items:
        today = wall_text(self._clock())[:10]
        service_id = _FIRST_SERVICE + record["object_id"]
        items: Items = []
        for number in range(1, _ITEMS + 1):
            due = (_SOLD + timedelta(days=365 * number)).isoformat()
            status = _CLOSED if due < today else _OPEN
            modified = f"{_SOLD} 10:00:00"
            if service_id in self._closed:
                status, modified = self._closed[service_id]
            items.append(
                {
                    "account_id": 1,
                    "store_id": 1,
                    "service_id": service_id,
                    "service_item_id": service_id * 10 + number,
                    "service_barcode": f"DSK-{service_id}-{number}",
                    "service_status_id": status,
                    "invoice_number": 20_000_000 + record["object_id"],
                    "customer_id": record["customer_id"],
                    "object_id": record["object_id"],
                    "is_open": status == _OPEN,
                    "is_scheduled": False,
                    "title": f"{number}e servicebeurt",
                    "description": f"{number}e servicebeurt",
                    "gross_unit_price_cents": 6900,
                    "unit_discount_amount_cents": 6900 if number == 1 else 0,
                    "amount_payed_in_advance_cents": 0,
                    "time_minutes": 60,
                    "scheduled_at": due,
                    "scheduled_at_km_age": 0,
                    "modified_at": modified,
                }
            )
        return items


def _without_service(item: Record) -> Record:
    if item["service_item_id"] % 10 == _ITEMS and item["object_id"] % 3 == 0:
        return {name: value for name, value in item.items() if name != "service_id"}
    return item
