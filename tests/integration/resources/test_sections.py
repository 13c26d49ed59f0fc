"""Creating once, what is found after an ambiguous write, bad input, and answers that lack what they need."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import pytest

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async.errors import AmbiguousWriteError, ResponseDecodeError, UsageError
from cyclesoft_async.models import (
    Customer,
    CustomerCreate,
    CustomerUpdate,
    PhoneNumberInput,
    RepairObject,
    RepairObjectCreate,
    RepairObjectUpdate,
)
from tests.support.http_server import Raw, Reply, answering, failure, http, raw_server, session, wire

MADE = {"object_id": 7, "customer_id": 24, "object_barcode": " B1 ", "frame_id": "F1"}
OTHER = {"object_id": 6, "customer_id": 24, "object_barcode": "B2", "frame_id": "F1"}
NEW = RepairObjectCreate(object_barcode="B1", brand="Gazelle")


@pytest.mark.parametrize(
    ("wanted", "listed", "sends"),
    [
        (NEW, [OTHER, MADE], ["POST", "GET"]),
        (NEW, [OTHER], ["POST", "GET", "POST"]),
        (RepairObjectCreate(frame_id="F1"), [OTHER, MADE], ["POST", "GET"]),
    ],
    ids=["found by barcode", "not there", "found by frame number"],
)
async def test_creating_once(wanted: RepairObjectCreate, listed: list[object], sends: list[str]) -> None:
    replies = Raw(), Raw(http(wire(listed)), "keep"), Raw(http(wire(MADE)), "keep")
    async with raw_server(*replies) as server, session(server.url) as cs:
        made = await cs.repair_objects.create(24, wanted, once=True)
    assert made.object_id == 7
    assert [request.method for request in server.requests] == sends


async def test_once_needs_something_to_look_up() -> None:
    async with answering(wire(MADE)) as server, session(server.url) as cs:
        with pytest.raises(UsageError, match="once=True needs an object_barcode or a frame_id"):
            await cs.repair_objects.create(24, RepairObjectCreate(brand="Gazelle", frame_id=" "), once=True)
    assert server.requests == []


AFTERWARDS: dict[str, tuple[Callable[[CycleSoftSession], Awaitable[Any]], object, object, str]] = {
    "an object with this barcode": (
        lambda cs: cs.repair_objects.create(24, NEW),
        [OTHER, MADE],
        RepairObject(object_id=7, customer_id=24, object_barcode=" B1 ", frame_id="F1"),
        "look for it in of_customer(customer_id)",
    ),
    "no object with this barcode": (
        lambda cs: cs.repair_objects.create(24, NEW),
        [OTHER],
        None,
        "look for it in of_customer(customer_id)",
    ),
    "the object as it is": (
        lambda cs: cs.repair_objects.update(24, 6, RepairObjectUpdate(brand="Koga")),
        {"object_id": 6, "brand": "Koga"},
        RepairObject(object_id=6, brand="Koga"),
        "read the object",
    ),
    "the customer as it is": (
        lambda cs: cs.customers.update(24, CustomerUpdate(city="Ede")),
        {"customer_id": 24, "city": "Ede"},
        Customer(customer_id=24, city="Ede"),
        "read the customer",
    ),
    "customers of that address": (
        lambda cs: cs.customers.create(CustomerCreate(email="a@example.nl")),
        [{"customer_id": 24}],
        [Customer(customer_id=24)],
        "look for the customer with find(email=...)",
    ),
    "customers of that number": (
        lambda cs: cs.customers.create(
            CustomerCreate(phone_numbers=[PhoneNumberInput(phone_number_id="mob", phone_number="06-1")])
        ),
        [{"customer_id": 24}],
        [Customer(customer_id=24)],
        "look for the customer with find(email=...)",
    ),
}


@pytest.mark.parametrize("case", AFTERWARDS)
async def test_what_is_found_after_an_ambiguous_write(case: str) -> None:
    call, answer, found, advice = AFTERWARDS[case]
    replies = Raw(), Raw(http(wire(answer)), "keep")
    async with raw_server(*replies) as server, session(server.url) as cs:
        error = await failure(call(cs), AmbiguousWriteError)
    assert error.found == found
    assert error.order is None
    assert advice in str(error)
    assert [request.method for request in server.requests][1:] == ["GET"]


async def test_a_failed_look_leaves_the_ambiguous_outcome() -> None:
    once = RetryPolicy.none()
    async with raw_server(Raw()) as server, session(server.url, retries=once) as cs:
        error = await failure(cs.customers.update(24, CustomerUpdate(city="Ede")), AmbiguousWriteError)
    assert error.found is None
    assert [request.method for request in server.requests] == ["PUT", "GET"]


async def test_closing_a_service_is_never_repeated() -> None:
    async with raw_server(Raw()) as server, session(server.url) as cs:
        error = await failure(cs.service_items.close("DSK-1-1"), AmbiguousWriteError)
    assert "read the service's items before you repeat the call" in str(error)
    assert len(server.requests) == 1


ANY: Any = "24"
DATETIME: Any = datetime(2024, 1, 1)  # noqa: DTZ001
DAY: Any = date(2024, 1, 1)
DICT: Any = {"brand": "Gazelle"}
NUMBER: Any = 5
HALF: Any = 0.5
BAD: list[tuple[Callable[[CycleSoftSession], Any], str]] = [
    (lambda cs: cs.customers.get(ANY), "customer_id must be an int >= 0, got str"),
    (lambda cs: cs.customers.get(-1), "customer_id must be an int >= 0, got -1"),
    (lambda cs: cs.repair_objects.get(24, HALF), "object_id must be an int >= 0, got float"),
    (lambda cs: cs.repair_objects.get_by_id(ANY), "object_id must be an int >= 0, got str"),
    (lambda cs: cs.service_items.get(24, ANY), "service_id must be an int"),
    (lambda cs: cs.service_items.close(".."), "service_barcode must not be '.' or '..'"),
    (lambda cs: cs.service_items.close(""), "service_barcode must not be blank"),
    (lambda cs: cs.service_items.close(NUMBER), "service_barcode must be a str, got int"),
    (lambda cs: cs.service_items.close("DSK-1-1", service_status_id=ANY), "service_status_id must be an int"),
    (lambda cs: cs.common.enum("../employees"), "subject must be a name like"),
    (lambda cs: cs.common.enum("vat-codes.json?x="), "subject must be a name like"),
    (lambda cs: cs.customers.find(), "find needs a criterion"),
    (lambda cs: cs.customers.find(email="", query=None), "find needs a criterion"),
    (lambda cs: cs.customers.create(DICT), "customer must be a CustomerCreate, got dict"),
    (lambda cs: cs.customers.update(1, DICT), "changes must be a CustomerUpdate, got dict"),
    (lambda cs: cs.repair_objects.create(1, DICT), "repair_object must be a RepairObjectCreate, got dict"),
    (lambda cs: cs.customers.list(modified_since=DATETIME), "modified_since must have a zone"),
    (lambda cs: cs.customers.list(modified_since=DAY), "modified_since must be a datetime, got date"),
    (lambda cs: cs.customers.list(cursor="/api/v1/customers/find.json?offset=2"), "cursor must be that of"),
    (lambda cs: cs.repair_objects.list(limit=1_001), "limit must be an int from 1 to 1000, got 1001"),
    (lambda cs: cs.repair_objects.list(limit=0), "limit must be an int from 1 to 1000, got 0"),
    (lambda cs: cs.repair_objects.list(limit=5, cursor="/x"), "cursor cannot be combined with filters"),
    (lambda cs: cs.repair_objects.search(), "search needs a query, or the cursor"),
    (lambda cs: cs.repair_objects.search(" "), "query must not be blank"),
    (
        lambda cs: cs.service_items.list(modified_start=DATETIME),
        "modified_start must be a date, got a datetime",
    ),
    (
        lambda cs: cs.service_items.list(modified_start=date(2024, 2, 1), modified_end=DAY),
        "modified_start must not be after modified_end",
    ),
    (lambda cs: cs.workshop.trading_hours(day_count=0), "day_count must be an int >= 1, got 0"),
    (lambda cs: cs.paginate("POST", "/x", row=Customer), 'method must be "GET"'),
    (lambda cs: cs.paginate("GET", "/x?a=1", row=Customer), "path must not have a query"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
async def test_bad_input_costs_no_request(call: Callable[[CycleSoftSession], Any], message: str) -> None:
    async with answering(b"{}") as server, session(server.url) as cs:
        with pytest.raises(UsageError) as caught:
            await call(cs)
    assert message in str(caught.value)
    assert server.requests == []


INCOMPLETE: list[tuple[Callable[[CycleSoftSession], Awaitable[object]], object]] = [
    (lambda cs: cs.customers.get(1), {"name": "canary"}),
    (lambda cs: cs.customers.get(1), []),
    (lambda cs: cs.customers.find(query="x"), [{"customer_id": 1}, {"name": "canary"}]),
    (lambda cs: cs.repair_objects.get(1, 2), {"brand": "canary"}),
    (lambda cs: cs.repair_objects.get_by_id(2), {"error": False}),
    (lambda cs: cs.repair_objects.get_by_id(2), {"data": None}),
    (lambda cs: cs.common.employees(), {"error": False}),
    (lambda cs: cs.workshop.repair_codes(), {"error": False}),
]


@pytest.mark.parametrize(("call", "body"), INCOMPLETE, ids=range(8))
async def test_an_answer_without_its_own_id_or_key_is_refused(
    call: Callable[[CycleSoftSession], Awaitable[object]], body: object
) -> None:
    async with answering(wire(body)) as server, session(server.url) as cs:
        error = await failure(call(cs), ResponseDecodeError)
    assert "canary" not in str(error)


EMPTY: list[tuple[Callable[[CycleSoftSession], Awaitable[object]], bytes, object]] = [
    (lambda cs: cs.workshop.repair_codes(), b"null", []),
    (lambda cs: cs.workshop.repair_codes(), b"[]", []),
    (lambda cs: cs.common.employees(), b'{"data": null}', []),
    (lambda cs: cs.common.enums(), b'{"data": []}', {}),
    (lambda cs: cs.common.enums(), b'{"data": null}', {}),
]


@pytest.mark.parametrize(("call", "body", "result"), EMPTY, ids=range(5))
async def test_null_and_empty_results(
    call: Callable[[CycleSoftSession], Awaitable[object]], body: bytes, result: object
) -> None:
    async with answering(body) as server, session(server.url) as cs:
        assert await call(cs) == result


async def test_a_row_without_its_own_id_is_set_aside() -> None:
    rows = [{"customer_id": 1}, {"name": "canary"}, {"customer_id": "3"}]
    async with answering(wire({"customers": rows, "pagination": []})) as server, session(server.url) as cs:
        page = await cs.customers.list()
    assert [customer.customer_id for customer in page.items] == [1, 3]
    assert [(row.index, row.reason) for row in page.rejected] == [
        (1, "Object missing required field `customer_id`")
    ]
    assert [json.loads(raw) for raw in page.raw_items] == [rows[0], rows[2]]


async def test_the_response_beside_the_result() -> None:
    reply = Reply(wire({"customer_id": 24, "new": 1}), headers={"X-Extra": "yes"})
    last = wire({"customers": [{"customer_id": 24}]})
    async with answering(reply, last, reply) as server, session(server.url) as cs:
        customer, response = await cs.with_raw_response(lambda cs: cs.customers.get(24))
        assert customer == Customer(customer_id=24)
        assert (response.status, response.headers["X-Extra"]) == (200, "yes")
        assert json.loads(response.body) == {"customer_id": 24, "new": 1}
        page, response = await cs.with_raw_response(lambda cs: cs.customers.list())
        assert page.body == response.body
        with pytest.raises(UsageError, match="call must make a call"):
            await cs.with_raw_response(lambda _: cs.customers.get(24))


async def test_a_read_that_creates_something_is_never_repeated() -> None:
    async with raw_server(Raw()) as server, session(server.url) as cs:
        path = "/api/v1/sales/orders/1/payment-link.json"
        await failure(cs.request("GET", path, type=Customer, creates=True), AmbiguousWriteError)
    assert len(server.requests) == 1
