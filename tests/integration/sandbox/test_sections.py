"""The sections beside the workshop orders: every typed endpoint answers, and ids lead from one to another."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from cyclesoft_async import CycleSoftSession, models
from cyclesoft_async.errors import BadRequestError, NotFoundError, PaginationError, ResponseDecodeError
from cyclesoft_async.models import (
    AMSTERDAM,
    CustomerCreate,
    CustomerUpdate,
    PhoneNumberInput,
    RepairObjectCreate,
    RepairObjectUpdate,
    WorkshopOrderCreate,
)
from cyclesoft_async.pagination import Paginator
from cyclesoft_async.sandbox import Fault, Faults, Sandbox
from cyclesoft_async.sandbox.world.people import API_KEY
from tests.support.documented import DOCUMENTED

MONDAY = date(2025, 3, 3)


@asynccontextmanager
async def shop(**options: Any) -> AsyncGenerator[CycleSoftSession]:
    async with (
        Sandbox(orders=120, minutely_limit=10_000, **options) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        yield cs


async def test_every_id_of_an_order_is_found_by_its_section() -> None:
    async with shop() as cs:
        orders = await cs.workshop_orders.list().collect()
        employees = {employee.employee_id: employee for employee in await cs.common.employees()}
        codes = {code.code for code in await cs.workshop.repair_codes()}
        for order in orders[:40]:
            assert order.customer_id is not None
            assert order.repair_object_id is not None
            customer = await cs.customers.get(order.customer_id)
            bike = await cs.repair_objects.get_by_id(order.repair_object_id)
            assert bike.customer_id == customer.customer_id == order.customer_id
            assert await cs.repair_objects.get(order.customer_id, bike.object_id) == bike
            assert order.mechanic_employee_id in employees
            assert {item.barcode for item in order.order_items if item.item_type_id == 4} <= codes
            payers = {item.assigned_to_customer_id for item in order.order_items}
            assert all([(await cs.customers.get(payer or 0)).name for payer in payers])


async def test_customers_are_found_by_what_is_known_of_them() -> None:
    async with shop() as cs:
        everyone = await cs.customers.list().collect()
        one = everyone[7]
        number = (one.phone_numbers[0].phone_number or "").replace("-", " ")
        email, find = (one.email or "").upper(), cs.customers.find
        assert await find(email=email) == await find(phone_number=number) == [one]
        assert await find(postal_code=one.postcode, housenumber=one.house_number, email=email) == [one]
        assert await find(query=f"{one.first_name} {one.name}", email=email) == [one]
        assert await cs.customers.find(query="nobody of that name") == []


async def test_a_customer_is_created_changed_and_listed_since() -> None:
    async with shop(page_size=20) as cs:
        before = datetime(2024, 1, 1, tzinfo=AMSTERDAM)
        new = CustomerCreate(
            name="Test", phone_numbers=[PhoneNumberInput(phone_number_id="mob", phone_number="06-1")]
        )
        made = await cs.customers.create(new)
        assert made.customer_id is not None
        changed = await cs.customers.update(
            made.customer_id, CustomerUpdate(city="Ede", discount_percentage=5)
        )
        assert (changed.name, changed.city, changed.discount_percentage) == ("Test", "Ede", Decimal(5))
        assert [number.phone_number for number in changed.phone_numbers] == ["06-1", ""]
        assert await cs.customers.get(made.customer_id) == changed
        assert await cs.customers.list(modified_since=before).collect() == [changed]
        pages = [page async for page in cs.customers.list().pages()]
        assert [len(page.items) for page in pages] == [20, 20, len(pages[2].items)]
        assert pages[2].items[-1] == changed


async def test_repair_objects_are_searched_created_and_changed() -> None:
    async with shop(page_size=25) as cs:
        everything = await cs.repair_objects.list().collect()
        assert len(everything) == 70
        one = everything[9]
        assert one.customer_id is not None
        assert [item.object_id async for item in cs.repair_objects.search(one.frame_id)] == [one.object_id]
        of_owner = await cs.repair_objects.of_customer(one.customer_id)
        assert one in of_owner
        assert await cs.repair_objects.search(str(one.customer_id)).collect() == of_owner
        wanted = RepairObjectCreate(brand="Gazelle", frame_id="GZ1", lease_fleet_customer_id=501)
        made = await cs.repair_objects.create(one.customer_id, wanted)
        assert (made.brand, made.frame_id, made.lease_fleet_customer_id) == ("Gazelle", "GZ1", 501)
        sold = await cs.repair_objects.update(
            one.customer_id, made.object_id, RepairObjectUpdate(is_active=False)
        )
        assert (sold.is_active, sold.brand) == (False, "Gazelle")
        with pytest.raises(NotFoundError):
            await cs.repair_objects.get(one.customer_id + 1, made.object_id)


async def test_an_order_takes_room_of_its_mechanics_day() -> None:
    async with shop() as cs:
        [before] = await cs.workshop.trading_hours(1, day_count=1, start_date=MONDAY)
        start = datetime(2025, 3, 3, 9, tzinfo=AMSTERDAM)
        await cs.workshop_orders.create(
            1001,
            WorkshopOrderCreate(
                store_id=1, mechanic_employee_id=11, datetime_scheduled_start=start, repair_codes=["202"]
            ),
        )
        [after] = await cs.workshop.trading_hours(1, day_count=1, start_date=MONDAY)
        assert before.available_minutes is not None
        assert after.available_minutes == before.available_minutes - 75
        [sunday] = await cs.workshop.trading_hours(1, day_count=1, start_date=date(2025, 3, 2))
        assert (sunday.is_closed, sunday.day_id, sunday.available_minutes) == (True, 0, 0)
        stores = await cs.workshop.trading_hours_per_store(day_count=2, start_date=MONDAY).collect()
        assert [(store.store_id, len(store.trading_hours)) for store in stores] == [(1, 2), (2, 2), (3, 2)]
        with pytest.raises(BadRequestError, match="Unknown store"):
            await cs.workshop.trading_hours(9)


async def test_closing_one_barcode_closes_its_service() -> None:
    async with shop(page_size=10) as cs:
        items = await cs.service_items.list().collect()
        assert any(item.service_id is None for item in items)
        still_open = next(item for item in items if item.is_open and item.service_id)
        assert still_open.customer_id is not None
        assert still_open.service_barcode is not None
        closed = await cs.service_items.close(still_open.service_barcode, reference="R1")
        assert [item.service_status_id for item in closed] == [4, 4, 4]
        assert await cs.service_items.get(still_open.customer_id, still_open.service_id or 0) == closed
        assert set(closed) <= set(await cs.service_items.of_customer(still_open.customer_id))
        with pytest.raises(NotFoundError):
            await cs.service_items.close("DSK-1-1")


async def test_common_lists() -> None:
    async with shop() as cs:
        enums = await cs.common.enums()
        assert await cs.common.enum("workshop_order_status") == enums["workshop_order_status"]
        assert await cs.common.enum("workshop-order-status") == enums["workshop_order_status"]
        texts = {entry.id: entry.description for entry in enums["workshop_order_status"]}
        orders = await cs.workshop_orders.list()
        assert all(texts[order.status_id or 0] == order.status_text for order in orders.items)
        assert set(models.WorkshopOrderStatus) == set(texts)
        english = {entry.description_en for entry in enums["workshop_order_status"]}
        for subject, entries in enums.items():
            shared = english & {entry.description_en for entry in entries}
            assert not shared or subject == "workshop_order_status", "each enum has texts of its own"
        employees = await cs.common.employees()
        assert all(employee.has_code(str(1000 + employee.employee_id), API_KEY) for employee in employees)
        brands = await cs.common.bike_brands()
        assert {brand.type for brand in brands} == {"bike-brand"}
        assert set(brands) < set(await cs.common.suppliers())
        assert {brand.type for brand in await cs.common.moped_brands()} == {"moped-brand"}
        with pytest.raises(NotFoundError):
            await cs.common.enum("no_such_enum")


PATHS = {
    "repair_objects.get": "/api/v1/customers/1001/objects/10001.json",
    "customers.get": "/api/v1/customers/1001.json",
    "customers.list": "/api/v1/customers/list.json",
    "workshop.trading_hours": "/api/v2/workshop/trading-hours.json",
    "workshop.repair_codes": "/api/v1/workshop/repair-codes.json",
    "service_items.list": "/api/v1/workshop/repair-objects/service-items.json",
    "common.employees": "/api/v1/common/employees.json",
    "common.enums": "/api/v1/common/enum.json",
    "common.suppliers": "/api/v1/common/suppliers.json",
}


@pytest.mark.parametrize("name", PATHS)
async def test_answers_have_the_keys_of_the_vendors_examples(name: str) -> None:
    async with shop() as cs:
        raw = await cs.request("GET", PATHS[name], type=msgspec.Raw)
        answer = json.loads(bytes(raw))
    written = json.loads(DOCUMENTED[name].example("response") or b"{}")
    assert shape(answer) == shape(written)


def shape(value: object) -> object:
    """The keys of an answer, and those of the first row of each list."""
    if isinstance(value, list):
        found = cast("list[object]", value)
        return shape(found[0]) if found else None
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    if "sales_order_types" in members or "workshop_rates" in members:
        return shape(next(iter(members.values())))  # a map by name
    return {name: None if name == "images" else shape(item) for name, item in members.items()}


FAULTY: dict[str, Callable[[CycleSoftSession], Paginator[Any]]] = {
    "customers.list": lambda cs: cs.customers.list(),
    "service_items.list": lambda cs: cs.service_items.list(),
    "repair_objects.list": lambda cs: cs.repair_objects.list(),
}


@pytest.mark.parametrize("name", FAULTY)
async def test_faults_of_lists_know_every_list(name: str) -> None:
    def faulty(fault: Fault) -> Faults:
        return Faults(rate=1.0, among=[fault])

    async with shop(page_size=1_000, faults=faulty(Fault.BAD_ROW)) as cs:
        first = await FAULTY[name](cs)
        assert (len(first.rejected), first.rejected[0].index) == (1, 0)
    async with shop(page_size=1_000, faults=faulty(Fault.REPEATED_CURSOR)) as cs:
        with pytest.raises(PaginationError, match="repeated a cursor"):
            await FAULTY[name](cs).collect()
    async with shop(page_size=1_000, faults=faulty(Fault.EMPTY_PAGE)) as cs:
        pages = FAULTY[name](cs).pages()
        first, second = await anext(pages), await anext(pages)
        await pages.aclose()
        assert (first.items, second.items, first.cursor != second.cursor) == ([], [], True)


async def test_a_bad_row_of_a_bare_array_is_refused() -> None:
    async with shop(faults=Faults(rate=1.0, among=[Fault.BAD_ROW])) as cs:
        with pytest.raises(ResponseDecodeError):
            await cs.workshop.repair_codes()
