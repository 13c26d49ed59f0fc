"""The vendor's objects as frozen, typed Structs; one file per section of the API.

Unknown properties are ignored and unknown ids pass, so that an addition by the vendor breaks nobody.
"""

from cyclesoft_async.codec.datetimes import AMSTERDAM

from .customers import Customer, CustomerNotice, PhoneNumber
from .invoices import CreatedInvoice, InvoiceDocument, SentMessages
from .payments import Payment, RegisteredPayments
from .sales_orders import DeliveryAddress, SalesOrder, WorkshopOrderNotice
from .sales_transactions import Identification, SalesItem, SalesTransaction
from .store_orders import StoreOrder, StoreOrderItem
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
    "Customer",
    "CustomerNotice",
    "DeliveryAddress",
    "Identification",
    "InvoiceDocument",
    "Payment",
    "PhoneNumber",
    "RegisteredPayments",
    "SalesItem",
    "SalesOrder",
    "SalesTransaction",
    "SentMessages",
    "StoreOrder",
    "StoreOrderItem",
    "WorkshopOrder",
    "WorkshopOrderCreate",
    "WorkshopOrderItem",
    "WorkshopOrderItemInput",
    "WorkshopOrderNotice",
    "WorkshopOrderUpdate",
]
