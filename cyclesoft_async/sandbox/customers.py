"""Customers of the sandbox: five for twelve orders. Vendor page: "Customers"."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from .offset_pages import integer, page, read_object
from .responses import json_response
from .routing import ID, scoped
from .world.overlay import Record
from .world.people import CUSTOMER_TYPES, candidates
from .world.world import World


class CustomersApi:
    """Endpoints of the vendor page "Customers"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._customers = world.customers
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        one = f"/api/v1/customers/{{customer_id:{ID}}}.json"
        routes = [
            web.get("/api/v1/customers/find.json", self.find),
            web.get("/api/v1/customers/list.json", self.list),
            web.get(one, self.get),
            web.put(one, self.update),
            web.post("/api/v1/customers.json", self.create),
        ]
        return scoped(routes, "resources")

    async def get(self, request: web.Request) -> web.Response:
        """Get one customer."""
        return json_response(request, self._customer(request))

    async def list(self, request: web.Request) -> web.Response:
        """List customers, those changed since a time or all."""
        since = request.query.get("modified_since", "")
        ids = (id_ for id_ in self._customers.ids() if self._customers.modified_at(id_) >= since)
        found, offset = page(request, ids, self._page_size)
        customers = list(map(self._customers.get, found))
        payload = {
            "error": False,
            "error_message": None,
            "customers": customers,
            "pagination": {"count": len(customers), "next_offset": offset},
        }
        return json_response(request, payload)

    async def find(self, request: web.Request) -> web.Response:
        """Find customers that match every criterion."""
        given = {name: value for name, value in request.query.items() if value}
        type_id = integer(request, "customer_type_id")
        email, digits = given.get("email", ""), _digits(given.get("phone_number", ""))
        ids = candidates(self._customers.ids(), email=email, digits=digits)
        found = [item for item in self._customers.among(ids) if _matches(item, given, type_id)]
        return json_response(request, found)

    async def create(self, request: web.Request) -> web.Response:
        """Create a customer."""
        return json_response(request, self._world.create_customer(await read_object(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Change what the request names of a customer."""
        record = self._customer(request)
        return json_response(request, self._world.update_customer(record, await read_object(request)))

    def _customer(self, request: web.Request) -> Record:
        return self._world.customer(int(request.match_info["customer_id"]))


def _matches(record: Record, given: Mapping[str, str], type_id: int | None) -> bool:
    if type_id is not None and record["customer_type_name"] != dict(enumerate(CUSTOMER_TYPES)).get(type_id):
        return False
    wanted = _digits(given.get("phone_number", ""))
    if wanted and all(_digits(item["phone_number"]) != wanted for item in record["phone_numbers"]):
        return False
    same = {
        "postal_code": "postcode",
        "housenumber": "house_number",
        "housenumber_postfix": "house_number_postfix",
        "email": "email",
        "country_code": "country_code_iso_3166",
    }
    if any(given[name].casefold() != record[of].casefold() for name, of in same.items() if name in given):
        return False
    words = given.get("query", "").casefold().split()
    names = " ".join(record[name] for name in ("first_name", "insertion", "name", "company_name")).casefold()
    return all(word in names for word in words)


def _digits(number: str) -> str:
    return "".join(filter(str.isdecimal, number))
