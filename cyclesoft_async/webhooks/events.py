"""Event types: one frozen Struct per event name, and families of them.

::

    Event                           every event
    ├── WorkshopOrderEvent          WorkshopOrderCreated, …Updated, …Deleted
    ├── WorkshopOrderRoadworthyEvent  WorkshopOrderRoadworthyCreated, …Updated, …Deleted
    ├── SalesOrderEvent             SalesOrderCreated, …Updated, …Deleted, …Invoiced
    ├── SalesTransactionEvent       SalesTransactionCreated, …Updated
    ├── StoreOrderEvent             StoreOrderCreated, …Updated
    ├── CustomerEvent               CustomerCreated, …Updated
    ├── PaymentsEvent               PaymentsCreated
    ├── WarehouseOutboundOrderEvent  WarehouseOutboundOrderCreatedOrUpdated
    ├── WarehouseStockItemEvent     WarehouseStockItemUpdated, …ReleasedForShipment
    └── UnknownEvent                a name or a payload that this version does not understand

One change in the shop can raise several events, and they can arrive out of order. The vendor does not
document how often it redelivers. So handlers must be idempotent. Vendor page: "Webhooks".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct

from cyclesoft_async import models

__all__ = [
    "EVENT_TYPES",
    "CustomerCreated",
    "CustomerEvent",
    "CustomerUpdated",
    "Entity",
    "Event",
    "KnownEvent",
    "PaymentsCreated",
    "PaymentsEvent",
    "SalesOrderCreated",
    "SalesOrderDeleted",
    "SalesOrderEvent",
    "SalesOrderInvoiced",
    "SalesOrderUpdated",
    "SalesTransactionCreated",
    "SalesTransactionEvent",
    "SalesTransactionUpdated",
    "StoreOrderCreated",
    "StoreOrderEvent",
    "StoreOrderUpdated",
    "UnknownEvent",
    "WarehouseOutboundOrderCreatedOrUpdated",
    "WarehouseOutboundOrderEvent",
    "WarehouseStockItemEvent",
    "WarehouseStockItemReleasedForShipment",
    "WarehouseStockItemUpdated",
    "WorkshopOrderCreated",
    "WorkshopOrderDeleted",
    "WorkshopOrderEvent",
    "WorkshopOrderRoadworthyCreated",
    "WorkshopOrderRoadworthyDeleted",
    "WorkshopOrderRoadworthyEvent",
    "WorkshopOrderRoadworthyUpdated",
    "WorkshopOrderUpdated",
]


# The bounds are those of a database column and of a datetime.
DeliveryId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
EventName: TypeAlias = Annotated[str, Meta(max_length=200)]
AccountId: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Timestamp: TypeAlias = Annotated[float, Meta(ge=0, lt=253_402_300_800)]


class Entity(NamedTuple):
    """The entity that an event concerns."""

    kind: str
    """For example "workshop_order"."""
    id: int


def _id(name: str, value: int | None) -> int:
    if value is None:
        raise ValueError(f"Object missing required field `{name}` - at `$.payload`")
    return value


class Event(Struct, frozen=True, kw_only=True):
    """A verified delivery. Handlers of this type get every event."""

    id: DeliveryId
    """The vendor's UUID of the delivery; the same for every attempt to handle it."""
    account_id: AccountId
    event_name: EventName
    """As on the wire, for example "workshop_order.updated"."""
    event_timestamp: Timestamp
    """Time of the vendor's message, in seconds since 1970."""
    is_redelivery: bool = False
    """True if handlers may have seen it: an attempt failed or was cut off, or it is replayed."""
    stale: bool = False
    """True if a newer event of the same entity was handled before."""
    received_at: datetime | None = None
    """Time of storage by the inbox's clock, aware, in UTC. None outside of handlers."""
    problems: tuple[str, ...] = ()
    """Optional properties of the payload that could not be read and are None, without their values."""

    def __post_init__(self) -> None:
        _ = self.entity  # an event about nothing could not be handled in order

    @property
    def occurred_at(self) -> datetime:
        """Time of the vendor's message, aware, in UTC."""
        return datetime.fromtimestamp(self.event_timestamp, UTC)

    @property
    def entity(self) -> Entity | None:
        """The entity, whose events are handled in order. None if it is unknown."""
        return None


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event that this version of the library does not understand.

    It stays in the inbox as a dead letter, to be replayed after an upgrade, unless a handler that is
    registered for `UnknownEvent` itself succeeds.
    """

    payload: msgspec.Raw
    """The JSON of the payload."""
    problem: str
    """The part that is not understood, without any value of the payload."""


class WorkshopOrderEvent(Event, frozen=True, kw_only=True):
    """A workshop order was created, updated or deleted."""

    payload: models.WorkshopOrderNotice

    @property
    def entity(self) -> Entity:
        """The workshop order."""
        return Entity("workshop_order", self.payload.workshop_order_id)


class WorkshopOrderCreated(WorkshopOrderEvent, frozen=True, kw_only=True):
    """`workshop_order.created`."""


class WorkshopOrderUpdated(WorkshopOrderEvent, frozen=True, kw_only=True):
    """`workshop_order.updated`."""


class WorkshopOrderDeleted(WorkshopOrderEvent, frozen=True, kw_only=True):
    """`workshop_order.deleted`: the order was marked as deleted; the payload still is the order."""


class WorkshopOrderRoadworthyEvent(Event, frozen=True, kw_only=True):
    """The workshop order that makes a sold bike roadworthy was created, updated or deleted.

    The vendor documents no payload; it is taken to be a workshop order's.
    """

    payload: models.WorkshopOrderNotice

    @property
    def entity(self) -> Entity:
        """The workshop order, as an entity apart from that of `WorkshopOrderEvent`."""
        return Entity("workshop_order_roadworthy", self.payload.workshop_order_id)


class WorkshopOrderRoadworthyCreated(WorkshopOrderRoadworthyEvent, frozen=True, kw_only=True):
    """`workshop_order_roadworthy.created`."""


class WorkshopOrderRoadworthyUpdated(WorkshopOrderRoadworthyEvent, frozen=True, kw_only=True):
    """`workshop_order_roadworthy.updated`."""


class WorkshopOrderRoadworthyDeleted(WorkshopOrderRoadworthyEvent, frozen=True, kw_only=True):
    """`workshop_order_roadworthy.deleted`."""


class SalesOrderEvent(Event, frozen=True, kw_only=True):
    """A sales order was created, updated, deleted or invoiced."""

    payload: models.SalesOrder

    @property
    def entity(self) -> Entity:
        """The sales order."""
        return Entity("sales_order", _id("sales_order_id", self.payload.sales_order_id))


class SalesOrderCreated(SalesOrderEvent, frozen=True, kw_only=True):
    """`sales_order.created`."""


class SalesOrderUpdated(SalesOrderEvent, frozen=True, kw_only=True):
    """`sales_order.updated`."""


class SalesOrderDeleted(SalesOrderEvent, frozen=True, kw_only=True):
    """`sales_order.deleted`: the order was marked as deleted; the payload still is the order."""


class SalesOrderInvoiced(SalesOrderEvent, frozen=True, kw_only=True):
    """`sales_order.invoiced`: the order became a sales transaction."""


class SalesTransactionEvent(Event, frozen=True, kw_only=True):
    """An invoice was created or updated."""

    payload: models.SalesTransaction

    @property
    def entity(self) -> Entity:
        """The invoice, by its number."""
        return Entity("sales_transaction", self.payload.invoice_number)


class SalesTransactionCreated(SalesTransactionEvent, frozen=True, kw_only=True):
    """`sales_transaction.created`."""


class SalesTransactionUpdated(SalesTransactionEvent, frozen=True, kw_only=True):
    """`sales_transaction.updated`."""


class StoreOrderEvent(Event, frozen=True, kw_only=True):
    """A delivery between two stores was created or updated."""

    payload: models.StoreOrder

    @property
    def entity(self) -> Entity:
        """The store order."""
        return Entity("store_order", self.payload.store_order_id)


class StoreOrderCreated(StoreOrderEvent, frozen=True, kw_only=True):
    """`store_order.created`."""


class StoreOrderUpdated(StoreOrderEvent, frozen=True, kw_only=True):
    """`store_order.updated`."""


class CustomerEvent(Event, frozen=True, kw_only=True):
    """A customer was created or updated."""

    payload: models.CustomerNotice

    @property
    def entity(self) -> Entity:
        """The customer."""
        return Entity("customer", _id("customer_id", self.payload.customer.customer_id))


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """`customer.created`."""


class CustomerUpdated(CustomerEvent, frozen=True, kw_only=True):
    """`customer.updated`."""


class PaymentsEvent(Event, frozen=True, kw_only=True):
    """Payments were registered."""

    KINDS: ClassVar[dict[int, str]] = {5: "sales_transaction_payments", 7: "sales_order_payments"}

    payload: models.RegisteredPayments

    @property
    def entity(self) -> Entity:
        """The payments of one invoice or order: an entity apart from that invoice or order itself."""
        paid = self.payload
        return Entity(self.KINDS.get(paid.entity_type_id, f"payments_{paid.entity_type_id}"), paid.entity_id)


class PaymentsCreated(PaymentsEvent, frozen=True, kw_only=True):
    """`payments.created`."""


class WarehouseOutboundOrderEvent(Event, frozen=True, kw_only=True):
    """An order that leaves the warehouse was created or updated."""

    payload: models.WarehouseOutboundOrder

    @property
    def entity(self) -> Entity:
        """The outbound order."""
        return Entity("warehouse_outbound_order", self.payload.outbound_order_id)


class WarehouseOutboundOrderCreatedOrUpdated(WarehouseOutboundOrderEvent, frozen=True, kw_only=True):
    """`warehouse_outbound_order.created_or_updated`."""


class WarehouseStockItemEvent(Event, frozen=True, kw_only=True):
    """An item in the warehouse was updated or released for shipment."""

    payload: models.WarehouseStockItem

    @property
    def entity(self) -> Entity:
        """The stock item."""
        return Entity("warehouse_stock_item", self.payload.warehouse_stock_item_id)


class WarehouseStockItemUpdated(WarehouseStockItemEvent, frozen=True, kw_only=True):
    """`warehouse_stock_item.updated`."""


class WarehouseStockItemReleasedForShipment(WarehouseStockItemEvent, frozen=True, kw_only=True):
    """`warehouse_stock_item.released_for_shipment`."""


KnownEvent: TypeAlias = (
    WorkshopOrderEvent
    | WorkshopOrderRoadworthyEvent
    | SalesOrderEvent
    | SalesTransactionEvent
    | StoreOrderEvent
    | CustomerEvent
    | PaymentsEvent
    | WarehouseOutboundOrderEvent
    | WarehouseStockItemEvent
)

EVENT_TYPES: dict[str, type[KnownEvent]] = {
    "sales_order.created": SalesOrderCreated,
    "sales_order.updated": SalesOrderUpdated,
    "sales_order.deleted": SalesOrderDeleted,
    "sales_order.invoiced": SalesOrderInvoiced,
    "workshop_order.created": WorkshopOrderCreated,
    "workshop_order.updated": WorkshopOrderUpdated,
    "workshop_order.deleted": WorkshopOrderDeleted,
    "sales_transaction.created": SalesTransactionCreated,
    "sales_transaction.updated": SalesTransactionUpdated,
    "store_order.created": StoreOrderCreated,
    "store_order.updated": StoreOrderUpdated,
    "payments.created": PaymentsCreated,
    "customer.created": CustomerCreated,
    "customer.updated": CustomerUpdated,
    "workshop_order_roadworthy.created": WorkshopOrderRoadworthyCreated,
    "workshop_order_roadworthy.updated": WorkshopOrderRoadworthyUpdated,
    "workshop_order_roadworthy.deleted": WorkshopOrderRoadworthyDeleted,
    "warehouse_outbound_order.created_or_updated": WarehouseOutboundOrderCreatedOrUpdated,
    "warehouse_stock_item.updated": WarehouseStockItemUpdated,
    "warehouse_stock_item.released_for_shipment": WarehouseStockItemReleasedForShipment,
}
"""The type of every event name that the vendor documents."""
