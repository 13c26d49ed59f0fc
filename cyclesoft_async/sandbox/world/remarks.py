"""Labels and comments: on every 25th seeded order, and those added since.

Vendor pages: "Labels", "Comments".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cyclesoft_async.sandbox.orders.seeded import SeededOrders
from cyclesoft_async.sandbox.responses import bad_request

from .overlay import Overlay, Record
from .payments import INVOICE, SALES_ORDER
from .people import EMPLOYEES

ENTITY_TYPES: Final = {
    1: "Klant",
    3: "Artikel",
    4: "Fiets",
    INVOICE: "Factuur",
    6: "Pakbon",
    SALES_ORDER: "Order",
}
"""Types of entities. The vendor documents 5 and 7."""
COMMENT_TYPES: Final = {1: "Note", 2: "Warning"}
_LABELS: Final = {1: "info", 2: "warning"}
_EVERY: Final = 25
_FIRST_COMMENT: Final = 400_001
_SEEDED_LABELS: Final = ("Spoed", "Belafspraak")
_SEEDED_COMMENT: Final = "Klant belt zelf terug"


class Labels:
    """Labels of entities, in the order in which they were attached."""

    def __init__(self, seeded: SeededOrders) -> None:
        self._seeded = seeded
        self._kept: dict[tuple[int, int], list[str]] = {}

    def of(self, entity_type_id: int, entity_id: int) -> list[str]:
        """Return the labels of an entity."""
        return list(self._kept.get((entity_type_id, entity_id), self._initial(entity_type_id, entity_id)))

    def attach(self, entity_type_id: int, entity_id: int, labels: list[str]) -> list[str]:
        """Attach labels that the entity does not have yet; return all it has."""
        found = dict.fromkeys(self.of(entity_type_id, entity_id) + labels)
        self._kept[entity_type_id, entity_id] = list(found)
        return list(found)

    def detach(self, entity_type_id: int, entity_id: int, labels: list[str]) -> list[str]:
        """Detach labels; return those that are left."""
        left = [label for label in self.of(entity_type_id, entity_id) if label not in labels]
        self._kept[entity_type_id, entity_id] = left
        return left

    def _initial(self, entity_type_id: int, entity_id: int) -> tuple[str, ...]:
        index = self._seeded.index_of(entity_id) if entity_type_id == SALES_ORDER else None
        return () if index is None or index % _EVERY else _SEEDED_LABELS


class Comments(Overlay):
    """Comments on entities and customers.

    Args:
        seeded: The workshop orders.
        now: Returns the Dutch wall time.
    """

    def __init__(self, seeded: SeededOrders, now: Callable[[], str]) -> None:
        ids = range(_FIRST_COMMENT, _FIRST_COMMENT - (-seeded.count // _EVERY))
        super().__init__(ids, make=self._seeded_comment)
        self._orders = seeded
        self._now = now
        self._deleted: set[int] = set()

    def find(self, id_: int) -> Record | None:
        """Return a copy of the comment, or None."""
        return None if id_ in self._deleted else super().find(id_)

    def of_entity(self, entity_type_id: int, entity_id: int) -> Iterator[Record]:
        """Yield the comments on an entity."""
        index = self._orders.index_of(entity_id) if entity_type_id == SALES_ORDER else None
        seeded = [] if index is None or index % _EVERY else [_FIRST_COMMENT + index // _EVERY]
        for comment in self.among(seeded):
            if (comment["entity_type_id"], comment["entity_id"]) == (entity_type_id, entity_id):
                yield from self._present(comment)

    def of_customer(self, customer_id: int) -> Iterator[Record]:
        """Yield the comments about a customer."""
        indices = self._orders.of_customer(customer_id)
        seeded = [_FIRST_COMMENT + index // _EVERY for index in indices if index % _EVERY == 0]
        for comment in self.among(seeded):
            if comment["customer_id"] == customer_id:
                yield from self._present(comment)

    def create(self, given: Mapping[str, Any], *, customer_id: int | None) -> Record:
        """Create a comment.

        Raises:
            ApiError: Its type or its employee does not exist, or its text is none.
        """
        comment_id = self.next_id()
        now = self._now()
        record = _comment(comment_id, given["entity_type_id"], given["entity_id"], customer_id, now)
        return self.update(record, given)

    def update(self, record: Record, given: Mapping[str, Any]) -> Record:
        """Change type, employee or text of a comment, and store it.

        Raises:
            ApiError: Its type or its employee does not exist, or its text is none.
        """
        type_id = given.get("comment_type_id") or record["comment_type_id"]
        employee_id = given.get("employee_id") or record["employee_id"]
        text = given.get("comment", record["comment"])
        if type_id not in COMMENT_TYPES:
            raise bad_request(f"Unknown comment type: {type_id}")
        if employee_id not in EMPLOYEES:
            raise bad_request(f"Unknown employee: {employee_id}")
        if not isinstance(text, str):
            raise bad_request("comment must be a string")
        record |= _type(type_id) | {"employee_id": employee_id, "comment": text, "modified_at": self._now()}
        self.save(record["comment_id"], record)
        return record

    def delete(self, comment_id: int) -> None:
        """Delete a comment."""
        self._deleted.add(comment_id)

    def _present(self, comment: Record) -> Iterator[Record]:
        if comment["comment_id"] not in self._deleted:
            yield comment

    def _seeded_comment(self, comment_id: int) -> Record:
        order = self._orders.order((comment_id - _FIRST_COMMENT) * _EVERY)
        record = _comment(
            comment_id, SALES_ORDER, order["sales_order_id"], order["customer_id"], order["datetime_created"]
        )
        return record | {"employee_id": order["created_by_employee_id"], "comment": _SEEDED_COMMENT}


def _comment(
    comment_id: int, entity_type_id: int, entity_id: int, customer_id: int | None, created_at: str
) -> Record:
    return {
        "comment_id": comment_id,
        **_type(1),
        "employee_id": 1,
        "entity_id": entity_id,
        "entity_type_id": entity_type_id,
        "entity_type_name": ENTITY_TYPES[entity_type_id],
        "customer_id": customer_id,
        "created_at": created_at,
        "modified_at": created_at,
        "comment": "",
    }


def _type(comment_type_id: int) -> Record:
    return {
        "comment_type_id": comment_type_id,
        "comment_type_name": COMMENT_TYPES[comment_type_id],
        "comment_type_label": _LABELS[comment_type_id],
    }
