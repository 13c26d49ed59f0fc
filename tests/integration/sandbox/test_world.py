"""The sandbox's world: what one section names, another one finds; what does not exist is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import BadRequestError, NotFoundError, PermissionDeniedError
from cyclesoft_async.models import (
    AMSTERDAM,
    CustomerCreate,
    RepairObjectCreate,
    RepairObjectUpdate,
    WorkshopOrderCreate,
    WorkshopOrderItemInput,
    WorkshopOrderUpdate,
)
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.sandbox.responses import ApiError


@asynccontextmanager
async def shop(orders: int = 5_000, **options: Any) -> AsyncGenerator[tuple[Sandbox, CycleSoftSession]]:
    async with (
        Sandbox(orders=orders, minutely_limit=10**9, daily_limit=10**9, **options) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        yield sandbox, cs


async def test_people_and_bikes_of_random_orders_are_found_and_agree() -> None:
    async with shop() as (_, cs):
        employees = {employee.employee_id for employee in await cs.common.employees()}
        orders = await cs.workshop_orders.list().collect()
        for order in orders[::17]:
            customer = await cs.customers.get(order.customer_id or 0)
            bike = await cs.repair_objects.get(order.customer_id or 0, order.repair_object_id or 0)
            numbers = {number.phone_number_id for number in customer.phone_numbers}
            assert order.phone_number_id in numbers
            assert bike.phone_number_id in numbers
            assert {
                order.mechanic_employee_id,
                order.created_by_employee_id,
                order.last_update_employee_id,
            } <= employees
            others = {item.assigned_to_customer_id for item in order.order_items} - {order.customer_id}
            assert others <= {bike.lease_fleet_customer_id}
            for payer in others:
                assert (await cs.customers.get(payer or 0)).customer_type_name == "Lease-maatschappij"
                assert customer.customer_type_name == "Lease-rijder"
            if bike.lease_employer_customer_id:
                employer = await cs.customers.get(bike.lease_employer_customer_id)
                assert employer.customer_type_name == "Werkgever"


REFUSED = {
    "store_id": WorkshopOrderCreate(store_id=4),
    "another customer's bike": WorkshopOrderCreate(repair_object_id=10_002),
    "bike": WorkshopOrderCreate(repair_object_id=99),
    "mechanic": WorkshopOrderCreate(mechanic_employee_id=77),
    "author": WorkshopOrderCreate(created_by_employee_id=77),
    "phone number": WorkshopOrderCreate(phone_number_id="75189"),
    "payer": WorkshopOrderCreate(order_items=[WorkshopOrderItemInput(assigned_to_customer_id=77)]),
    "another customer's service": WorkshopOrderCreate(service_card_codes=["DSK-2010004-3"]),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_order_that_refers_to_nothing_is_refused(name: str) -> None:
    async with shop() as (sandbox, cs):
        with pytest.raises(BadRequestError, match="Unknown"):
            await cs.workshop_orders.create(1001, REFUSED[name])
        assert sandbox.orders == 5_000


async def test_an_unknown_customer_is_not_found() -> None:
    async with shop() as (_, cs):
        for call in (
            cs.customers.get(7),
            cs.workshop_orders.create(7, WorkshopOrderCreate()),
            cs.repair_objects.create(7, RepairObjectCreate()),
            cs.repair_objects.of_customer(7),
            cs.service_items.of_customer(7),
        ):
            with pytest.raises(NotFoundError, match="Customer not found"):
                await call


async def test_a_change_that_refers_to_nothing_is_refused() -> None:
    async with shop() as (_, cs):
        order = await cs.workshop_orders.create(1001, WorkshopOrderCreate())
        with pytest.raises(BadRequestError, match="Unknown employee: 77"):
            await cs.workshop_orders.update(
                1001, order.workshop_order_id, WorkshopOrderUpdate(mechanic_employee_id=77)
            )
        with pytest.raises(BadRequestError, match="Unknown employee: 77"):
            await cs.workshop_orders.create_invoices(order.workshop_order_id, employee_id=77)


async def test_service_cards_become_lines_and_are_scheduled() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=AMSTERDAM).timestamp()
    async with shop(clock=lambda: now) as (_, cs):
        due = next(item for item in await cs.service_items.list().collect() if item.is_open)
        assert due.customer_id is not None
        assert due.service_barcode is not None
        order = await cs.workshop_orders.create(
            due.customer_id,
            WorkshopOrderCreate(
                repair_object_id=due.object_id or 0, service_card_codes=[due.service_barcode]
            ),
        )
        [line] = order.order_items
        assert (line.barcode, line.description, line.price_in_vat_cents, line.unit_work_time_minutes) == (
            due.service_barcode,
            due.title,
            due.gross_unit_price_cents,
            due.time_minutes,
        )
        assert order.total_repair_time_minutes == due.time_minutes
        items = {item.service_barcode: item for item in await cs.service_items.of_customer(due.customer_id)}
        assert items[due.service_barcode].is_scheduled
        await cs.service_items.close(due.service_barcode)
        with pytest.raises(BadRequestError, match="is closed"):
            await cs.workshop_orders.create(
                due.customer_id, WorkshopOrderCreate(service_card_codes=[due.service_barcode])
            )


async def test_what_the_account_has_no_scope_for_is_forbidden() -> None:
    async with shop(scopes={"resources"}) as (_, cs):
        assert await cs.customers.get(1001)
        assert await cs.service_items.of_customer(1001) is not None
        for call in (cs.common.employees(), cs.service_items.list().collect()):
            with pytest.raises(PermissionDeniedError, match="Forbidden"):
                await call
    async with shop(scopes={"service-data"}) as (_, cs):
        assert await cs.service_items.close("DSK-2010004-3")
        with pytest.raises(PermissionDeniedError):
            await cs.customers.create(CustomerCreate())


async def test_a_test_adds_what_it_needs() -> None:
    async with shop(orders=0) as (sandbox, cs):
        ids = sandbox.add(
            customer={"name": "Vos", "phone_numbers": [{"phone_number_id": "mob", "phone_number": "06-1"}]},
            bike={"brand": "Koga"},
            order={"repair_codes": ["110"], "phone_number_id": "mob"},
        )
        order = await cs.workshop_orders.get(ids.customer_id, ids.workshop_order_id)
        assert order.repair_object_id == ids.object_id
        assert (await cs.repair_objects.get(ids.customer_id, ids.object_id)).brand == "Koga"
        [found] = await cs.customers.find(phone_number="061")
        assert (found.customer_id, found.name) == (ids.customer_id, "Vos")
        assert (
            sandbox.add(order={"customer_id": ids.customer_id}).workshop_order_id
            == order.workshop_order_id + 1
        )
        with pytest.raises(ApiError, match="Customer not found"):
            sandbox.add(order={"customer_id": 7})
        with pytest.raises(ApiError, match="customer_id is required"):
            sandbox.add(bike={"brand": "Koga"})


async def test_an_object_query_finds_created_and_changed_bikes() -> None:
    async with shop() as (_, cs):
        created = await cs.repair_objects.create(
            1001, RepairObjectCreate(brand="Fongers", model="Klassiek", frame_id="FO123")
        )
        object_id = created.object_id
        assert object_id is not None
        order = await cs.workshop_orders.create(1001, WorkshopOrderCreate(repair_object_id=object_id))
        for query in ("fongers", "KLASSIEK Fongers", "fo123"):
            found = await cs.workshop_orders.list(object_query=query).collect()
            assert [row.workshop_order_id for row in found] == [order.workshop_order_id]
        gazelle = (await cs.workshop_orders.list(object_query="gazelle")).items[0]
        bike, owner = gazelle.repair_object_id, gazelle.customer_id
        assert bike
        assert owner
        await cs.repair_objects.update(owner, bike, RepairObjectUpdate(brand="Rivel", frame_id="RV 9"))
        left = {row.repair_object_id async for row in cs.workshop_orders.list(object_query="gazelle")}
        assert left
        assert bike not in left
        for query in ("rivel", "rv 9"):
            found = await cs.workshop_orders.list(object_query=query).collect()
            assert {row.repair_object_id for row in found} == {bike}
        assert [one.object_id async for one in cs.repair_objects.search("rivel")] == [bike]
        assert bike not in [one.object_id async for one in cs.repair_objects.search("gazelle")]
