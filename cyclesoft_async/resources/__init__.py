"""Resources: typed methods for the API's endpoints, one file per section of the vendor's pages."""

from .workshop_orders import WorkshopOrders

__all__ = ["WorkshopOrders"]
