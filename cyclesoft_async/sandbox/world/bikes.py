"""Bikes: the customers' repair objects, each a function of an id.

Vendor page: "Repair objects".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cyclesoft_async.sandbox.orders import places
from cyclesoft_async.sandbox.orders.catalogue import BIKES
from cyclesoft_async.sandbox.orders.places import EMPLOYERS
from cyclesoft_async.sandbox.orders.seeded import SeededOrders, frame_number
from cyclesoft_async.sandbox.responses import bad_request

from .fields import write_integers, write_texts
from .overlay import Overlay, Record

_COLORS: Final = ("Zwart", "Grijs", "Blauw", "Groen", "Wit")
_TEXTS: Final = (
    "object_barcode",
    "object_type_name",
    "category",
    "brand",
    "model",
    "model_year",
    "color",
    "variant",
    "phone_number_id",
    "license_plate",
    "km_mileage",
    "frame_id",
    "chip_id",
    "key_id",
    "engine_id",
    "battery_id",
    "lock_id",
)
_INTEGERS: Final = ("workshop_rate_id", "service_level_id")
_LEASE: Final = ("lease_fleet_customer_id", "lease_employer_customer_id")


class Bikes(Overlay):
    """The repair objects of the customers.

    Args:
        seeded: The orders, for the seeded bikes that they repair.
        customers: The customers, for those that lease.
    """

    def __init__(self, seeded: SeededOrders, customers: Overlay) -> None:
        super().__init__(seeded.objects, make=make_object)
        self._seeded = seeded
        self._customers = customers

    def of_customer(self, customer_id: int) -> Iterator[Record]:
        """Iterate over the objects of a customer."""
        bikes = self.among(places.objects_of(customer_id))
        return (bike for bike in bikes if bike["customer_id"] == customer_id)

    def matching(self, query: str) -> frozenset[int]:
        """Return the ids of the objects whose frame number, or brand and model, match.

        Of the unchanged seeded bikes these are the first thousand (F19).
        """
        frame, words = query.strip().casefold(), query.casefold().split()
        saved = {
            id_
            for id_, bike in self._saved.items()
            if frame == bike["frame_id"].casefold()
            or all(word in f"{bike['brand']} {bike['model']}".casefold() for word in words)
        }
        return self._seeded.objects_matching(query) - self._saved.keys() | saved

    def create(self, customer_id: int, given: Mapping[str, Any]) -> Record:
        """Create an object of a customer.

        Raises:
            ApiError: A field has a wrong type, or a lease company does not exist.
        """
        empty = dict.fromkeys(_TEXTS, "") | dict.fromkeys((*_LEASE, "lease_contract_number"))
        record = make_object(self.next_id()) | empty
        return self.update(record | {"customer_id": customer_id, "object_type_name": "fiets"}, given)

    def update(self, record: Record, given: Mapping[str, Any]) -> Record:
        """Change what is given of an object, and store it.

        Raises:
            ApiError: A field has a wrong type, or a lease company does not exist.
        """
        write_texts(record, given, _TEXTS)
        write_integers(record, given, (*_INTEGERS, *_LEASE))
        for name in _LEASE:
            if record[name] and record[name] not in self._customers:
                raise bad_request(f"Unknown customer: {record[name]}")
        is_active = given.get("is_active", record["is_active"])
        if not isinstance(is_active, bool):
            raise bad_request("is_active must be a boolean")
        record["is_active"] = is_active
        record["lease_contract_number"] = given.get("lease_contract_number", record["lease_contract_number"])
        self.save(record["object_id"], record)
        return record


def make_object(object_id: int) -> Record:
    """Return the seeded object with this id."""
    owner = places.owner_of(object_id)
    company = places.lease_company_of(owner)
    bike = BIKES[object_id % len(BIKES)]
    is_electric = "E-" in bike.model or "E+" in bike.model or "HMB" in bike.model
    return {
        "customer_id": owner,
        "object_id": object_id,
        "object_barcode": f"OBJ{object_id}",
        "is_active": True,
        "object_type_name": "fiets",
        "category": "Elektrische fietsen" if is_electric else "Stadsfietsen",
        "brand": bike.brand,
        "model": bike.model,
        "model_year": str(2015 + object_id % 10) if object_id % 5 else "",
        "color": _COLORS[object_id % len(_COLORS)],
        "variant": "Heren" if object_id % 2 else "Dames",
        "phone_number_id": "mob",
        "license_plate": "",
        "km_mileage": "0",
        "frame_id": frame_number(object_id),
        "chip_id": "",
        "key_id": "",
        "engine_id": "",
        "battery_id": f"AC{object_id}" if is_electric else "",
        "lock_id": "",
        "workshop_rate_id": 1,
        "service_level_id": 0,
        "images": [],
        "lease_fleet_customer_id": company,
        "lease_employer_customer_id": None if company is None else EMPLOYERS[object_id % len(EMPLOYERS)],
        "lease_contract_number": None if company is None else f"LC-{object_id}",
    }
