"""Fleetio over real sockets: the example and every documented error of the vendor's page."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async import errors
from cyclesoft_async.bridges import fleetio as fleetio_bridge
from cyclesoft_async.sandbox import Fault, Faults, FleetioSandbox
from tests.support.bridges import NOON, a_work_order, example, fleetio
from tests.support.http_server import Reply, answering, failure, pickled, wire

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


async def test_fleetio_accepts_the_example_of_its_page() -> None:
    body = example("fleetio-create-work-order-response-201")
    async with answering(Reply(body, 201)) as server, fleetio(server.url) as bridge:
        order = await bridge.create_work_order(a_work_order())
    documented = json.loads(body)
    assert set(order.__struct_fields__) == set(documented)
    sent_back = msgspec.to_builtins(order)
    assert sent_back == documented
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/v1/work_orders")
    assert request.headers["Authorization"] == "Token key"
    assert request.headers["Account-Token"] == "account"
    assert json.loads(request.body)["issued_at"] == "2025-06-02T12:00:00+02:00"


async def test_fleetio_accepts_every_field() -> None:
    meter = fleetio_bridge.MeterEntry(value=Decimal("1203.5"), void=False)
    wanted = fleetio_bridge.WorkOrderCreate(
        issued_at=NOON,
        started_at=NOON,
        completed_at=NOON,
        work_order_status_id=1,
        work_order_status_name="Completed",
        invoice_number="20173328",
        vendor_id=3,
        vendor_name="Fietsenwinkel",
        vehicle_id=17,
        vehicle_name="Bakfiets",
        discount_type="amount",
        discount=Decimal("2.50"),
        discount_percentage=0,
        tax_1_percentage=0,
        tax_1_type="fixed",
        tax_1=Decimal("7.80"),
        tax_2_percentage=Decimal("9.5"),
        tax_2_type="percentage",
        tax_2=0,
        issued_by_id=4,
        contact_id=5,
        label_list="Fiets, Haast",
        purchase_order_number="PO 1",
        description="Banden",
        number=50032,
        meter_entry_attributes=meter,
        secondary_meter_entry_attributes=meter,
        custom_fields={"store": "1"},
        ending_meter_same_as_start=True,
        vmrs_repair_priority_class_id=6,
    )
    async with FleetioSandbox() as sandbox, fleetio(sandbox.url) as bridge:
        made = await bridge.create_work_order(wanted)
    assert (made.id, made.number, made.state, made.issued_at) == (1, 50032, "completed", NOON)
    assert (made.tax_1_type, made.tax_1_cents, made.tax_2_percentage) == ("fixed", 780, "9.5")
    assert (made.discount_type, made.discount_cents) == ("fixed", 250)
    assert (made.label_list, made.custom_fields) == (["Fiets", "Haast"], {"store": "1"})


@pytest.mark.parametrize(
    ("status", "class_", "of_the_tree"),
    [
        (401, fleetio_bridge.NotAuthenticatedError, errors.AuthenticationError),
        (403, fleetio_bridge.NotPermittedError, errors.PermissionDeniedError),
        (500, fleetio_bridge.UnexpectedError, errors.ServerError),
    ],
)
async def test_each_problem_of_fleetio_has_its_class(
    status: int, class_: type[fleetio_bridge.ProblemError], of_the_tree: type[errors.StatusError]
) -> None:
    replies = (Reply(example(f"fleetio-create-work-order-response-{status}"), status), Reply(b"[]", status))
    async with answering(*replies) as server, fleetio(server.url) as bridge:
        error = await failure(bridge.create_work_order(a_work_order()), class_)
        bare = await failure(bridge.create_work_order(a_work_order()), class_)
    assert isinstance(error, of_the_tree)
    assert error.problem == fleetio_bridge.Problem(
        status=0, title="string", detail="string", instance="string"
    )
    assert (error.status, error.server_message) == (status, "string")
    assert vars(pickled(error)) == vars(error)
    assert (bare.problem, bare.server_message) == (fleetio_bridge.Problem(), None)
    async with FleetioSandbox() as sandbox, fleetio(sandbox.url) as bridge:
        sandbox.refuse(status)
        error = await failure(bridge.create_work_order(a_work_order()), class_)
    assert error.problem.status == status


async def test_rejected_fields_of_fleetio() -> None:
    bodies = [
        example("fleetio-create-work-order-response-422"),
        example("fleetio-create-work-order-response-422-schema"),
        b"<html>",
    ]
    async with answering(*(Reply(body, 422) for body in bodies)) as server, fleetio(server.url) as bridge:
        create, class_ = bridge.create_work_order, fleetio_bridge.InvalidFieldsError
        error = await failure(create(a_work_order()), class_)
        bare = [await failure(create(a_work_order()), class_) for _ in range(2)]
    assert isinstance(error, errors.UnprocessableError)
    assert error.fields == {"field1": ["error1", "error2"], "field2": ["error3"]}
    assert error.server_message == "field1: error1, error2; field2: error3"
    assert pickled(error).fields == error.fields
    assert [failed.fields for failed in bare] == [{}, {}]
    async with FleetioSandbox() as sandbox, fleetio(sandbox.url) as bridge:
        await bridge.create_work_order(a_work_order(7))
        taken = await failure(bridge.create_work_order(a_work_order(7)), class_)
        sandbox.refuse(422, {"vehicle_id": ["is invalid"]})
        unknown = await failure(bridge.create_work_order(a_work_order(8)), class_)
    assert (list(taken.fields), list(unknown.fields)) == (["number"], ["vehicle_id"])
    assert len(sandbox.work_orders) == 1


@pytest.mark.parametrize(
    ("body", "fields", "message"),
    [
        ({"errors": {"number": "is taken"}}, {"number": ["is taken"]}, "number: is taken"),
        ({"errors": ["number is taken"]}, {"base": ["number is taken"]}, "base: number is taken"),
        ({"errors": "is taken"}, {"base": ["is taken"]}, "base: is taken"),
        ({"errors": {"base": [{"a": 1}]}}, {"base": ['{"a":1}']}, 'base: {"a":1}'),
        ({"errors": {}}, {}, None),
        ({"title": "Unprocessable", "detail": "is taken"}, {}, "is taken"),
        ({"error": "is taken"}, {}, "is taken"),
    ],
)
async def test_other_shapes_of_rejected_fields(
    body: object, fields: dict[str, list[str]], message: str | None
) -> None:
    async with answering(Reply(wire(body), 422)) as server, fleetio(server.url) as bridge:
        error = await failure(bridge.create_work_order(a_work_order()), fleetio_bridge.InvalidFieldsError)
    assert (error.fields, error.server_message) == (fields, message)
    assert vars(pickled(error)) == vars(error)


@pytest.mark.parametrize(
    ("status", "class_"),
    [(400, errors.BadRequestError), (402, errors.BadRequestError), (404, errors.NotFoundError)],
)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"status": 0, "title": "Bad", "detail": "why"}, "why"),
        ({"title": "Bad"}, "Bad"),
        ({"errors": {"issued_at": ["is invalid"]}}, "issued_at: is invalid"),
        ({"error": "why"}, "why"),
        ([], None),
    ],
)
async def test_other_errors_of_fleetio_have_its_message(
    status: int, class_: type[errors.StatusError], body: object, message: str | None
) -> None:
    async with answering(Reply(wire(body), status)) as server, fleetio(server.url) as bridge:
        error = await failure(bridge.create_work_order(a_work_order()), class_)
    assert error.server_message == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_errors_under_422_are_texts_by_field(rejected: object) -> None:
    async def create() -> fleetio_bridge.InvalidFieldsError:
        reply = Reply(wire({"errors": rejected}), 422)
        async with answering(reply) as server, fleetio(server.url) as bridge:
            return await failure(bridge.create_work_order(a_work_order()), fleetio_bridge.InvalidFieldsError)

    error = asyncio.run(create())
    expected = cast("dict[str, object]", rejected) if isinstance(rejected, dict) else {"base": rejected}
    assert set(error.fields) == set(expected if rejected else ())
    assert all(isinstance(text, str) for messages in error.fields.values() for text in messages)
    assert vars(pickled(error)) == vars(error)


async def test_a_429_of_fleetio_has_its_retry_after() -> None:
    faults = Faults(at={1: Fault.TOO_MANY_REQUESTS})
    async with FleetioSandbox(faults=faults) as sandbox, fleetio(sandbox.url) as bridge:
        error = await failure(bridge.create_work_order(a_work_order()), errors.RateLimitedError)
    assert (error.retry_after, error.quota) == (30.0, None)
    assert error.server_message == "Too many requests detected from your account token."
