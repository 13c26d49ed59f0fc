"""Sync of all tables: what the sandbox has is in the tables, once, and the views answer from them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.bulksync import ALL_TABLES, SHOP_TABLES, Store, TablesReport, sync
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import (
    AMSTERDAM,
    CustomerCreate,
    CustomerUpdate,
    PhoneNumberInput,
    RepairObjectUpdate,
)
from cyclesoft_async.sandbox import Sandbox
from tests.support.store import rows
from tests.support.sync import LIMITLESS

TODAY = datetime.now(AMSTERDAM).date()
FIRST, LAST = TODAY - timedelta(days=20), TODAY + timedelta(days=10)


@asynccontextmanager
async def shop(orders: int = 400) -> AsyncGenerator[tuple[Sandbox, CycleSoftSession]]:
    async with (
        Sandbox(
            orders=orders,
            minutely_limit=LIMITLESS,
            daily_limit=LIMITLESS,
            first_day=FIRST,
            last_day=LAST,
        ) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        yield sandbox, cs


async def copy(cs: CycleSoftSession, url: str, names: Sequence[str] = SHOP_TABLES) -> TablesReport:
    return await sync(cs, Store(url), names, date_from=FIRST, date_until=LAST)


def ids(url: str, table: str, key: str) -> list[object]:
    found = rows(url, f"select {key} from {table} where deleted_at is null order by 1")  # noqa: S608
    return [row[0] for row in found]


async def test_every_table_has_what_the_server_has(url: str) -> None:
    async with shop() as (_, cs):
        report = await copy(cs, url)
        customers = await cs.customers.list().collect()
        bikes = await cs.repair_objects.list().collect()
        items = await cs.service_items.list().collect()
        employees = await cs.common.employees()
        codes = await cs.workshop.repair_codes()
        subjects = await cs.common.enums()
    assert ids(url, "customers", "customer_id") == sorted(each.customer_id or 0 for each in customers)
    numbers = "select customer_id, phone_number_id, phone_number from phone_numbers"
    assert set(rows(url, numbers)) == {
        (each.customer_id, number.phone_number_id, number.phone_number)
        for each in customers
        for number in each.phone_numbers
    }
    assert ids(url, "repair_objects", "object_id") == sorted(each.object_id for each in bikes)
    assert ids(url, "service_items", "service_item_id") == sorted(each.service_item_id for each in items)
    assert rows(url, "select employee_id, employee_name from employees order by 1") == sorted(
        (each.employee_id, each.employee_name) for each in employees
    )
    assert ids(url, "repair_codes", "code") == sorted(each.code for each in codes)
    assert set(rows(url, "select subject, id, description from enums")) == {
        (subject, each.id, each.description) for subject, entries in subjects.items() for each in entries
    }
    assert set(report.tables) == set(SHOP_TABLES) - {"workshop_orders"}
    assert report.tables["customers"].rows == len(customers)
    hashed = "select count(*) from employees where cast(raw as text) like '%verification_hash%'"
    assert rows(url, hashed.replace("%", "%%") if url.startswith("postgres") else hashed) == [(0,)]


async def test_an_unchanged_second_run_writes_no_row_and_requests_the_lists_only(url: str) -> None:
    async with shop(orders=2_000) as (sandbox, cs):
        await copy(cs, url, ALL_TABLES)
        stamps = "select max(synced_at) from "
        tables = [name for name in ALL_TABLES if name != "mechanic_days"]
        before = [rows(url, f"{stamps}{table}") for table in tables]
        requests = sandbox.received
        again = await copy(cs, url, ALL_TABLES)
        assert [rows(url, f"{stamps}{table}") for table in tables] == before
        assert again.requests == sandbox.received - requests
        assert again.orders is not None
        list_pages = again.orders.pages + sum(1 + table.rows // 100 for table in again.tables.values())
        assert again.requests <= list_pages * 1.02
        assert not again.tables["customers"].is_whole


async def test_changes_and_new_rows_arrive_with_the_next_run(url: str) -> None:
    async with shop() as (_, cs):
        await copy(cs, url)
        [(seen, synced)] = rows(
            url, "select first_seen_at, synced_at from customers where customer_id = 1001"
        )
        numbers = [PhoneNumberInput(phone_number_id="mob", phone_number="06-11223344")]
        await cs.customers.update(1001, CustomerUpdate(city="Delft", phone_numbers=numbers))
        new = await cs.customers.create(CustomerCreate(name="Nieuw", email="nieuw@example.nl"))
        bike = (await cs.repair_objects.of_customer(1001))[0]
        await cs.repair_objects.update(1001, bike.object_id, RepairObjectUpdate(color="paars"))
        report = await copy(cs, url)
    assert report.tables["customers"].rows == 2
    of_1001 = "select city, first_seen_at, synced_at from customers where customer_id = 1001"
    [(city, seen_again, synced_again)] = rows(url, of_1001)
    assert (city, seen_again) == ("Delft", seen)
    assert str(synced_again) > str(synced)
    number = "select phone_number from phone_numbers where customer_id = 1001 and phone_number_id = 'mob'"
    assert rows(url, number) == [("06-11223344",)]
    created = f"select name from customers where customer_id = {new.customer_id}"  # noqa: S608
    assert rows(url, created) == [("Nieuw",)]
    color = f"select color from repair_objects where object_id = {bike.object_id}"  # noqa: S608
    assert rows(url, color) == [("paars",)]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "names of workshop_orders, "),
        (["clients"], "names of workshop_orders, "),
        (["workshop_orders"], "set date_from and date_until"),
    ],
)
async def test_names_are_checked_before_anything_is_sent(
    tmp_path: Path, names: list[str], reason: str
) -> None:
    async with CycleSoftSession("user", "pass", base_url="http://127.0.0.1:9") as cs:
        with pytest.raises(UsageError, match=reason):
            await sync(cs, Store(f"sqlite:///{tmp_path}/never.db"), names)


async def test_ready_for_pickup_answers_who_which_bike_and_which_mechanic(url: str) -> None:
    async with shop(orders=1_000) as (_, cs):
        await copy(cs, url)
        orders = await cs.workshop_orders.list(date_from=FIRST, date_until=LAST).collect()
        customers = {each.customer_id: each for each in await cs.customers.list().collect()}
        bikes = {each.object_id: each for each in await cs.repair_objects.list().collect()}
        employees = {each.employee_id: each.employee_name for each in await cs.common.employees()}
    expected: set[tuple[object, ...]] = set()
    for order in orders:
        if order.status_id != 7 or not order.is_active:
            continue
        customer = customers.get(order.customer_id)
        bike = bikes.get(order.repair_object_id or 0)
        name = phone = None
        if customer is not None:
            parts = (customer.first_name, customer.insertion, customer.name)
            name = customer.company_name or " ".join(part for part in parts if part)
            numbers = {number.phone_number_id: number.phone_number for number in customer.phone_numbers}
            phone = numbers.get(order.phone_number_id)
        expected.add(
            (
                order.workshop_order_id,
                order.status_text,
                name,
                phone,
                None if bike is None else f"{bike.brand} {bike.model}",
                employees.get(order.mechanic_employee_id or 0),
            )
        )
    assert expected
    found = rows(
        url,
        "select workshop_order_id, status_text, customer_name, phone_number, bike, mechanic"
        " from ready_for_pickup",
    )
    assert set(found) == expected
    assert len(found) == len(expected)


async def test_workshop_agenda_sets_planned_minutes_against_capacity(url: str) -> None:
    async with shop(orders=1_000) as (_, cs):
        await copy(cs, url)
        orders = await cs.workshop_orders.list(date_from=FIRST, date_until=LAST).collect()
        stores = await cs.workshop.trading_hours_per_store(day_count=31)
    planned: dict[tuple[date, int | None], int] = {}
    for order in orders:
        start = order.datetime_scheduled_start
        if order.is_active and order.status_id not in {15, 16} and start is not None:
            key = (start.astimezone(AMSTERDAM).date(), order.mechanic_employee_id)
            planned[key] = planned.get(key, 0) + (order.total_repair_time_minutes or 0)
    capacity: dict[tuple[date, int | None], int] = {}
    for store in stores.items:
        for day in store.trading_hours:
            for room in day.availability_per_employee:
                if day.date is not None:
                    key = (day.date, room.employee_id)
                    capacity[key] = capacity.get(key, 0) + (room.capacity_minutes or 0)
    found = rows(
        url, "select day, mechanic_employee_id, planned_minutes, capacity_minutes from workshop_agenda"
    )
    assert {
        (date.fromisoformat(str(day)), mechanic): (minutes, room) for day, mechanic, minutes, room in found
    } == {key: (planned.get(key, 0), capacity.get(key)) for key in planned.keys() | capacity.keys()}
