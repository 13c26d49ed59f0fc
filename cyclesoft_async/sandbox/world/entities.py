"""Entities that labels, comments and payments belong to.

Vendor pages: "Labels", "Comments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclesoft_async.sandbox.responses import bad_request, not_found

from .payments import INVOICE, SALES_ORDER
from .remarks import ENTITY_TYPES

if TYPE_CHECKING:
    from .world import World

_CUSTOMER = 1
_BIKE = 4


def check_entity(world: World, entity_type_id: int, entity_id: int) -> int | None:
    """Return the customer of an entity; None if it has none.

    Raises:
        ApiError: Its type is unknown, or there is no such entity.
    """
    if entity_type_id not in ENTITY_TYPES:
        raise bad_request(f"Unknown entity type: {entity_type_id}")
    if entity_type_id == SALES_ORDER:
        return int(world.sales_order(entity_id)["customer_id"])
    if entity_type_id == INVOICE:
        return world.invoice(entity_id).customer_id
    if entity_type_id == _CUSTOMER:
        return int(world.customer(entity_id)["customer_id"])
    if entity_type_id == _BIKE and entity_id not in world.objects:
        raise not_found("Repair object not found")
    return None
