"""How this library makes the documented calls of the workshop, customers and common lists."""

from __future__ import annotations

from datetime import date, datetime

from cyclesoft_async import models
from cyclesoft_async.models import AMSTERDAM
from cyclesoft_async.resources import (
    common,
    customers,
    repair_objects,
    service_items,
    workshop,
    workshop_orders,
)
from tests.support.documented import Typed, request_model

_MOMENT = datetime(2023, 1, 12, 12, 30, tzinfo=AMSTERDAM)
_DAY = date(2024, 10, 3)
_DAYS = {"day_count": "3", "start_date": "2024-10-03"}

WORKSHOP_CALLS: dict[str, Typed] = {
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
