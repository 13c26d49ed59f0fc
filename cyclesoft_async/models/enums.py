"""Ids that the vendor documents, to compare with and to write. Fields stay `int`: enums are open.

`cs.common.enums()` has all ids of an account, with their texts.
"""

from __future__ import annotations

from enum import IntEnum


class WorkshopOrderStatus(IntEnum):
    """`status_id` of a workshop order: enum `workshop_order_status`."""

    WAIT_FOR_OBJECT = 1
    WAIT_FOR_REPAIR = 2
    WAIT_FOR_ARTICLES = 3
    IN_REPAIR = 4
    WAIT_FOR_CUSTOMER = 5
    WAIT_FOR_INVOICE = 6
    COMPLETED = 7
    """Ready, and not yet picked up."""
    DONE = 8
    WAIT_FOR_SUPPLIER = 9
    WAIT_FOR_OBJECT_ONLINE = 10
    """Default of orders that were made online."""
    WAIT_FOR_INSURANCE = 11
    WAIT_FOR_INSURANCE_EXPERT = 12
    PICKUP_AT_CUSTOMER = 13
    WAIT_FOR_OBJECT_SUPPLIER = 14
    CANCELLED = 15
    DECLINED = 16


class ItemType(IntEnum):
    """`item_type_id` of a line: enum `transaction_item_types`."""

    ARTICLE = 1
    OBJECT = 2
    """A bike."""
    REPAIR_CODE = 4


class ItemStatus(IntEnum):
    """`item_status_id` of a line: enum `sales_order_item_status`."""

    NONE = 0
    ORDERED_AT_SUPPLIER = 1
    READY_FOR_PICKUP = 2
    DELIVERED = 3
    PICKED_UP = 4
    CANCELLED = 5
    """The way to cancel a line."""


class DeliveryMethod(IntEnum):
    """`delivery_method_id` of an order: enum `delivery_methods`."""

    PICK_UP_IN_STORE = 0
    DELIVERY = 3
    """Used in the vendor's examples together with a delivery address."""


class PaymentMethod(IntEnum):
    """`payment_method_id` of a payment: enum `payment_methods`."""

    PIN = 1
    CASH = 2
    VOUCHER = 5
    """Pays sales orders only, with the voucher's code."""
    BANK = 11


class EntityType(IntEnum):
    """`entity_type_id` of what a label, a comment or a payment is about: enum `entity_types`."""

    SALES_TRANSACTION = 5
    """An invoice, by its number."""
    SALES_ORDER = 7
