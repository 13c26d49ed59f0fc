"""World: everything the shops have, each record a function of its id until it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cyclesoft_async.sandbox.orders.mutations import create, update
from cyclesoft_async.sandbox.orders.repository import OrderRepository
from cyclesoft_async.sandbox.orders.schema import Order
from cyclesoft_async.sandbox.orders.seeded import SeededOrders
from cyclesoft_async.sandbox.responses import not_found
from cyclesoft_async.sandbox.times import wall_text

from .bikes import Bikes
from .counter import CounterOrders
from .customers import Customers
from .goods import Goods
from .invoices import Invoice, Invoices
from .invoicing import Invoicing
from .notices import Notices
from .overlay import Record
from .payments import Payments
from .references import check_order
from .remarks import Comments, Labels
from .sales_orders import SalesOrders
from .services import Services


class World:
    """One account with three stores: what one record names, another one is.

    Args:
        orders: Number of seeded workshop orders.
        seed: Their seed.
        first_day: Day of the first of them.
        last_day: Day of the last of them.
        clock: Returns unix seconds.

    Attributes:
        delivery_addresses: Delivery addresses by sales order.
    """

    def __init__(
        self, *, orders: int, seed: int, first_day: date, last_day: date, clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self.seeded: SeededOrders = SeededOrders(
            count=orders, seed=seed, first_day=first_day, last_day=last_day
        )
        self.customers: Customers = Customers(self.seeded.customers, self.now)
        self.objects: Bikes = Bikes(self.seeded, self.customers)
        self.orders: OrderRepository = OrderRepository(self.seeded, self.objects.matching)
        self.services: Services = Services(self.objects, self.seeded.objects, self.now)
        self.counter: CounterOrders = CounterOrders(self.seeded, seed)
        self.invoices: Invoices = Invoices(self.seeded, self.counter)
        self.sales_orders: SalesOrders = SalesOrders(
            self.orders, self.seeded, self.counter, self.invoices.of_counter_order
        )
        self.payments: Payments = Payments(self.invoices, self.now)
        self.goods: Goods = Goods(self.counter)
        self.labels: Labels = Labels(self.seeded)
        self.comments: Comments = Comments(self.seeded, self.now)
        self.delivery_addresses: dict[int, Record] = {}
        self.notices: Notices = Notices(self)
        self.invoicing: Invoicing = Invoicing(self)
        self.orders.listeners.append(self.notices.order_changed)

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

    def sales_order(self, sales_order_id: int) -> Record:
        """Return a sales order.

        Raises:
            ApiError: There is none with this id.
        """
        found = self.sales_orders.find(sales_order_id)
        if found is None:
            raise not_found("Sales order not found")
        return found

    def invoice(self, number: int) -> Invoice:
        """Return an invoice.

        Raises:
            ApiError: There is none with this number.
        """
        found = self.invoices.find(number)
        if found is None:
            raise not_found("Invoice not found")
        return found

    def create_customer(self, given: Mapping[str, Any]) -> Record:
        """Create a customer.

        Raises:
            ApiError: A field has a wrong type.
        """
        record = self.customers.create(given)
        self.notices.customer_changed(record, is_new=True)
        return record

    def update_customer(self, record: Record, given: Mapping[str, Any]) -> Record:
        """Change what is given of a customer.

        Raises:
            ApiError: A field has a wrong type.
        """
        record = self.customers.update(record, given)
        self.notices.customer_changed(record, is_new=False)
        return record

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
        self.goods.sell(order["store_id"], order["order_items"])
        return order

    def update_order(self, before: Order, body: bytes) -> Order:
        """Change the order as the JSON says.

        Raises:
            ApiError: The JSON is not a change, or it refers to what does not exist.
        """
        after = update(before, body, now=self.now())
        check_order(self, after)
        self.orders.save(after)
        known = {line["item_id"] for line in before["order_items"]}
        self.goods.sell(
            after["store_id"], [line for line in after["order_items"] if line["item_id"] not in known]
        )
        return after

    def save_at_counter(self, record: Record, *, name: str = "sales_order.updated") -> None:
        """Store a changed order of the counter, and tell of it by the name of an event."""
        record["datetime_modified"] = max(self.now(), record["datetime_modified"])
        self.sales_orders.save_at_counter(record)
        self.notices.sales_order_changed(name, record)
