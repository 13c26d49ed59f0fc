"""World: everything the shops have, each record a function of its id until it is changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from cyclesoft_async.sandbox.orders.mutations import create, update
from cyclesoft_async.sandbox.orders.repository import OrderRepository
from cyclesoft_async.sandbox.orders.schema import Order
from cyclesoft_async.sandbox.orders.seeded import SeededOrders
from cyclesoft_async.sandbox.responses import not_found
from cyclesoft_async.sandbox.times import wall_text

from .bikes import Bikes
from .customers import Customers
from .overlay import Record
from .references import check_order
from .services import Services


class World:
    """One account with three stores: whatever one record names, another one is.

    Args:
        orders: Number of seeded workshop orders.
        seed: Their seed.
        first_day: Day of the first of them.
        last_day: Day of the last of them.
        clock: Returns unix seconds.
    """

    def __init__(
        self, *, orders: int, seed: int, first_day: date, last_day: date, clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self.seeded = SeededOrders(count=orders, seed=seed, first_day=first_day, last_day=last_day)
        self.orders = OrderRepository(self.seeded)
        self.customers = Customers(self.seeded.customers, self.now)
        self.objects = Bikes(self.seeded.objects, self.customers)
        self.services = Services(self.objects, self.seeded.objects, self.now)

    def now(self) -> str:
        """Return the Dutch wall time, `2023-03-07 12:13:47`."""
        return wall_text(self.clock())

    def customer(self, customer_id: int) -> Record:
        """Return a customer.

        Raises:
            ApiError: There is none with this id.
        """
        found = self.customers.find(customer_id)
        if found is None:
            raise not_found("Customer not found")
        return found

    def create_order(self, customer_id: int, body: bytes) -> Order:
        """Create the workshop order that the JSON describes.

        Raises:
            ApiError: The JSON is not an order, or it refers to what does not exist.
        """
        self.customer(customer_id)
        order = create(
            body,
            customer_id=customer_id,
            order_id=self.orders.next_order_id(),
            now=self.now(),
            service_item=self.services.find,
        )
        check_order(self, order)
        self.orders.save(order)
        for line in order["order_items"]:
            self.services.schedule(line["barcode"])
        return order

    def update_order(self, before: Order, body: bytes) -> Order:
        """Change the order as the JSON says.

        Raises:
            ApiError: The JSON is not a change, or it refers to what does not exist.
        """
        after = update(before, body, now=self.now())
        check_order(self, after)
        self.orders.save(after)
        return after
