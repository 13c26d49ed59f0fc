"""Workshop orders: requests of the five calls, and the sandbox's responses."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from cyclesoft_async import CycleSoftSession
from cyclesoft_async.errors import BadRequestError, NotFoundError, ResponseDecodeError, UsageError
from cyclesoft_async.models import (
    AMSTERDAM,
    WorkshopOrder,
    WorkshopOrderCreate,
    WorkshopOrderItemInput,
    WorkshopOrderUpdate,
)
from cyclesoft_async.sandbox import Sandbox
from tests.support.http_server import ORDERS, answering, failure, session, wire

START = datetime(2023, 3, 7, 16, 56, 32, 999_999, tzinfo=AMSTERDAM)

# The vendor's table: what may be written of a line, of an existing order, and of a new one. `item_id` is
# marked readonly there, yet it is how an update finds the line.
LINE: dict[str, object] = {
    "item_id": 1,
    "item_type_id": 4,
    "special_type_id": 0,
    "quantity": Decimal("1.5"),
    "barcode": "102",
    "pos_group_id": 2,
    "description": "Nieuwe ketting é",
    "unit_price_in_vat_cents": 9000,
    "unit_discount_amount_in_vat_cents": -4,
    "price_in_vat_cents": 9004,
    "discount_percentage": Decimal("0.10"),
    "vat_code": 1,
    "item_status_id": 0,
    "unit_work_time_minutes": 15,
    "assigned_to_customer_id": 1006,
}
CHANGES: dict[str, object] = {
    "is_active": False,
    "datetime_scheduled_start": START,
    "mechanic_employee_id": 12,
    "repair_description": "posted repair",
    "status_id": 7,
    "borrowed_object_reference": "",
    "delivery_method_id": 0,
    "order_items": [WorkshopOrderItemInput(item_id=2)],
}
NEW: dict[str, object] = CHANGES | {
    "customer_id": 24,
    "store_id": 1,
    "repair_object_id": 1105,
    "reference_text": "work_number",
    "created_by_employee_id": 1,
    "last_update_employee_id": 1,
    "phone_number_id": "tel",
    "custom_repair_time_minutes": 30,
    "repair_codes": ["999"],
    "service_card_codes": [],
}


Call = Callable[[CycleSoftSession], Coroutine[None, None, object]]


def in_json(value: object) -> object:
    """A written value as the vendor documents it."""
    if value is START:
        return "2023-03-07 16:56:32"
    return [{"item_id": 2}] if value is CHANGES["order_items"] else value


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox(orders=60, page_size=25) as running:
        yield running


@pytest.fixture
async def cs(sandbox: Sandbox) -> AsyncGenerator[CycleSoftSession]:
    async with CycleSoftSession("user", "pass", base_url=sandbox.url) as opened:
        yield opened


async def sent(call: Call) -> tuple[str, str, dict[str, object]]:
    """Method, target and JSON body of the one request that a call makes."""
    async with answering(wire({"workshop_order_id": 1})) as server, session(server.url) as cs:
        await call(cs)
    (request,) = server.requests
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    return request.method, request.target, json.loads(request.body, parse_float=Decimal)


@pytest.mark.parametrize(
    "properties",
    [NEW, {}, *({key: value} for key, value in NEW.items())],
)
async def test_create_sends_what_was_set_and_nothing_else(properties: dict[str, Any]) -> None:
    method, target, body = await sent(
        lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate(**properties))
    )
    assert (method, target) == ("POST", "/api/v1/customers/24/workshop-order.json")
    assert body == {key: in_json(value) for key, value in properties.items()}


@pytest.mark.parametrize(
    "properties",
    [CHANGES, {}, *({key: value} for key, value in CHANGES.items())],
)
async def test_update_sends_what_was_set_and_nothing_else(properties: dict[str, Any]) -> None:
    changes = WorkshopOrderUpdate(**properties)
    method, target, body = await sent(lambda cs: cs.workshop_orders.update(24, 97, changes))
    assert method == "PUT"
    assert target == "/api/v1/customers/24/workshop-order/97.json?send_customer_messages=0"
    assert body == {key: in_json(value) for key, value in properties.items()}


@pytest.mark.parametrize("line", [LINE, {}, *({key: value} for key, value in LINE.items())])
async def test_a_line_is_sent_as_it_was_set(line: dict[str, Any]) -> None:
    changes = WorkshopOrderUpdate(order_items=[WorkshopOrderItemInput(**line)])
    _, _, body = await sent(lambda cs: cs.workshop_orders.update(24, 97, changes))
    assert body == {"order_items": [line]}


@pytest.mark.parametrize(
    ("written", "known"),
    [(WorkshopOrderCreate, NEW), (WorkshopOrderUpdate, CHANGES), (WorkshopOrderItemInput, LINE)],
)
def test_write_models_have_the_writable_properties_only(
    written: type[WorkshopOrderCreate], known: dict[str, object]
) -> None:
    assert set(written.__struct_encode_fields__) == set(known)


async def test_null_is_sent_when_it_was_set() -> None:
    order = WorkshopOrderCreate(store_id=None, order_items=None)
    _, _, body = await sent(lambda cs: cs.workshop_orders.create(24, order))
    assert body == {"store_id": None, "order_items": None}


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2023, 7, 7, 14, 54, 23, tzinfo=UTC), "2023-07-07 16:54:23"),
        (datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=AMSTERDAM), "2024-10-27 02:30:00"),
        (datetime(2024, 3, 31, 2, 30, tzinfo=AMSTERDAM), "2024-03-31 02:30:00"),
    ],
)
async def test_times_are_sent_in_the_documented_form(moment: datetime, written: str) -> None:
    changes = WorkshopOrderUpdate(datetime_scheduled_start=moment)
    _, _, body = await sent(lambda cs: cs.workshop_orders.update(24, 97, changes))
    assert body == {"datetime_scheduled_start": written}


NAIVE = datetime(2023, 3, 7, 16, 54)  # noqa: DTZ001 - what must be refused
NO_DECIMAL = WorkshopOrderItemInput(quantity=Decimal("NaN"))


TEXT: Any = "1/../2"
HALF: Any = 1.5
SEVERAL: Any = [24]
YES: Any = True
IMPOSSIBLE: list[tuple[Call, str]] = [
    (lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate(datetime_scheduled_start=NAIVE)), "zone"),
    (
        lambda cs: cs.workshop_orders.update(24, 1, WorkshopOrderUpdate(datetime_scheduled_start=NAIVE)),
        "zone",
    ),
    (lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate(order_items=[NO_DECIMAL])), "NaN"),
    (lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate(reference_text="\udc80")), "can't be sent"),
    (lambda cs: cs.workshop_orders.create(24, WorkshopOrderCreate(customer_id=25)), "another customer"),
    (lambda cs: cs.workshop_orders.create(TEXT, WorkshopOrderCreate()), "customer_id"),
    (lambda cs: cs.workshop_orders.create(SEVERAL, WorkshopOrderCreate()), "customer_id"),
    (lambda cs: cs.workshop_orders.get(24, TEXT), "workshop_order_id"),
    (lambda cs: cs.workshop_orders.get(YES, 1), "customer_id"),
    (lambda cs: cs.workshop_orders.get(-1, 1), "customer_id"),
    (lambda cs: cs.workshop_orders.update(24, HALF, WorkshopOrderUpdate()), "workshop_order_id"),
    (lambda cs: cs.workshop_orders.create_invoices(TEXT), "workshop_order_id"),
]


@pytest.mark.parametrize(("call", "complaint"), IMPOSSIBLE)
async def test_wrong_arguments_cost_no_request(
    call: Call, complaint: str, sandbox: Sandbox, cs: CycleSoftSession
) -> None:
    error = await failure(call(cs), UsageError)
    assert complaint in str(error)
    assert isinstance(error, ValueError)
    assert sandbox.received == cs.quota.sent == 0


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ({"object_query": "gazelle", "customer_id": 1}, "object_query"),
        ({"object_query": "", "repair_object_id": 1}, "object_query"),
        ({"date_from": date(2025, 2, 1), "date_until": date(2025, 1, 1)}, "date_from must not be after"),
        ({"date_from": START}, "date_from must be a date"),
        ({"date_until": START}, "date_until must be a date"),
        ({"status_ids": []}, "status_ids must be a non-empty list"),
        ({"status_ids": "18"}, "status_ids must be a non-empty list of ids like \\[1, 2\\], got str"),
        ({"status_ids": 8}, "status_ids must be a non-empty list of ids like \\[1, 2\\], got 8"),
        ({"status_ids": ["8"]}, "status_ids must be an int"),
        ({"cursor": f"{ORDERS}?token=1", "store_id": 1}, "cursor cannot be combined with filters"),
        ({"cursor": "/api/v1/customers/1.json?token=1"}, "cursor must be that of a page"),
        ({"cursor": "https://..."}, "cursor must be that of a page"),
    ],
)
async def test_wrong_filters_cost_no_request(
    filters: dict[str, Any], complaint: str, sandbox: Sandbox, cs: CycleSoftSession
) -> None:
    with pytest.raises(UsageError, match=complaint):
        cs.workshop_orders.list(**filters)
    assert sandbox.received == 0


async def test_all_filters_on_the_wire() -> None:
    async with answering(b'{"data": []}') as server, session(server.url) as cs:
        await cs.workshop_orders.list(
            date_from=date(2025, 1, 20),
            date_until=date(2025, 1, 25),
            store_id=1,
            status_ids=[1, 2],
            customer_id=1006,
            repair_object_id=10001,
        )
        await cs.workshop_orders.list(object_query="Gazelle & Ümlaut=1")
        await cs.workshop_orders.list()
    targets = [request.target.partition("?") for request in server.requests]
    assert [path for path, _, _ in targets] == [ORDERS] * 3
    assert [parse_qs(query) for _, _, query in targets] == [
        {
            "date_from": ["2025-01-20"],
            "date_until": ["2025-01-25"],
            "store_id": ["1"],
            "status_ids": ["1,2"],
            "customer_id": ["1006"],
            "repair_object_id": ["10001"],
        },
        {"object_query": ["Gazelle & Ümlaut=1"]},
        {},
    ]


async def everything(cs: CycleSoftSession) -> list[WorkshopOrder]:
    return await cs.workshop_orders.list().collect()


@pytest.mark.parametrize("name", ["customer_id", "store_id", "repair_object_id"])
async def test_the_sandbox_filters_by_id(name: str, cs: CycleSoftSession) -> None:
    orders = await everything(cs)
    wanted: int = getattr(orders[30], name)
    filters: dict[str, Any] = {name: wanted}
    assert await cs.workshop_orders.list(**filters).collect() == [
        order for order in orders if getattr(order, name) == wanted
    ]


async def test_the_sandbox_filters_by_status(cs: CycleSoftSession) -> None:
    orders = await everything(cs)
    wanted = {order.status_id or 0 for order in orders[:3]}
    found = await cs.workshop_orders.list(status_ids=sorted(wanted)).collect()
    assert found == [order for order in orders if order.status_id in wanted]


async def test_the_sandbox_filters_by_day(cs: CycleSoftSession, sandbox: Sandbox) -> None:
    def day(order: WorkshopOrder) -> date:
        assert order.datetime_scheduled_start is not None
        return order.datetime_scheduled_start.date()

    orders = await everything(cs)
    first, last = day(orders[20]), day(orders[40])
    found = await cs.workshop_orders.list(date_from=first, date_until=last).collect()
    assert found == [order for order in orders if first <= day(order) <= last]
    assert 0 < len(found) < len(orders) == sandbox.orders


async def test_an_order_from_creation_to_invoice(sandbox: Sandbox, cs: CycleSoftSession) -> None:
    orders = cs.workshop_orders
    made = await orders.create(
        1001,
        WorkshopOrderCreate(
            customer_id=1001,
            reference_text="INT-1",
            datetime_scheduled_start=START,
            order_items=[
                WorkshopOrderItemInput(
                    description="Band", quantity=1, unit_price_in_vat_cents=2500, vat_code=1
                ),
                WorkshopOrderItemInput(
                    description="Bel", quantity=1, unit_price_in_vat_cents=900, vat_code=1
                ),
            ],
        ),
    )
    assert made.reference_text == "INT-1"
    assert made.datetime_scheduled_start == START.replace(microsecond=0)
    assert [item.description for item in made.order_items] == ["Band", "Bel"]
    number, (tyre, bell) = made.workshop_order_id, [item.item_id or 0 for item in made.order_items]

    cancelled = await orders.update(
        1001, number, WorkshopOrderUpdate(order_items=[WorkshopOrderItemInput.cancel(bell)])
    )
    assert [(item.item_id, item.item_status_id) for item in cancelled.order_items] == [(tyre, 0), (bell, 5)]
    changed = await orders.update(1001, number, WorkshopOrderUpdate(status_id=4), send_customer_messages=True)
    assert (changed.status_id, sandbox.messages_sent) == (4, 1)

    (invoice,) = await orders.create_invoices(number, book=True)
    (document,) = invoice.documents
    assert document.content.startswith(b"%PDF-")
    assert sandbox.messages_sent == 1

    read = await orders.get(1001, number)
    assert read.is_invoiced
    assert read.invoice_number == invoice.invoice_number
    assert sandbox.received == cs.quota.sent == 5


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (
            {},
            "book=0&customer_messages=0&allow_resend_messages=0&apply_service_vat_correction=1"
            "&split_items_as_text_on_default_customer_invoice=1",
        ),
        (
            {
                "employee_id": 1005,
                "workshop_order_status_id": 9,
                "book": True,
                "customer_messages": True,
                "allow_resend_messages": True,
                "apply_service_vat_correction": False,
                "split_items_as_text_on_default_customer_invoice": False,
            },
            "employee_id=1005&workshop_order_status_id=9&book=1&customer_messages=1&allow_resend_messages=1"
            "&apply_service_vat_correction=0&split_items_as_text_on_default_customer_invoice=0",
        ),
    ],
)
async def test_create_invoices_sends_a_form_in_ones_and_zeros(arguments: dict[str, Any], form: str) -> None:
    async with answering(b'{"invoices": null}') as server, session(server.url) as cs:
        assert await cs.workshop_orders.create_invoices(1000, **arguments) == []
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/api/v1/workshop/orders/1000/create-invoices.json")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert request.body.decode() == form


async def test_one_invoice_where_a_list_is_promised() -> None:
    body = wire({"invoices": {"invoice_number": "20173382", "documents": {"document_base64": "JVBERi0="}}})
    async with answering(body) as server, session(server.url) as cs:
        (made,) = await cs.workshop_orders.create_invoices(1000)
    (document,) = made.documents or []
    assert (made.invoice_number, document.content) == (20173382, b"%PDF-")


@pytest.mark.parametrize("odd", ["[]", "{}", '"x"', "null", "7", "true"])
@pytest.mark.parametrize("call", ["list", "get", "create_invoices"])
async def test_a_response_of_the_wrong_shape(call: str, odd: str) -> None:
    async with answering(odd.encode()) as server, session(server.url) as cs:
        orders = cs.workshop_orders
        calls: dict[str, Callable[[], Coroutine[None, None, object]]] = {
            "list": orders.list().collect,
            "get": lambda: orders.get(24, 1),
            "create_invoices": lambda: orders.create_invoices(1),
        }
        error = await failure(calls[call](), ResponseDecodeError)
    assert error.status == 200
    assert "differs from the documented shape" in str(error)
    assert len(server.requests) == error.attempts == 1


async def test_errors_of_the_server(cs: CycleSoftSession) -> None:
    missing = await failure(cs.workshop_orders.get(1, 999_999_999), NotFoundError)
    assert "/customers/1/workshop-order/999999999.json" in str(missing)
    wrong = WorkshopOrderCreate(status_id=TEXT)
    refused = await failure(cs.workshop_orders.create(1001, wrong), BadRequestError)
    assert refused.server_message
