"""Bridges over real sockets: the examples and every documented error of the vendors' pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async import RetryPolicy, errors
from cyclesoft_async.bridges import (
    BasicAuth,
    BearerToken,
    Fleetio,
    HeaderTokens,
    Ppw,
    ShopCtrl,
)
from cyclesoft_async.bridges import fleetio as fleetio_bridge
from cyclesoft_async.bridges import ppw as ppw_bridge
from cyclesoft_async.bridges import shopctrl as shopctrl_bridge
from cyclesoft_async.sandbox import Fault, Faults, FleetioSandbox, PpwSandbox, ShopCtrlSandbox
from tests.support.http_server import Reply, answering, failure, pickled, wire
from tests.support.paths import DATA

AT_ONCE = RetryPolicy(attempts=3, first_delay=0.0)
NOON = datetime(2025, 6, 2, 12, tzinfo=timezone(timedelta(hours=2)))

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


def example(name: str) -> bytes:
    return (DATA / "examples" / f"{name}.json").read_bytes()


def ppw(url: str) -> Ppw:
    return Ppw("token", base_url=url, retries=AT_ONCE)


def shopctrl(url: str) -> ShopCtrl:
    return ShopCtrl(BasicAuth("user", "pass"), base_url=url, retries=AT_ONCE)


def fleetio(url: str) -> Fleetio:
    return Fleetio("key", "account", base_url=url, retries=AT_ONCE)


def an_invoice(report_id: int = 3850) -> ppw_bridge.InvoiceCreate:
    item = ppw_bridge.ClientItem(invoice_item_other="Band", qty=2, price=Decimal("14.95"))
    return ppw_bridge.InvoiceCreate(report_id=report_id, client_items=[item])


def a_work_order(number: int = 1) -> fleetio_bridge.WorkOrderCreate:
    return fleetio_bridge.WorkOrderCreate(issued_at=NOON, work_order_status_id=1, vehicle_id=2, number=number)


async def test_ppw_accepts_the_example_of_its_page() -> None:
    invoice = msgspec.json.decode(example("ppw-invoice-create-request"), type=ppw_bridge.InvoiceCreate)
    sandbox = PpwSandbox(work_orders={3850}, invoice_items={42921}, uoms={1})
    async with sandbox, ppw(sandbox.url) as bridge:
        made = await bridge.create_invoice(invoice)
    assert made == msgspec.json.decode(example("ppw-invoice-create-response"), type=ppw_bridge.CreatedInvoice)
    assert sandbox.invoices == {3850: json.loads(example("ppw-invoice-create-request"))}


async def test_the_request_to_ppw_is_that_of_its_page() -> None:
    invoice = msgspec.json.decode(example("ppw-invoice-create-request"), type=ppw_bridge.InvoiceCreate)
    reply = example("ppw-invoice-create-response")
    async with answering(reply) as server, ppw(f"{server.url}/svc/") as bridge:
        assert (await bridge.create_invoice(invoice)).invoice_id == 427
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/svc/invoice/create")
    assert request.headers["Authorization"] == "Bearer token"
    assert request.headers["Content-Type"].startswith("application/json")
    assert json.loads(request.body) == json.loads(example("ppw-invoice-create-request"))


async def test_an_id_as_text_is_a_number() -> None:
    async with answering(b'{"invoice_id": "427"}') as server, ppw(server.url) as bridge:
        assert (await bridge.create_invoice(an_invoice())).invoice_id == 427


PPW_ERRORS = [
    ("access_denied", ppw_bridge.AccessDeniedError, errors.AuthenticationError, 401),
    ("scope_invalid", ppw_bridge.ScopeInvalidError, errors.PermissionDeniedError, 403),
    ("wo_invalid", ppw_bridge.WorkOrderInvalidError, errors.BadRequestError, 400),
    ("invoice_exists", ppw_bridge.InvoiceExistsError, errors.BadRequestError, 400),
    ("invoice_item_id_not_allowed", ppw_bridge.InvoiceItemIdNotAllowedError, errors.BadRequestError, 400),
    ("invoice_item_id_required", ppw_bridge.InvoiceItemIdRequiredError, errors.BadRequestError, 400),
    ("invoice_item_id_invalid", ppw_bridge.InvoiceItemIdInvalidError, errors.BadRequestError, 400),
    ("qty_required", ppw_bridge.QtyRequiredError, errors.BadRequestError, 400),
    ("qty_invalid", ppw_bridge.QtyInvalidError, errors.BadRequestError, 400),
    ("uom_invalid", ppw_bridge.UomInvalidError, errors.BadRequestError, 400),
    ("uom_not_allowed", ppw_bridge.UomNotAllowedError, errors.BadRequestError, 400),
    ("price_required", ppw_bridge.PriceRequiredError, errors.BadRequestError, 400),
    ("price_invalid", ppw_bridge.PriceInvalidError, errors.BadRequestError, 400),
    ("flat_fee_invalid", ppw_bridge.FlatFeeInvalidError, errors.BadRequestError, 400),
    ("invalid_fields", ppw_bridge.InvalidFieldsError, errors.BadRequestError, 400),
]


@pytest.mark.parametrize(("error_type", "class_", "of_the_tree", "status"), PPW_ERRORS)
async def test_each_error_type_of_ppw_has_its_class(
    error_type: str, class_: type[ppw_bridge.PpwError], of_the_tree: type[errors.StatusError], status: int
) -> None:
    async with PpwSandbox() as sandbox, ppw(sandbox.url) as bridge:
        sandbox.refuse(error_type)
        error = await failure(bridge.create_invoice(an_invoice()), class_)
    assert isinstance(error, of_the_tree)
    assert (error.error_type, error.status, error.path) == (error_type, status, "/invoice/create")
    assert str(error).startswith(f"POST /invoice/create: status {status}: {error_type}: ")
    assert vars(pickled(error)) == vars(error)
    assert sandbox.invoices == {}


@pytest.mark.parametrize(
    ("body", "status", "class_", "words"),
    [
        (b'{"error": "tomorrow", "error_description": "New"}', 400, errors.BadRequestError, "tomorrow: New"),
        (b'{"error": "invoice_exists"}', 200, ppw_bridge.InvoiceExistsError, "invoice_exists"),
        (b'{"error": true}', 200, errors.BadRequestError, None),
        (b"<html>", 404, errors.NotFoundError, None),
        (b"[]", 500, errors.ServerError, None),
    ],
)
async def test_undocumented_errors_of_ppw_have_the_class_of_their_status(
    body: bytes, status: int, class_: type[errors.StatusError], words: str | None
) -> None:
    async with answering(Reply(body, status)) as server, ppw(server.url) as bridge:
        error = await failure(bridge.create_invoice(an_invoice()), class_)
    assert error.server_message == words


async def test_shopctrl_returns_the_example_of_its_page() -> None:
    reply = example("shopctrl-order-invoices-response")
    async with answering(reply) as server, shopctrl(server.url) as bridge:
        invoice = await bridge.create_invoice(3)
    moment = datetime(2021, 12, 2, 20, 19, 34, 279104, tzinfo=timezone(timedelta(hours=1)))
    assert invoice == shopctrl_bridge.Invoice(
        id=1,
        invoice_code="sample string 2",
        order_id=3,
        order_code="sample string 4",
        invoice_date=moment,
        invoice_total_inc_vat=Decimal("5.0"),
        invoice_total_ex_vat=Decimal("6.0"),
        currency_id=7,
        currency_code="sample string 8",
        deleted=True,
        change_timestamp=moment,
        main_status_id=1,
        document_file_id=1,
    )
    [request] = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/v1/Orders/3/Invoices", b"")
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Authorization"] == "Basic dXNlcjpwYXNz"


async def test_nothing_to_invoice_is_none() -> None:
    async with ShopCtrlSandbox({3: Decimal("44.95")}) as sandbox, shopctrl(sandbox.url) as bridge:
        made = await bridge.create_invoice(3)
        assert made is not None
        assert (made.order_id, made.invoice_total_inc_vat) == (3, Decimal("44.95"))
        assert made.change_timestamp is not None
        assert datetime.now(UTC) - made.change_timestamp < timedelta(minutes=1)
        assert await bridge.create_invoice(3) is None
        sandbox.orders[3] += Decimal(10)
        assert await bridge.create_invoice(3) is not None
    assert sandbox.invoices == [3, 3]


@pytest.mark.parametrize("orders", [{3: Decimal(1)}, {3: Decimal(0)}])
async def test_a_response_in_xml_is_recognised(orders: dict[int, Decimal]) -> None:
    async with ShopCtrlSandbox(orders, only_xml=True) as sandbox, shopctrl(sandbox.url) as bridge:
        error = await failure(bridge.create_invoice(3), errors.ResponseDecodeError)
    assert "the response is XML, expected JSON; the status says" in str(error)


async def test_xml_labelled_json_is_recognised() -> None:
    async with answering(b" <InvoiceBase/>") as server, shopctrl(server.url) as bridge:
        error = await failure(bridge.create_invoice(3), errors.ResponseDecodeError)
    assert "the response is XML" in str(error)


async def test_an_undocumented_shape_is_a_decode_error() -> None:
    async with answering(b'{"Id": 1}') as server, shopctrl(server.url) as bridge:
        error = await failure(bridge.create_invoice(3), errors.ResponseDecodeError)
    assert "missing required field `OrderId`" in str(error)


async def test_errors_of_shopctrl_have_the_class_of_their_status() -> None:
    async with ShopCtrlSandbox({3: Decimal(1)}) as sandbox, shopctrl(sandbox.url) as bridge:
        await failure(bridge.create_invoice(4), errors.NotFoundError)
        sandbox.refuse(403)
        await failure(bridge.create_invoice(3), errors.PermissionDeniedError)
        async with ShopCtrl(BasicAuth("user", "wrong"), base_url=sandbox.url) as stranger:
            await failure(stranger.create_invoice(3), errors.AuthenticationError)
    assert sandbox.invoices == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Message": "No HTTP resource was found"}, "No HTTP resource was found"),
        (
            {"Message": "An error has occurred.", "ExceptionMessage": "Order is locked"},
            "An error has occurred. Order is locked",
        ),
        (
            {"Message": "The request is invalid.", "ModelState": {"orderId": ["unknown"]}},
            'The request is invalid. {"orderId":["unknown"]}',
        ),
        ({"Message": None}, None),
        ("denied", None),
        (None, None),
    ],
)
async def test_the_message_of_a_shopctrl_error(body: object, message: str | None) -> None:
    async with answering(Reply(wire(body), 404)) as server, shopctrl(server.url) as bridge:
        error = await failure(bridge.create_invoice(3), errors.NotFoundError)
    assert error.server_message == message
    assert vars(pickled(error)) == vars(error)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"", 204),
        Reply(b""),
        Reply(b" null\r\n"),
        Reply(b"\xef\xbb\xbfnull"),
    ],
    ids=repr,
)
async def test_an_empty_success_of_shopctrl_means_nothing_to_invoice(reply: Reply) -> None:
    async with answering(reply) as server, shopctrl(server.url) as bridge:
        assert await bridge.create_invoice(3) is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+01:00"])
async def test_the_default_time_of_dot_net_is_none(moment: str) -> None:
    example = {"Id": 1, "OrderId": 3, "InvoiceTotalIncVat": 5, "InvoiceTotalExVat": 4}
    body = wire({**example, "InvoiceDate": moment, "ChangeTimestamp": moment})
    async with answering(body) as server, shopctrl(server.url) as bridge:
        invoice = await bridge.create_invoice(3)
    assert invoice is not None
    assert (invoice.invoice_date, invoice.change_timestamp) == (None, None)


@pytest.mark.parametrize("order_id", [-1, True, "3/../4", None])
async def test_an_order_id_is_a_whole_number(order_id: Any) -> None:
    async with shopctrl("http://127.0.0.1:1") as bridge:
        with pytest.raises(errors.UsageError, match="order_id must be an int >= 0"):
            await bridge.create_invoice(order_id)


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


async def test_wrong_credentials_are_rejected() -> None:
    async with FleetioSandbox() as sandbox:
        for key, account in (("wrong", "account"), ("key", "wrong")):
            async with Fleetio(key, account, base_url=sandbox.url) as bridge:
                await failure(bridge.create_work_order(a_work_order()), fleetio_bridge.NotAuthenticatedError)
    async with PpwSandbox() as box, Ppw("wrong", base_url=box.url) as maker:
        await failure(maker.create_invoice(an_invoice()), ppw_bridge.AccessDeniedError)


@pytest.mark.parametrize("token", ["", "canary\r\nX: y", "canary caf\xe9", " canary", "canary\x00"])
def test_invalid_tokens_are_rejected(token: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: BearerToken(token),
        lambda: HeaderTokens({"Account-Token": token}),
        lambda: Ppw(token, base_url="https://ppw.example/svc"),
        lambda: Fleetio(token, "account"),
        lambda: Fleetio("key", token),
    ]
    for make in makers:
        with pytest.raises(errors.UsageError, match=r"^the token in [A-Za-z-]+ must not") as caught:
            make()
        assert "canary" not in str(caught.value)
    with pytest.raises(errors.UsageError, match="name of a header"):
        HeaderTokens({"a b": "token"})


def test_the_repr_of_a_bridge_and_its_arguments() -> None:
    assert repr(Fleetio("key", "account")) == "Fleetio('https://secure.fleetio.com')"
    assert repr(HeaderTokens({"Account-Token": "x"})) == "HeaderTokens(Account-Token)"
    assert repr(BearerToken("x")) == "BearerToken(Authorization)"
    with pytest.raises(errors.UsageError, match="minutely_limit"):
        Fleetio("key", "account", minutely_limit=0)
    with pytest.raises(errors.UsageError, match="base_url"):
        Ppw("x", base_url="ppw.example")


@pytest.mark.filterwarnings("default:(PPW|Fleetio) deprecates:DeprecationWarning")
async def test_a_deprecation_names_its_successor() -> None:
    async with PpwSandbox() as sandbox, ppw(sandbox.url) as bridge:
        with pytest.warns(DeprecationWarning, match=r"use /invoice/update") as warned:
            await bridge.create_invoice(an_invoice())
        assert [warning.filename for warning in warned] == [__file__]
    async with FleetioSandbox() as box, fleetio(box.url) as fleet:
        with pytest.warns(DeprecationWarning, match=r"use POST /api/v2/work_orders") as warned:
            await fleet.create_work_order(a_work_order())
        assert [warning.filename for warning in warned] == [__file__]
    async with ShopCtrlSandbox({1: Decimal(1)}) as shop, shopctrl(shop.url) as other:
        await other.create_invoice(1)
