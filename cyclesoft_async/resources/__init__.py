"""The sections of the API, one module for each section of the vendor's documentation."""

from .common import Common
from .customers import Customers
from .repair_objects import RepairObjects
from .resource import Endpoint, Listing, Resource
from .service_items import ServiceItems
from .workshop import Workshop
from .workshop_orders import WorkshopOrders

__all__ = [
    "Common",
    "Customers",
    "Endpoint",
    "Listing",
    "RepairObjects",
    "Resource",
    "ServiceItems",
    "Workshop",
    "WorkshopOrders",
]
