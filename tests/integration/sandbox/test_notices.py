"""Events of the sandbox: every change tells what the vendor documents, in its order and with its quirks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeAlias, cast

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.models import AMSTERDAM, CustomerCreate, CustomerUpdate
from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.webhooks import events
from cyclesoft_async.webhooks.envelope import read
from cyclesoft_async.webhooks.testing import SECRET, delivery
from tests.support.paths import DATA

Told: TypeAlias = list[tuple[str, dict[str, Any]]]
NOW = datetime(2026, 3, 7, 12, 0, 30, tzinfo=AMSTERDAM)
EXAMPLES = sorted((DATA / "payloads").glob("*.json"))


@asynccontextmanager
async def told() -> AsyncGenerator[tuple[Sandbox, CycleSoftSession, Told]]:
    found: Told = []
    async with (
        Sandbox(orders=120, clock=NOW.timestamp) as sandbox,
        CycleSoftSession("user", "pass", base_url=sandbox.url) as cs,
    ):
        sandbox.subscribe(lambda name, payload: found.append((name, payload)))
        yield sandbox, cs, found


def names(found: Told) -> list[str]:
    taken = [name for name, _ in found]
    found.clear()
    return taken


async def post(cs: CycleSoftSession, path: str, body: object = None, **query: Any) -> Any:
    return await cs.request("POST", path, type=object, json=body, params=query)


async def test_a_repair_is_told_in_the_vendors_order() -> None:
    async with told() as (sandbox, cs, found):
        ids = sandbox.add(customer={"name": "Vos"}, order={"repair_codes": ["110"]})
        assert names(found) == ["customer.created", "workshop_order.created", "sales_order.created"]
        path = f"/api/v1/customers/{ids.customer_id}/workshop-order/{ids.workshop_order_id}.json"
        before = await cs.workshop_orders.get(ids.customer_id, ids.workshop_order_id)
        sandbox.clock.move_to(datetime(2026, 3, 8, 9, tzinfo=AMSTERDAM))
        await cs.request("PUT", path, type=object, json={"status_id": 7})
        (_, workshop), (_, sale) = found
        assert names(found) == ["workshop_order.updated", "sales_order.updated"]
        assert workshop["sales_order"]["datetime_modified"] == "2026-03-07 12:00:30", "of before the change"
        assert sale["datetime_modified"] == "2026-03-08 09:00:00"
        assert before.datetime_modified is not None
        await cs.workshop_orders.create_invoices(ids.workshop_order_id, book=True)
        invoice = found[-1][1]
        assert names(found) == [
            "workshop_order.updated",
            "sales_order.invoiced",
            "sales_order.updated",
            "sales_transaction.created",
        ]
        assert (invoice["total_amount_cents"], invoice["unpayed_amount_cents"]) == (1695, 1695)
        payment = {"employee_id": 1, "payments": [{"payment_method_id": 1, "payment_amount_cents": 1695}]}
        await post(cs, f"/api/v1/payments/invoice/{invoice['invoice_number']}/add.json", payment)
        assert found[1][1]["unpayed_amount_cents"] == 0
        assert names(found) == ["payments.created", "sales_transaction.updated"]


async def test_items_of_a_deleted_order_are_told_once() -> None:
    async with told() as (sandbox, cs, found):
        ids = sandbox.add(order={"customer_id": 1001, "repair_codes": ["110", "120"]})
        path = f"/api/v1/customers/1001/workshop-order/{ids.workshop_order_id}.json"
        line = {"item_id": 1, "item_status_id": 5}
        await cs.request("PUT", path, type=object, json={"order_items": [line]})
        cancelled = found[-1][1]
        assert [item["item_id"] for item in cancelled["order_items"]] == [2]
        assert [item["item_id"] for item in cancelled["cancelled_order_items"]] == [1]
        found.clear()
        await cs.request("PUT", path, type=object, json={"is_active": False})
        assert [item["item_id"] for item in found[1][1]["deleted_order_items"]] == [2]
        assert names(found) == ["workshop_order.deleted", "sales_order.deleted"]
        await cs.request("PUT", path, type=object, json={"status_id": 15})
        assert "deleted_order_items" not in found[1][1]


async def test_a_counter_order_moves_is_delivered_invoiced_and_another_is_cancelled() -> None:
    async with told() as (_, cs, found):
        order = "/api/v1/sales/orders/700002"  # the one without items
        transfer: dict[str, Any] = {"to_store_id": 2, "default_mode": 1, "items": []}
        moved = await post(cs, f"{order}/update-store.json", transfer)
        assert found[1][1]["store_order_id"] == moved["created_store_order_id"]
        assert (found[0][1]["store_id"], found[1][1]["store_id_to"]) == (2, 2)
        assert names(found) == ["sales_order.updated", "store_order.created"]
        address = {"name": "Vos", "street": "Dorpsstraat", "house_number": "1", "city": "Ede"}
        delivery_method = {"new_delivery_method_id": 3, "new_delivery_address": address}
        await post(cs, f"{order}/update-delivery-method.json", delivery_method)
        assert found[0][1]["delivery_address"]["housenumber"] == "1"
        assert found[0][1]["delivery_method_description"] == "Bezorgen"
        assert names(found) == ["sales_order.updated"]
        await post(cs, f"{order}/cancel.json", cancellation_type_id=1)
        assert (found[0][1]["cancellation_type_id"], found[0][1]["status_text"]) == (1, "Geannuleerd")
        assert names(found) == ["sales_order.deleted"]


async def test_customers_are_told() -> None:
    async with told() as (_, cs, found):
        made = await cs.customers.create(CustomerCreate(name="Vos"))
        await cs.customers.update(made.customer_id or 0, CustomerUpdate(city="Ede"))
        assert found[1][1]["customer"]["city"] == "Ede"
        assert names(found) == ["customer.created", "customer.updated"]


def keys(value: object) -> set[str]:
    """The keys of a payload, those of nested objects and first rows with their path."""
    if isinstance(value, list):
        rows = cast("list[object]", value)
        return {f"[]{key}" for key in keys(rows[0]) if key} if rows else set()
    if not isinstance(value, dict):
        return {""}
    members = cast("dict[str, object]", value)
    return {f".{name}{key}" for name, item in members.items() for key in keys(item) | {""}}


EXAMPLE_OF = {
    "workshop_order.updated": "workshop_order.updated",
    "sales_order.updated": "sales_order.updated",
    "sales_transaction.created": "sales_transaction.created",
    "payments.created": "payments.created",
    "customer.updated": "customer.updated",
    "store_order.created": "store_order.created",
}


@pytest.mark.parametrize("name", EXAMPLE_OF)
async def test_payloads_have_every_key_of_the_vendors_examples(name: str) -> None:
    [example] = [path for path in EXAMPLES if path.stem == EXAMPLE_OF[name]]
    async with told() as (sandbox, cs, found):
        ids = sandbox.add(customer={}, order={"repair_codes": ["110"]})
        path = f"/api/v1/customers/{ids.customer_id}/workshop-order/{ids.workshop_order_id}.json"
        order = ids.workshop_order_id
        address = {"new_delivery_address": {"name": "Vos"}}
        await post(cs, f"/api/v1/sales/orders/{order}/update-delivery-method.json", address)
        await post(cs, f"/api/v1/labels/7/{order}/attach.json", ["spoed"])
        await post(cs, f"/api/v1/sales/orders/{order}/update-store.json", {"to_store_id": 2})
        await cs.request("PUT", path, type=object, json={"status_id": 7})
        await cs.customers.update(ids.customer_id, CustomerUpdate(city="Ede"))
        [invoice] = await cs.workshop_orders.create_invoices(order)
        payment = {"employee_id": 1, "payments": [{"payment_method_id": 1, "payment_amount_cents": 5}]}
        await post(cs, f"/api/v1/payments/invoice/{invoice.invoice_number}/add.json", payment)
    payload = next(payload for told_name, payload in reversed(found) if told_name == name)
    assert keys(json.loads(example.read_bytes())["payload"]) - keys(payload) == set()


async def test_events_of_the_sandbox_are_read_as_typed_events() -> None:
    async with told() as (sandbox, _, found):
        sandbox.add(customer={"name": "Vos"}, order={"repair_codes": ["110"]})
    for name, payload in found:
        event = read(delivery(name, payload, secret=SECRET).body)
        assert event.event_name == name
        assert not isinstance(event, events.UnknownEvent)
