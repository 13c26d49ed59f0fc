"""The sections of the API, one module for each section of the vendor's documentation."""

from .comments import Comments
from .common import Common
from .customers import Customers
from .labels import Labels
from .payments import Payments
from .repair_objects import RepairObjects
from .resource import Endpoint, Listing, Resource
from .sales_orders import SalesOrders
from .salesdata import SalesData
from .service_items import ServiceItems
from .stock import Stock
from .stock_objects import StockObjects
from .vouchers import Vouchers
from .workshop import Workshop
from .workshop_orders import WorkshopOrders

__all__ = [
    "Comments",
    "Common",
    "Customers",
    "Endpoint",
    "Labels",
    "Listing",
    "Payments",
    "RepairObjects",
    "Resource",
    "SalesData",
    "SalesOrders",
    "ServiceItems",
    "Stock",
    "StockObjects",
    "Vouchers",
    "Workshop",
    "WorkshopOrders",
]
