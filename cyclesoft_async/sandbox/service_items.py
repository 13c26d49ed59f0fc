"""Service items of the sandbox: three for every fourth object. Vendor page: "Service items"."""

from __future__ import annotations

from typing import Final, TypeAlias

from aiohttp import web

from .offset_pages import day, page, read_object
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .world.overlay import Record
from .world.services import CLOSED
from .world.world import World

Items: TypeAlias = list[Record]  # inside the class, `list` is a method

_CLOSING_STATUSES: Final = (4, 5)
_ODD: Final = 3


class ServiceItemsApi:
    """Endpoints of the vendor page "Service items"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        of_customer = f"/api/v1/customers/{{customer_id:{ID}}}/service-items"
        reads = [
            web.get(f"{of_customer}.json", self.of_customer),
            web.get(f"{of_customer}/{{service_id:{ID}}}.json", self.get),
        ]
        everything = web.get("/api/v1/workshop/repair-objects/service-items.json", self.list)
        close = web.put("/api/v1/workshop/service-items/{service_barcode}/close.json", self.close)
        return [
            *scoped(reads, "resources"),
            *scoped([everything], "sales-export"),
            *scoped([close], "resources", "service-data"),
        ]

    async def of_customer(self, request: web.Request) -> web.Response:
        """Return the items of a customer's objects."""
        customer_id = int(request.match_info["customer_id"])
        self._world.customer(customer_id)
        bikes = self._world.objects.of_customer(customer_id)
        return json_response(request, [*self._world.services.of_objects(bikes)])

    async def get(self, request: web.Request) -> web.Response:
        """Return the items of one service."""
        owner, service_id = int(request.match_info["customer_id"]), int(request.match_info["service_id"])
        items = self._world.services.of_service(service_id)
        if not items or items[0]["customer_id"] != owner:
            raise not_found("Service not found")
        return json_response(request, items)

    async def list(self, request: web.Request) -> web.Response:
        """List the items; one in ten lacks its `service_id`, as in the vendor's example."""
        first, last = day(request, "modified_start"), day(request, "modified_end")
        rows = (
            _without_service(item)
            for item in self._world.services
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
        item = self._world.services.find(request.match_info["service_barcode"])
        if item is None:
            raise not_found("Service item not found")
        status = (await read_object(request)).get("service_status_id", CLOSED)
        if status not in _CLOSING_STATUSES:
            raise bad_request("service_status_id must be 4 or 5")
        self._world.services.close(item["service_id"], status)
        data = self._world.services.of_service(item["service_id"])
        return json_response(request, {"error": False, "error_message": None, "data": data})


def _without_service(item: Record) -> Record:
    if item["service_item_id"] % 10 == _ODD and item["object_id"] % 3 == 0:
        return {name: value for name, value in item.items() if name != "service_id"}
    return item
