"""Service items: three yearly services of every fourth repair object.

Vendor page: "Service items".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from cyclesoft_async.sandbox.orders import places

from .overlay import Overlay, Record

FIRST_SERVICE: Final = 2_000_000
OPEN: Final = 1
CLOSED: Final = 4
_NUMBERS: Final = (1, 2, 3)
_EVERY: Final = 4
_BARCODE: Final = re.compile(r"DSK-([0-9]{1,12})-([1-3])")
_SOLD: Final = date(2024, 1, 1)


class Services:
    """Finds, schedules and closes service items.

    Args:
        objects: The repair objects.
        seeded: Ids of the objects that may have services.
        now: Returns the Dutch wall time.
    """

    def __init__(self, objects: Overlay, seeded: range, now: Callable[[], str]) -> None:
        self._objects = objects
        self._seeded = seeded
        self._now = now
        self._closed: dict[int, tuple[int, str]] = {}
        self._scheduled: set[str] = set()

    def find(self, barcode: str) -> Record | None:
        """Return the item with this barcode."""
        found = _BARCODE.fullmatch(barcode)
        items = self.of_service(int(found[1])) if found else []
        return next((item for item in items if item["service_barcode"] == barcode), None)

    def of_service(self, service_id: int) -> list[Record]:
        """Return the items of a service; none if there is no such service."""
        record = self._objects.find(service_id - FIRST_SERVICE)
        return [] if record is None else self._of_object(record)

    def of_objects(self, records: Iterable[Record]) -> Iterator[Record]:
        """Iterate over the items of these repair objects."""
        for record in records:
            yield from self._of_object(record)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over all items."""
        return self.of_objects(map(self._objects.get, filter(self._has_services, self._seeded)))

    def schedule(self, barcode: str) -> None:
        """Note that a workshop order has the item."""
        self._scheduled.add(barcode)

    def close(self, service_id: int, status_id: int) -> None:
        """Close all items of a service."""
        self._closed[service_id] = status_id, self._now()

    def _of_object(self, record: Record) -> list[Record]:
        if not self._has_services(record["object_id"]):
            return []
        return [self._item(record, number) for number in _NUMBERS]

    def _has_services(self, object_id: int) -> bool:
        return object_id % _EVERY == 0 and object_id in self._seeded

    def _item(self, record: Record, number: int) -> Record:
        service_id = FIRST_SERVICE + record["object_id"]
        barcode = f"DSK-{service_id}-{number}"
        due = (_SOLD + timedelta(days=365 * number)).isoformat()
        status, modified = CLOSED if due < self._now()[:10] else OPEN, f"{_SOLD} 10:00:00"
        status, modified = self._closed.get(service_id, (status, modified))
        return {
            "account_id": 1,
            "store_id": places.store_of(record["customer_id"]),
            "service_id": service_id,
            "service_item_id": service_id * 10 + number,
            "service_barcode": barcode,
            "service_status_id": status,
            "invoice_number": 0,  # the bikes were sold before the first order here
            "customer_id": record["customer_id"],
            "object_id": record["object_id"],
            "is_open": status == OPEN,
            "is_scheduled": barcode in self._scheduled,
            "title": f"{number}e servicebeurt",
            "description": f"{number}e servicebeurt",
            "gross_unit_price_cents": 6900,
            "unit_discount_amount_cents": 6900 if number == 1 else 0,
            "amount_payed_in_advance_cents": 0,
            "time_minutes": 60,
            "scheduled_at": due,
            "scheduled_at_km_age": 0,
            "modified_at": modified,
        }
