"""Sections beside the workshop orders, over records that agree with the seeded orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from .common import CommonApi
from .customers import CustomersApi, make_customer
from .orders.repository import OrderRepository
from .orders.seeded import SeededOrders
from .overlay import Overlay
from .repair_objects import RepairObjectsApi, make_object
from .service_items import ServiceItemsApi
from .workshop import WorkshopApi

_LEASE_COMPANIES: Final = range(501, 505)


def section_routes(
    orders: OrderRepository, seeded: SeededOrders, *, page_size: int, clock: Callable[[], float]
) -> list[web.RouteDef]:
    """Return the routes of customers, repair objects, service items, workshop and common lists."""
    customers = Overlay(_LEASE_COMPANIES, seeded.customers, make=make_customer)
    objects = Overlay(seeded.objects, make=lambda id_: make_object(id_, seeded.owner_of(id_)))
    return [
        *CommonApi().routes(),
        *CustomersApi(customers, page_size=page_size, clock=clock).routes(),
        # Before the repair objects: the path of their list looks like that of an object.
        *ServiceItemsApi(objects, page_size=page_size, clock=clock).routes(),
        *RepairObjectsApi(objects, customers, seeded, page_size=page_size).routes(),
        *WorkshopApi(orders, page_size=page_size, clock=clock).routes(),
    ]
