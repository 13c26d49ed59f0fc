"""Orders for the benchmarks: the sandbox's, two or three lines each, formatted like the vendor's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from cyclesoft_async.sandbox.orders.seeded import SeededOrders

__all__ = ["FIRST_DAY", "LAST_DAY", "LIST_PATH", "PAGE_SIZE", "Template", "envelope", "page", "templates"]

LIST_PATH = "/api/v1/workshop/orders.json"
PAGE_SIZE = 100
FIRST_DAY, LAST_DAY = date(2025, 1, 1), date(2025, 12, 31)


class Template(NamedTuple):
    """An order in JSON, split at its id and at the day of its scheduled start."""

    head: bytes
    middle: bytes
    tail: bytes

    def order(self, order_id: int, day: date) -> bytes:
        """Return the order with this id on this day."""
        return b"%b%d%b%b%b" % (self.head, order_id, self.middle, day.isoformat().encode(), self.tail)


def templates(count: int) -> list[Template]:
    """Return a number of different orders."""
    seeded = SeededOrders(count=count, seed=1, first_day=FIRST_DAY, last_day=LAST_DAY)
    return [_template(json.dumps(seeded.order(index)).encode()) for index in range(count)]


def _template(order: bytes) -> Template:
    before, id_key, rest = order.partition(b'"workshop_order_id": ')
    order_id = rest.partition(b",")[0]
    middle, day_key, after = rest.removeprefix(order_id).partition(b'"datetime_scheduled_start": "')
    return Template(before + id_key, middle + day_key, after[len("2025-01-01") :])


def envelope(rows: Iterable[bytes], next_url: str | None = None) -> bytes:
    """Return a response of the list endpoint."""
    head = b'{"error": false, "error_message": null, "data": ['
    return head + b", ".join(rows) + b'], "pagination": {"next_url": %b}}' % json.dumps(next_url).encode()


def page(size: int) -> bytes:
    """Return a page of orders, the last of its list."""
    return envelope(
        template.order(1_000_000 + index, FIRST_DAY) for index, template in enumerate(templates(size))
    )
