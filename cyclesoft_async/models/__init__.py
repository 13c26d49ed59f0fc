"""The vendor's objects as frozen, typed Structs; one file per section of the API.

Unknown properties are ignored and unknown ids pass, so that an addition by the vendor breaks nobody.
"""

from .dutch_time import AMSTERDAM
from .invoices import CreatedInvoice, InvoiceDocument, SentMessages
from .workshop_orders import (
    WorkshopOrder,
    WorkshopOrderCreate,
    WorkshopOrderItem,
    WorkshopOrderItemInput,
    WorkshopOrderUpdate,
)

__all__ = [
    "AMSTERDAM",
    "CreatedInvoice",
    "InvoiceDocument",
    "SentMessages",
    "WorkshopOrder",
    "WorkshopOrderCreate",
    "WorkshopOrderItem",
    "WorkshopOrderItemInput",
    "WorkshopOrderUpdate",
]
