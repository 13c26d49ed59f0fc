"""Customers: seeded, created and changed ones.

Vendor page: "Customers".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from cyclesoft_async.sandbox.orders.places import EMPLOYERS, LEASE_COMPANIES
from cyclesoft_async.sandbox.responses import bad_request

from .fields import write_texts
from .overlay import Overlay, Record
from .people import CREATED, make_customer, phone_number

_TEXTS: Final = (
    "customer_type_name",
    "customer_reference",
    "postcode",
    "house_number",
    "house_number_postfix",
    "company_name",
    "attn",
    "title",
    "initials",
    "insertion",
    "first_name",
    "name",
    "street",
    "city",
    "country_code_iso_3166",
    "email",
    "vat_number",
    "coc_number",
)


class Customers(Overlay):
    """The customers of the shops.

    Args:
        seeded: Ids of the customers who have bikes.
        now: Returns the Dutch wall time.
    """

    def __init__(self, seeded: range, now: Callable[[], str]) -> None:
        super().__init__(LEASE_COMPANIES, EMPLOYERS, seeded, make=make_customer)
        self._now = now
        self._modified: dict[int, str] = {}

    def modified_at(self, customer_id: int) -> str:
        """Return the Dutch wall time of the last change of a customer."""
        return self._modified.get(customer_id, CREATED)

    def create(self, given: Mapping[str, Any]) -> Record:
        """Create a customer.

        Raises:
            ApiError: A field has a wrong type.
        """
        customer_id = self.next_id()
        empty = dict.fromkeys(_TEXTS, "") | {"customer_type_name": "Klant", "country_code_iso_3166": "NL"}
        record: Record = {
            "customer_id": customer_id,
            **empty,
            "discount_percentage": 0,
            "datetime_created": self._now(),
            "phone_numbers": [phone_number(customer_id, id_, "", "") for id_ in ("mob", "tel")],
        }
        return self.update(record, given)

    def update(self, record: Record, given: Mapping[str, Any]) -> Record:
        """Change what is given of a customer, and store it.

        Raises:
            ApiError: A field has a wrong type.
        """
        write_texts(record, given, _TEXTS)
        discount = given.get("discount_percentage", record["discount_percentage"])
        if not isinstance(discount, int | float):
            raise bad_request("discount_percentage must be a number")
        record["discount_percentage"] = discount
        if "phone_numbers" in given:
            record["phone_numbers"] = _numbers(record, given["phone_numbers"])
        self._modified[record["customer_id"]] = self._now()
        self.save(record["customer_id"], record)
        return record


def _numbers(record: Record, given: object) -> list[Record]:
    """Overlay the numbers that a request names over the known ones."""
    if not isinstance(given, list):
        raise bad_request("phone_numbers must be an array")
    numbers = {item["phone_number_id"]: item for item in record["phone_numbers"]}
    for found in cast("list[object]", given):
        item = cast("Record", found) if isinstance(found, dict) else {}
        id_ = str(item.get("phone_number_id") or "")
        if not id_:
            raise bad_request("phone_number_id is required")
        known = numbers.get(id_) or phone_number(record["customer_id"], id_, "", "")
        write_texts(known, item, ("phone_number", "name"))
        numbers[id_] = known
    return list(numbers.values())
