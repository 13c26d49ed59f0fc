"""Leads of the sandbox. Vendor page: "Leads"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from aiohttp import web

from .offset_pages import read_object
from .orders.places import STORES
from .orders.seeded import mix
from .responses import bad_request, json_response, not_found
from .routing import scoped
from .world.notices import ACCOUNT
from .world.overlay import Record

_TYPES: Final = (
    "information",
    "sales_offer",
    "test_ride",
    "contact_request",
    "exchange",
    "complaint",
    "other",
)
_AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
_OPTIONS: Final[Record] = dict.fromkeys(
    (
        "test_ride_requested",
        "phone_call_requested",
        "finance_information_requested",
        "insurance_information_requested",
    ),
    False,
)
_BIKE: Final[Record] = dict.fromkeys(("description", "object_id", "article_number", "barcode"))
_EXCHANGE: Final[Record] = dict.fromkeys(("exchange_description", "exchange_remarks"))
_CUSTOMER: Final[Record] = dict.fromkeys(
    (
        "customer_address_id",
        "address_type",
        "customer_id",
        "is_business_address",
        "company_name",
        "name",
        "street",
        "house_number",
        "house_number_postfix",
        "postal_code",
        "city",
        "country_code",
        "phone_number",
        "email",
        "notes",
    )
)


class LeadsApi:
    """Endpoints of the vendor page "Leads"."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._leads: dict[str, Record] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        routes = [
            web.post("/api/v1/leads/create.json", self.create),
            web.get("/api/v1/leads/{uuid}.json", self.get),
            web.post("/api/v1/leads/{uuid}/cancel.json", self.cancel),
        ]
        return scoped(routes, "resources")

    async def create(self, request: web.Request) -> web.Response:
        """Create a lead. Its store is text, "account-store"."""
        given = await read_object(request)
        store_id, type_ = given.get("store_id"), given.get("type", _TYPES[0])
        if store_id not in {f"{ACCOUNT}-{store}" for store in STORES}:
            raise bad_request(f"Unknown store: {store_id}")
        if type_ not in _TYPES:
            raise bad_request(f"type is invalid: {type_}")
        number = len(self._leads) + 1
        now = datetime.fromtimestamp(self._clock(), _AMSTERDAM).isoformat(timespec="seconds")
        lead: Record = {
            "uuid": str(UUID(int=mix(number) << 64 | mix(-number), version=4)),
            "store_id": store_id,
            "type": type_,
            "status": "open",
            "title": given.get("title") or "",
            "message": given.get("message") or "",
            "costs_ex_vat_cents": 0,
            "options": _merged(_OPTIONS, given.get("options")),
            "object": _merged(_BIKE, given.get("object")),
            "exchange_object": _merged(_EXCHANGE, given.get("exchange_object")),
            "customer": _merged(_CUSTOMER, given.get("customer")),
            "created_at": now,
            "modified_at": now,
        }
        self._leads[lead["uuid"]] = lead
        return _answer(request, lead)

    async def get(self, request: web.Request) -> web.Response:
        """Get one lead."""
        return _answer(request, self._lead(request))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a lead."""
        lead = self._lead(request)
        now = datetime.fromtimestamp(self._clock(), _AMSTERDAM).isoformat(timespec="seconds")
        lead |= {"status": "cancelled", "modified_at": now}
        return json_response(request, {"error": False, "error_message": None})

    def _lead(self, request: web.Request) -> Record:
        found = self._leads.get(request.match_info["uuid"])
        if found is None:
            raise not_found("Lead not found")
        return found


def _merged(fields: Record, given: object) -> Record:
    """Return the fields with those values that are given."""
    if given is None:
        return dict(fields)
    if not isinstance(given, dict):
        raise bad_request("options, object, exchange_object and customer must be objects")
    known = cast("Record", given)
    return {name: known.get(name, value) for name, value in fields.items()}


def _answer(request: web.Request, lead: Record) -> web.Response:
    return json_response(request, {"error": False, "error_message": None, "sales_lead": lead})
