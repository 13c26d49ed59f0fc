"""What can be asked of the API; one file per section of the vendor's pages."""

from .workshop_orders import WorkshopOrders

__all__ = ["WorkshopOrders"]
