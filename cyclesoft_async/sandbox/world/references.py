"""Checks that the ids in a record are those of existing records of the same customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclesoft_async.sandbox.orders.places import STORES
from cyclesoft_async.sandbox.orders.schema import Order
from cyclesoft_async.sandbox.responses import bad_request

from .people import EMPLOYEES

if TYPE_CHECKING:
    from .world import World


def check_order(world: World, order: Order) -> None:
    """Check what an order refers to. 0 is none.

    Raises:
        ApiError: The store, an employee, the bike, the telephone number or a payer does not exist.
    """
    customer = world.customer(order["customer_id"])
    if order["store_id"] not in STORES:
        raise bad_request(f"Unknown store: {order['store_id']}")
    for employee_id in (
        order["mechanic_employee_id"],
        order["created_by_employee_id"],
        order["last_update_employee_id"],
    ):
        check_employee(employee_id)
    bike = world.objects.find(order["repair_object_id"])
    if order["repair_object_id"] and (bike is None or bike["customer_id"] != order["customer_id"]):
        raise bad_request(f"Unknown repair object of the customer: {order['repair_object_id']}")
    numbers = {number["phone_number_id"] for number in customer["phone_numbers"]}
    if order["phone_number_id"] not in numbers:
        raise bad_request(f"Unknown phone number of the customer: {order['phone_number_id']}")
    for line in order["order_items"]:
        payer = line.get("assigned_to_customer_id")
        if payer and payer not in world.customers:
            raise bad_request(f"Unknown customer: {payer}")


def check_employee(employee_id: int) -> None:
    """Check that an employee exists; 0 is none.

    Raises:
        ApiError: There is none with this id.
    """
    if employee_id and employee_id not in EMPLOYEES:
        raise bad_request(f"Unknown employee: {employee_id}")
