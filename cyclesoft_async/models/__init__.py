"""The vendor's objects as frozen, typed Structs; one file per section of the API.

Unknown properties are ignored and unknown ids pass, so that an addition by the vendor breaks no caller.
"""

from cyclesoft_async.codec.datetimes import AMSTERDAM

from .common import Employee, EnumEntry, Supplier
from .customers import (
    Customer,
    CustomerCreate,
    CustomerNotice,
    CustomerUpdate,
    PhoneNumber,
    PhoneNumberInput,
)
from .enums import DeliveryMethod, ItemStatus, ItemType, WorkshopOrderStatus
from .images import Image
from .invoices import CreatedInvoice, InvoiceDocument, SentMessages
from .payments import Payment, RegisteredPayments
from .repair_objects import RepairObject, RepairObjectCreate, RepairObjectUpdate
from .sales_orders import DeliveryAddress, SalesOrder, WorkshopOrderNotice
from .sales_transactions import Identification, SalesItem, SalesTransaction
from .service_items import ServiceItem
from .store_orders import StoreOrder, StoreOrderItem
from .warehouse import (
    OutboundItem,
    SubOrderItem,
    WarehouseLocation,
    WarehouseOutboundOrder,
    WarehouseStockItem,
)
from .workshop import (
    EmployeeAvailability,
    RepairCode,
    StoreTradingDays,
    TradingDay,
    TradingSpan,
)
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
    "CustomerCreate",
    "CustomerNotice",
    "CustomerUpdate",
    "DeliveryAddress",
    "DeliveryMethod",
    "Employee",
    "EmployeeAvailability",
    "EnumEntry",
    "Identification",
    "Image",
    "InvoiceDocument",
    "ItemStatus",
    "ItemType",
    "OutboundItem",
    "Payment",
    "PhoneNumber",
    "PhoneNumberInput",
    "RegisteredPayments",
    "RepairCode",
    "RepairObject",
    "RepairObjectCreate",
    "RepairObjectUpdate",
    "SalesItem",
    "SalesOrder",
    "SalesTransaction",
    "SentMessages",
    "ServiceItem",
    "StoreOrder",
    "StoreOrderItem",
    "StoreTradingDays",
    "SubOrderItem",
    "Supplier",
    "TradingDay",
    "TradingSpan",
    "WarehouseLocation",
    "WarehouseOutboundOrder",
    "WarehouseStockItem",
    "WorkshopOrder",
    "WorkshopOrderCreate",
    "WorkshopOrderItem",
    "WorkshopOrderItemInput",
    "WorkshopOrderNotice",
    "WorkshopOrderStatus",
    "WorkshopOrderUpdate",
]
