"""Sample payloads of every documented event, from the sandbox's world.

Vendor pages: "Webhooks", of the shops and of the warehouse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from .orders.catalogue import ORDER_STATUSES
from .world.counter import CANCELLATIONS, DELIVERY_METHODS, STATUSES, TYPES
from .world.notices import ACCOUNT, STORE_ORDER_STATUSES, STORE_ORDER_TYPES, dealer_id
from .world.overlay import Record
from .world.payments import CASH, INVOICE, PIN, Payment
from .world.world import World

_ORDERS: Final = 120
_SALES: Final = ("created", "updated", "deleted", "invoiced")
_WORKSHOP: Final = ("created", "updated", "deleted")
_TWO_STATES: Final = ("created", "updated")


def sample(event_name: str) -> Record | None:
    """Return a documented payload of an event; None if the vendor documents no such event."""
    make = _SAMPLES.get(event_name)
    return None if make is None else make(_world())


def text_of(record: Record, name: str) -> tuple[str, str | None] | None:
    """Return the property with the text of an id, and the text of the id's present value.

    Returns:
        None if the vendor sends no text beside this id. The text is empty for a value that is not known.
    """
    for kind, texts in _TEXTS.items():
        if kind in record:
            if name not in texts:
                return None
            text_name, known = texts[name]
            value = record[name]
            return text_name, known.get(value, "") if isinstance(value, int) else ""
    return None


def _world() -> World:
    return World(
        orders=_ORDERS, seed=1, first_day=date(2025, 1, 1), last_day=date(2025, 12, 31), clock=time.time
    )


def _workshop_order(world: World) -> Record:
    return world.notices.workshop_order(world.seeded.order(0))


def _sales_order(world: World) -> Record:
    return world.notices.sales_order(world.sales_orders.of_workshop(world.seeded.order(0)))


def _transaction(world: World) -> Record:
    return world.notices.transaction(world.invoices.of_order(world.seeded.order_id(0))[0])


def _payments(world: World) -> Record:
    [invoice, *_] = world.invoices.of_order(world.seeded.order_id(0))
    half = invoice.total_cents // 2
    parts = {PIN: half, CASH: invoice.total_cents - half}
    return world.notices.payments(
        [
            Payment(number, INVOICE, invoice.number, method, cents, invoice.created_at)
            for number, (method, cents) in enumerate(parts.items(), 1)
        ]
    )


def _customer(world: World) -> Record:
    return world.notices.customer(world.customer(world.seeded.customer_of(0)))


def _store_order(world: World) -> Record:
    order = world.sales_order(world.seeded.order_id(0))
    return world.notices.store_order(45_001, order, to_store=order["store_id"] % 3 + 1)


def _outbound_order(_: World) -> Record:
    return {
        "outbound_order_id": 100_001,
        "outbound_order_type_id": 1,
        "outbound_order_status_id": 1,
        "dealer_id": dealer_id(1),
        "account_id": ACCOUNT,
        "store_id": 1,
        "created_at": "2025-03-03 11:07:48",
        "datetime_preferred_delivery": None,
        "sales_order_id": 700_001,
        "order_reference_text": "",
        "order_items": [
            {
                "outbound_order_item_id": 200_001,
                "item_type_id": 1,
                "is_active": True,
                "barcode": "4026495710589",
                "quantity": 1,
                "quantity_claimed": 0,
                "quantity_shipped": 0,
                "is_blocked_for_claiming": False,
                "description": "Schwalbe Marathon Plus 28x1.75",
                "remark": "",
                "reference": "",
                "is_sold_to_customer": True,
                "is_attached_to_outbound_item_id": None,
                "is_pooled_within_stores": False,
            }
        ],
    }


def _stock_item(world: World) -> Record:
    bike = world.goods.bikes.get(30_001)
    return {
        "warehouse_stock_item_id": 300_001,
        "warehouse_outbound_order_id": 100_001,
        "warehouse_outbound_order_item_id": 200_001,
        "warehouse_outbound_shipment_id": 0,  # 0 is none here
        "warehouse_outbound_shipment_item_id": 0,
        "warehouse_location": {"location": "A-01", "rack_name": "A"},
        "supplier_id": 111,
        "article_id": bike["object"]["article_id"],
        "barcode": bike["object"]["barcode"],
        "battery_id": "",
        "customer_id": world.seeded.customer_of(0),
        "customer_order_id": 700_001,
        "employee_first_name": "Sanne",
        "employee_last_name": "",
        "frame_id": bike["identification"]["frame_number"],
        "is_assembled": True,
        "is_shipped": False,
        "is_delivered": False,
        "key_id": "",
        "lock_id": "",
        "license_plate_number": "",
        "order_reference_id": "",
        "order_reference_text": "",
        "labels": [],
        "sub_order_items": [],
    }


_SAMPLES: Final[dict[str, Callable[[World], Record]]] = {
    **{f"sales_order.{state}": _sales_order for state in _SALES},
    **{f"workshop_order.{state}": _workshop_order for state in _WORKSHOP},
    **{f"workshop_order_roadworthy.{state}": _workshop_order for state in _WORKSHOP},
    **{f"sales_transaction.{state}": _transaction for state in _TWO_STATES},
    **{f"store_order.{state}": _store_order for state in _TWO_STATES},
    **{f"customer.{state}": _customer for state in _TWO_STATES},
    "payments.created": _payments,
    "warehouse_outbound_order.created_or_updated": _outbound_order,
    "warehouse_stock_item.updated": _stock_item,
    "warehouse_stock_item.released_for_shipment": _stock_item,
}

_TEXTS: Final[Mapping[str, Mapping[str, tuple[str, Mapping[int, str | None]]]]] = {
    "workshop_order_id": {"status_id": ("status_text", {**ORDER_STATUSES})},
    "store_order_id": {
        "status_id": ("status", {**STORE_ORDER_STATUSES}),
        "store_order_type_id": ("store_order_type", {**STORE_ORDER_TYPES}),
    },
    "sales_order_id": {
        "status_id": ("status_text", {**STATUSES}),
        "order_type_id": ("order_type_text", {**TYPES}),
        "delivery_method_id": ("delivery_method_description", {**DELIVERY_METHODS}),
        "cancellation_type_id": ("cancellation_description", {0: None, **CANCELLATIONS}),
    },
}
"""By the id that an object has: its ids that come with a text, that text's property, and all texts."""

EVENT_NAMES: Final = tuple(_SAMPLES)
"""Names of the documented events."""
