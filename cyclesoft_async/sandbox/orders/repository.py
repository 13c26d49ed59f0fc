"""Order repository: seeded orders, overlaid with created and changed ones."""

from __future__ import annotations

import copy
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import count, islice
from random import Random
from typing import TypeAlias

from .query import Filters, Key, ListOrder, place
from .schema import Order
from .seeded import SeededOrders

ChangeListener: TypeAlias = Callable[[Order | None, Order], None]
"""Called with the order before a change (None if it is new) and after it."""


class OrderRepository:
    """Finds, lists and saves orders. Deleted orders remain with `is_active: false`.

    Args:
        seeded: The seeded orders.
        objects_matching: Returns the ids of the repair objects that an `object_query` selects.

    Attributes:
        listeners: Called after every change.
    """

    def __init__(self, seeded: SeededOrders, objects_matching: Callable[[str], frozenset[int]]) -> None:
        self.listeners: list[ChangeListener] = []
        self._seeded = seeded
        self._objects_matching = objects_matching
        self._changed_orders: dict[int, Order] = {}
        self._keys: list[Key] = []  # of _changed_orders, sorted
        self._created = 0
        self._ids = count(seeded.next_id)

    def __len__(self) -> int:
        return self._seeded.count + self._created

    def find(self, order_id: int) -> Order | None:
        """Return a copy of the order, or None. `save` stores a changed copy."""
        changed = self._changed_orders.get(order_id)
        if changed is not None:
            return copy.deepcopy(changed)
        index = self._seeded.index_of(order_id)
        return None if index is None else self._seeded.order(index)

    def save(self, order: Order) -> None:
        """Store the order and notify the listeners."""
        order_id = order["workshop_order_id"]
        before_change = self.find(order_id) if self.listeners else None
        before = self._changed_orders.get(order_id)
        if before is not None:
            self._keys.remove(_key(before))
        elif self._seeded.index_of(order_id) is None:
            self._created += 1
        self._changed_orders[order_id] = order
        insort(self._keys, _key(order))
        for listener in self.listeners:
            listener(before_change, order)

    def next_order_id(self) -> int:
        """Return an unused order id."""
        return next(self._ids)

    def draw_id(self, random: Random) -> int:
        """Draw the id of a seeded order; 0 if there is none."""
        return self._seeded.order_id(random.randrange(self._seeded.count)) if self._seeded.count else 0

    def modified_between(self, first: str, last: str) -> Iterator[Order]:
        """Yield the orders changed from one day to another, both inclusive, by ascending id."""
        seeded = {self._seeded.order_id(index) for index in self._seeded.modified_between(first, last)}
        for order_id in sorted(seeded | self._changed_orders.keys()):
            order = self.find(order_id)
            if order is not None and first <= order["datetime_modified"][:10] <= last:
                yield order

    def page(
        self, filters: Filters, after: Key | None, size: int, order: ListOrder = "start"
    ) -> tuple[list[Order], Key | None]:
        """Return the orders after the cursor, and the cursor of the next page if there is one.

        The cursor is a sort key, not a number of rows. So creating and changing other orders between two
        pages neither skips nor repeats an order.
        """
        objects = self._objects(filters)
        start = after if order == "start" else None
        both = merge(
            self._search_seeded(filters, objects, start),
            self._search_changed(filters, objects, start),
            key=_key,
        )
        if order != "start":
            everything = sorted(both, key=lambda row: place(_key(row), order))
            both = iter(
                row for row in everything if after is None or place(_key(row), order) > place(after, order)
            )
        found = list(islice(both, size + 1))
        page = found[:size]
        return page, _key(page[-1]) if len(found) > size else None

    def _objects(self, filters: Filters) -> frozenset[int] | None:
        if filters.object_query is not None:
            return self._objects_matching(filters.object_query)
        return None if filters.repair_object_id is None else frozenset({filters.repair_object_id})

    def _search_seeded(
        self, filters: Filters, objects: frozenset[int] | None, after: Key | None
    ) -> Iterator[Order]:
        for index in self._seeded.search(filters, objects, after):
            if self._seeded.order_id(index) not in self._changed_orders:
                yield self._seeded.order(index)

    def _search_changed(
        self, filters: Filters, objects: frozenset[int] | None, after: Key | None
    ) -> Iterator[Order]:
        first = 0 if after is None else bisect_right(self._keys, after)
        for _, order_id in self._keys[first:]:
            order = self._changed_orders[order_id]
            if _matches(order, filters, objects):
                yield order


def _key(order: Order) -> Key:
    return order["datetime_scheduled_start"], order["workshop_order_id"]


def _matches(order: Order, filters: Filters, objects: frozenset[int] | None) -> bool:
    day = order["datetime_scheduled_start"][:10]
    return (
        (filters.store_id is None or order["store_id"] == filters.store_id)
        and (filters.status_ids is None or order["status_id"] in filters.status_ids)
        and (filters.customer_id is None or order["customer_id"] == filters.customer_id)
        and (objects is None or order["repair_object_id"] in objects)
        and (filters.date_from is None or day >= filters.date_from)
        and (filters.date_until is None or day <= filters.date_until)
    )
