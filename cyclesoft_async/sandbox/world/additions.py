"""Records that a test adds to the world.

The fields and their checks are those of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cyclesoft_async.sandbox.responses import bad_request

if TYPE_CHECKING:
    from .world import World


class Added(NamedTuple):
    """Ids of what was added. 0 is none."""

    customer_id: int = 0
    object_id: int = 0
    workshop_order_id: int = 0


def add(
    world: World,
    *,
    customer: Mapping[str, object] | None,
    bike: Mapping[str, object] | None,
    order: Mapping[str, object] | None,
) -> Added:
    """Add records that belong together.

    Raises:
        ApiError: A property is invalid, or refers to what does not exist.
    """
    customer_id = object_id = order_id = 0
    if customer is not None:
        customer_id = world.create_customer(customer)["customer_id"]
    if bike is not None:
        object_id = world.objects.create(_owner(world, bike, customer_id), bike)["object_id"]
    if order is not None:
        properties = {"repair_object_id": object_id, **order}
        owner = _owner(world, order, customer_id)
        order_id = world.create_order(owner, msgspec.json.encode(properties))["workshop_order_id"]
    return Added(customer_id, object_id, order_id)


def _owner(world: World, properties: Mapping[str, object], added: int) -> int:
    owner = properties.get("customer_id", added)
    if not isinstance(owner, int) or not owner:
        raise bad_request("customer_id is required")
    world.customer(owner)
    return owner
