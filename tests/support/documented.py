"""What the vendor documents of the typed sections (data/documented.json), and how this library calls it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.resources import (
    Endpoint,
    Listing,
    common,
    customers,
    repair_objects,
    service_items,
    workshop,
    workshop_orders,
)
from tests.support.paths import DATA

__all__ = ["CALLS", "DOCUMENTED", "Documented", "example", "request_model"]

_documents = json.loads((DATA / "documented.json").read_text())


class Documented(NamedTuple):
    """An endpoint as the vendor's page describes it."""

    id: str
    section: str
    method: str
    path: str
    scopes: list[str]
    query: list[str]
    body: dict[str, Any] | None
    envelope: str
    pagination: str
    object: str | None
    properties: list[str]
    examples: list[dict[str, str]]

    def example(self, kind: str) -> bytes | None:
        """The request or response example of the page."""
        files = [item["file"] for item in self.examples if item["kind"] == kind]
        return example(files[0]) if files else None


DOCUMENTED = {item["id"]: Documented(**item) for item in _documents["endpoints"]}
OBJECTS: dict[str, list[dict[str, Any]]] = _documents["objects"]
EVENTS: list[dict[str, Any]] = _documents["events"]


def example(file: str) -> bytes:
    """A file of tests/data/examples."""
    return (DATA / "examples" / file).read_bytes()


@dataclass(frozen=True)
class Typed:
    """How this library makes a documented call."""

    description: Endpoint[Any] | Listing[Any]
    call: Callable[[CycleSoftSession], Awaitable[Any]]
    """With every parameter that the page documents."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    """The query that this sends."""
    response: type[Any] | None = None
    request: type[Any] | None = None


_MOMENT = datetime(2023, 1, 12, 12, 30, tzinfo=AMSTERDAM)
_DAY = date(2024, 10, 3)
_DAYS = {"day_count": "3", "start_date": "2024-10-03"}


def request_model(name: str, type_: type[Any]) -> Any:
    """The request example of a page as a write model; what only the server writes is left out."""
    written = json.loads(DOCUMENTED[name].example("request") or b"{}")
    known = set(type_.__struct_fields__)
    return _with_nested(type_, {key: value for key, value in written.items() if key in known})


def _with_nested(type_: type[Any], written: dict[str, Any]) -> Any:
    if "phone_numbers" in written:
        written["phone_numbers"] = [
            models.PhoneNumberInput(
                phone_number_id=number["phone_number_id"],
                phone_number=number["phone_number"],
                name=number["name"],
            )
            for number in written["phone_numbers"]
        ]
    if "order_items" in written:
        fields = models.WorkshopOrderItemInput.__struct_fields__
        written["order_items"] = [
            models.WorkshopOrderItemInput(**{key: item[key] for key in item if key in fields})
            for item in written["order_items"]
        ]
    if start := written.get("datetime_scheduled_start"):
        written["datetime_scheduled_start"] = in_amsterdam(datetime.fromisoformat(start))
    return type_(**written)


CALLS: dict[str, Typed] = {
    "workshop_orders.list": Typed(
        workshop_orders.LIST,
        lambda cs: cs.workshop_orders.list(
            store_id=1, status_ids=[1, 2], customer_id=24, repair_object_id=3, date_from=_DAY, date_until=_DAY
        ),
        {
            "store_id": "1",
            "status_ids": "1,2",
            "customer_id": "24",
            "repair_object_id": "3",
            "date_from": "2024-10-03",
            "date_until": "2024-10-03",
        },
        models.WorkshopOrder,
    ),
    "workshop_orders.get": Typed(
        workshop_orders.GET, lambda cs: cs.workshop_orders.get(24, 978768), {}, models.WorkshopOrder
    ),
    "workshop_orders.create": Typed(
        workshop_orders.CREATE,
        lambda cs: cs.workshop_orders.create(
            24, request_model("workshop_orders.create", models.WorkshopOrderCreate)
        ),
        {},
        models.WorkshopOrder,
        models.WorkshopOrderCreate,
    ),
    "workshop_orders.update": Typed(
        workshop_orders.UPDATE,
        lambda cs: cs.workshop_orders.update(
            24,
            397876,
            request_model("workshop_orders.update", models.WorkshopOrderUpdate),
            send_customer_messages=True,
        ),
        {"send_customer_messages": "true"},
        models.WorkshopOrder,
        models.WorkshopOrderUpdate,
    ),
    "workshop_orders.create_invoices": Typed(
        workshop_orders.CREATE_INVOICES,
        lambda cs: cs.workshop_orders.create_invoices(
            1000, employee_id=1005, workshop_order_status_id=9, book=True, customer_messages=True
        ),
        {},
        models.CreatedInvoice,
    ),
    "repair_objects.search": Typed(
        repair_objects.SEARCH,
        lambda cs: cs.repair_objects.search("1006"),
        {"query": "1006"},
        models.RepairObject,
    ),
    "repair_objects.list_for_customer": Typed(
        repair_objects.OF_CUSTOMER, lambda cs: cs.repair_objects.of_customer(1006), {}, models.RepairObject
    ),
    "repair_objects.list_all": Typed(
        repair_objects.LIST, lambda cs: cs.repair_objects.list(), {"limit": "1000"}, models.RepairObject
    ),
    "repair_objects.get": Typed(
        repair_objects.GET, lambda cs: cs.repair_objects.get(1006, 208410), {}, models.RepairObject
    ),
    "repair_objects.get_by_id": Typed(
        repair_objects.GET_BY_ID, lambda cs: cs.repair_objects.get_by_id(208410), {}, models.RepairObject
    ),
    "repair_objects.create": Typed(
        repair_objects.CREATE,
        lambda cs: cs.repair_objects.create(
            1006, request_model("repair_objects.create", models.RepairObjectCreate)
        ),
        {},
        models.RepairObject,
        models.RepairObjectCreate,
    ),
    "repair_objects.update": Typed(
        repair_objects.UPDATE,
        lambda cs: cs.repair_objects.update(
            1006, 208694, request_model("repair_objects.update", models.RepairObjectUpdate)
        ),
        {},
        models.RepairObject,
        models.RepairObjectUpdate,
    ),
    "customers.get": Typed(customers.GET, lambda cs: cs.customers.get(1006), {}, models.Customer),
    "customers.create": Typed(
        customers.CREATE,
        lambda cs: cs.customers.create(request_model("customers.create", models.CustomerCreate)),
        {},
        models.Customer,
        models.CustomerCreate,
    ),
    "customers.update": Typed(
        customers.UPDATE,
        lambda cs: cs.customers.update(26196, request_model("customers.update", models.CustomerUpdate)),
        {},
        models.Customer,
        models.CustomerUpdate,
    ),
    "customers.find": Typed(
        customers.FIND,
        lambda cs: cs.customers.find(
            phone_number="0733030050",
            postal_code="5388GM",
            housenumber="1",
            housenumber_postfix="a",
            email="name@domain.nl",
            query="name of customer",
            country_code="NL",
            customer_type_id=2,
        ),
        {
            "phone_number": "0733030050",
            "postal_code": "5388GM",
            "housenumber": "1",
            "housenumber_postfix": "a",
            "email": "name@domain.nl",
            "query": "name of customer",
            "country_code": "NL",
            "customer_type_id": "2",
        },
        models.Customer,
    ),
    "customers.list": Typed(
        customers.LIST,
        lambda cs: cs.customers.list(modified_since=_MOMENT),
        {"modified_since": "2023-01-12 12:30:00"},
        models.Customer,
    ),
    "workshop.trading_hours": Typed(
        workshop.TRADING_HOURS,
        lambda cs: cs.workshop.trading_hours(2, day_count=3, start_date=_DAY),
        {"store_id": "2", **_DAYS},
        models.TradingDay,
    ),
    "workshop.trading_hours_per_store": Typed(
        workshop.TRADING_HOURS_PER_STORE,
        lambda cs: cs.workshop.trading_hours_per_store(day_count=3, start_date=_DAY),
        _DAYS,
        models.StoreTradingDays,
    ),
    "workshop.repair_codes": Typed(
        workshop.REPAIR_CODES, lambda cs: cs.workshop.repair_codes(), {}, models.RepairCode
    ),
    "service_items.list_for_customer": Typed(
        service_items.OF_CUSTOMER, lambda cs: cs.service_items.of_customer(2001), {}, models.ServiceItem
    ),
    "service_items.get": Typed(
        service_items.GET, lambda cs: cs.service_items.get(2001, 1790811), {}, models.ServiceItem
    ),
    "service_items.list": Typed(
        service_items.LIST,
        lambda cs: cs.service_items.list(modified_start=_DAY, modified_end=_DAY),
        {"modified_start": "2024-10-03", "modified_end": "2024-10-03"},
        models.ServiceItem,
    ),
    "service_items.close": Typed(
        service_items.CLOSE,
        lambda cs: cs.service_items.close("DSK-2080494-1", service_status_id=4, reference="Ref-11"),
        {},
        models.ServiceItem,
    ),
    "common.enums": Typed(common.ENUMS, lambda cs: cs.common.enums(), {}, models.EnumEntry),
    "common.enum": Typed(common.ENUM, lambda cs: cs.common.enum("sales_order_types"), {}, models.EnumEntry),
    "common.employees": Typed(common.EMPLOYEES, lambda cs: cs.common.employees(), {}, models.Employee),
    "common.suppliers": Typed(common.SUPPLIERS, lambda cs: cs.common.suppliers(), {}, models.Supplier),
    "common.bike_brands": Typed(common.BIKE_BRANDS, lambda cs: cs.common.bike_brands(), {}, models.Supplier),
    "common.moped_brands": Typed(
        common.MOPED_BRANDS, lambda cs: cs.common.moped_brands(), {}, models.Supplier
    ),
}
"""How each documented endpoint of the typed sections is called. Adding an endpoint adds a line."""
