"""Sections of the API, each in a file of its own, over one world."""

from __future__ import annotations

from aiohttp import web

from .article_data import ArticleDataApi
from .comments import CommentsApi
from .common import CommonApi
from .customers import CustomersApi
from .labels import LabelsApi
from .leads import LeadsApi
from .payments import PaymentsApi
from .purchasing import PurchasingApi
from .repair_objects import RepairObjectsApi
from .sales_data import SalesDataApi
from .sales_orders import SalesOrdersApi
from .service_items import ServiceItemsApi
from .stock import StockApi
from .workshop import WorkshopApi
from .world.world import World


def section_routes(world: World, *, page_size: int) -> list[web.RouteDef]:
    """Return the routes of all sections but the workshop orders."""
    return [
        *CommonApi().routes(),
        *CustomersApi(world, page_size=page_size).routes(),
        # Before the repair objects: the path of their list looks like that of an object.
        *ServiceItemsApi(world, page_size=page_size).routes(),
        *RepairObjectsApi(world, page_size=page_size).routes(),
        *WorkshopApi(world, page_size=page_size).routes(),
        *SalesOrdersApi(world).routes(),
        *PaymentsApi(world).routes(),
        *LabelsApi(world).routes(),
        *CommentsApi(world, page_size=page_size).routes(),
        *SalesDataApi(world, page_size=page_size).routes(),
        *StockApi(world).routes(),
        *ArticleDataApi(world, page_size=page_size).routes(),
        *PurchasingApi(world, page_size=page_size).routes(),
        *LeadsApi(world.clock).routes(),
    ]
