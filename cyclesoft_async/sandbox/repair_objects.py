"""Repair objects of the sandbox: seven for twelve orders. Vendor page: "Repair objects"."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from .offset_pages import integer, next_url, page, read_object
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .world.overlay import Record
from .world.world import World

_LIMIT, _HIGHEST_LIMIT = 150, 1_000


class RepairObjectsApi:
    """Endpoints of the vendor page "Repair objects"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._objects = world.objects
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        of_customer = f"/api/v1/customers/{{customer_id:{ID}}}/objects"
        one = f"{of_customer}/{{object_id:{ID}}}.json"
        routes = [
            web.get("/api/v1/workshop/repair-objects/search.json", self.search),
            web.get("/api/v1/workshop/repair-objects.json", self.list),
            web.get(f"/api/v1/workshop/repair-objects/{{object_id:{ID}}}.json", self.get_by_id),
            web.get(f"{of_customer}.json", self.of_customer),
            web.post(f"{of_customer}.json", self.create),
            web.get(one, self.get),
            web.put(one, self.update),
        ]
        return scoped(routes, "resources")

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
        self._world.customer(customer_id)
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
        self._world.customer(customer_id)
        return json_response(request, self._objects.create(customer_id, await read_object(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Change what the request names of an object."""
        record = self._object_of_customer(request)
        return json_response(request, self._objects.update(record, await read_object(request)))

    def _matching(self, query: str) -> Iterator[Record]:
        if query.isdecimal():
            yield from self._of_customer(int(query))
            return
        found = self._objects.matching(query)
        words = query.casefold().split()
        for item in self._objects:
            texts = f"{item['brand']} {item['model']} {item['frame_id']} {item['object_barcode']}".casefold()
            if item["object_id"] in found or all(word in texts for word in words):
                yield item

    def _of_customer(self, customer_id: int) -> Iterator[Record]:
        return self._objects.of_customer(customer_id)

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
