"""The workshop of the sandbox: room by day, and the price list. Vendor page: "Workshop"."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from aiohttp import web

from .offset_pages import day, integer, next_url, page
from .orders.catalogue import REPAIRS
from .orders.places import STORES
from .orders.query import Filters
from .responses import bad_request, json_response
from .routing import scoped
from .world.overlay import Record
from .world.people import mechanics_of
from .world.world import World

_MINUTES: Final = 480
_SUNDAY: Final = 6
_OFF: Final = (15, 16)
"""Statuses of orders that take no time: cancelled and declined."""
_DAYS, _MOST_DAYS = 7, 31
_SPAN: Final = {"start": "08:30", "finish": "17:00", "duration_minutes": _MINUTES}
_BY_RATE: Final = "102"
"""The repair code without a price of its own."""


class WorkshopApi:
    """Endpoints of the vendor page "Workshop"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        routes = [
            web.get("/api/v2/workshop/trading-hours.json", self.trading_hours),
            web.get("/api/v2/workshop/trading-hours-per-store.json", self.trading_hours_per_store),
            web.get("/api/v1/workshop/repair-codes.json", self.repair_codes),
        ]
        return scoped(routes, "resources")

    async def trading_hours(self, request: web.Request) -> web.Response:
        """Return a store's days. The answer has no `error`, as in the vendor's example."""
        store_id = integer(request, "store_id", STORES[0])
        if store_id not in STORES:
            raise bad_request("Unknown store")
        return json_response(request, {"data": self._days(request, store_id)})

    async def trading_hours_per_store(self, request: web.Request) -> web.Response:
        """List the days of every store."""
        stores, offset = page(request, ({"store_id": store_id} for store_id in STORES), self._page_size)
        data = [
            {
                **store,
                "store_name": f"Winkel {store['store_id']}",
                "trading_hours": self._days(request, store["store_id"]),
            }
            for store in stores
        ]
        url = next_url(request, offset, "api.cyclesoftware.nl")
        return json_response(request, {"data": data, "pagination": {"next_url": url}})

    async def repair_codes(self, request: web.Request) -> web.Response:
        """Return the price list as a bare array."""
        return json_response(
            request, [_repair_code(number, code) for number, code in enumerate(REPAIRS, 90_001)]
        )

    def _days(self, request: web.Request, store_id: int) -> list[Record]:
        first = day(request, "start_date") or date.fromisoformat(self._world.now()[:10])
        count = min(integer(request, "day_count") or _DAYS, _MOST_DAYS)
        return [self._day(store_id, first + timedelta(days=number)) for number in range(count)]

    def _day(self, store_id: int, at: date) -> Record:
        is_closed = at.weekday() == _SUNDAY
        planned = dict.fromkeys(mechanics_of(store_id), 0)
        unassigned = 0
        for order in self._of_day(store_id, at):
            mechanic = order["mechanic_employee_id"]
            if mechanic in planned:
                planned[mechanic] += order["total_repair_time_minutes"]
            else:
                unassigned += order["total_repair_time_minutes"]
        capacity = 0 if is_closed else _MINUTES
        people = [_availability(mechanic, capacity, minutes) for mechanic, minutes in planned.items()]
        available = sum(person["available_minutes"] for person in people)
        return {
            "date": at.isoformat(),
            "capacity_minutes": capacity * len(people),
            "scheduled_minutes": sum(planned.values()) + unassigned,
            "available_minutes": max(0, available - unassigned),
            "day_id": at.isoweekday() % 7,
            "week_no": at.isocalendar().week,
            "is_closed": is_closed,
            "workshop_trading_hours": [] if is_closed else [_SPAN],
            "availability_per_employee": [] if is_closed else people,
        }

    def _of_day(self, store_id: int, at: date) -> list[Record]:
        filters = Filters(
            object_query=None,
            store_id=store_id,
            status_ids=None,
            customer_id=None,
            repair_object_id=None,
            date_from=at.isoformat(),
            date_until=at.isoformat(),
        )
        orders, _ = self._world.orders.page(filters, None, 10_000)
        return [dict(order) for order in orders if order["is_active"] and order["status_id"] not in _OFF]


def _availability(employee_id: int, capacity: int, planned: int) -> Record:
    """A mechanic without a free minute still has a slot for the whole day, as in the vendor's example."""
    return {
        "employee_id": employee_id,
        "capacity_minutes": capacity,
        "scheduled_minutes": planned,
        "available_minutes": max(0, capacity - planned),
        "available_slots": [_SPAN],
    }


def _repair_code(code_id: int, code: str) -> Record:
    repair = REPAIRS[code]
    return {
        "code_id": code_id,
        "category": "Werkplaats",
        "code": code,
        "description": repair.description,
        "extra_text": "",
        "price_cents": None if code == _BY_RATE else repair.cents,
        "time_minutes": repair.minutes,
        "workshop_rate_id": 1,
        "vat_code": 1,
    }
