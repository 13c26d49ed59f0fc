"""The vendor's objects as frozen, typed Structs; one file per section of the API.

Unknown properties are ignored and unknown ids pass, so that an addition by the vendor breaks no caller.
"""

from cyclesoft_async.codec.datetimes import AMSTERDAM

from .comments import Comment, CommentCreate, CommentUpdate
from .common import Employee, EnumEntry, Supplier
from .customers import (
    Customer,
    CustomerCreate,
    CustomerNotice,
    CustomerUpdate,
    PhoneNumber,
    PhoneNumberInput,
)
from .deliveries import DeliveryChanged, ItemTransfer, NewAddress, StoreTransfer, StoreTransferred
from .enums import DeliveryMethod, EntityType, ItemStatus, ItemType, PaymentMethod, WorkshopOrderStatus
from .identification import Identification
from .images import Image
from .invoices import CreatedInvoice, InvoiceDocument, SentMessages
from .payments import AddedPayment, AddedPayments, Payment, PaymentInput, PaymentLink, RegisteredPayments
from .repair_objects import RepairObject, RepairObjectCreate, RepairObjectUpdate
from .sales_orders import DeliveryAddress, SalesOrder, WorkshopOrderNotice
from .sales_transactions import SalesItem, SalesTransaction
from .salesdata import BookedPayment, Insurance, OrderRow, PaymentGroup, ProformaInvoice, PspPayment
from .service_items import ServiceItem
from .stock import PosItem, StockedBike, StockInfo, StockTransfer, StoreStock
from .stock_objects import Bike, StockObject, StockStatus
from .stock_updates import FieldWarning, StockFilter, StockObjectResult, StockObjectUpdate, UpdateFailure
from .store_orders import StoreOrder, StoreOrderItem
from .transactions import (
    ArticleSupplierPrice,
    Buyer,
    RepairedBike,
    SoldArticle,
    SoldBike,
    Transaction,
    TransactionItem,
    TransactionOrder,
    TransactionRepair,
)
from .vouchers import Voucher
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
    "AddedPayment",
    "AddedPayments",
    "ArticleSupplierPrice",
    "Bike",
    "BookedPayment",
    "Buyer",
    "Comment",
    "CommentCreate",
    "CommentUpdate",
    "CreatedInvoice",
    "Customer",
    "CustomerCreate",
    "CustomerNotice",
    "CustomerUpdate",
    "DeliveryAddress",
    "DeliveryChanged",
    "DeliveryMethod",
    "Employee",
    "EmployeeAvailability",
    "EntityType",
    "EnumEntry",
    "FieldWarning",
    "Identification",
    "Image",
    "Insurance",
    "InvoiceDocument",
    "ItemStatus",
    "ItemTransfer",
    "ItemType",
    "NewAddress",
    "OrderRow",
    "OutboundItem",
    "Payment",
    "PaymentGroup",
    "PaymentInput",
    "PaymentLink",
    "PaymentMethod",
    "PhoneNumber",
    "PhoneNumberInput",
    "PosItem",
    "ProformaInvoice",
    "PspPayment",
    "RegisteredPayments",
    "RepairCode",
    "RepairObject",
    "RepairObjectCreate",
    "RepairObjectUpdate",
    "RepairedBike",
    "SalesItem",
    "SalesOrder",
    "SalesTransaction",
    "SentMessages",
    "ServiceItem",
    "SoldArticle",
    "SoldBike",
    "StockFilter",
    "StockInfo",
    "StockObject",
    "StockObjectResult",
    "StockObjectUpdate",
    "StockStatus",
    "StockTransfer",
    "StockedBike",
    "StoreOrder",
    "StoreOrderItem",
    "StoreStock",
    "StoreTradingDays",
    "StoreTransfer",
    "StoreTransferred",
    "SubOrderItem",
    "Supplier",
    "TradingDay",
    "TradingSpan",
    "Transaction",
    "TransactionItem",
    "TransactionOrder",
    "TransactionRepair",
    "UpdateFailure",
    "Voucher",
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
