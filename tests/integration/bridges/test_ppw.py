"""PPW over real sockets: the example and every documented error of the vendor's page."""

from __future__ import annotations

import json

import msgspec
import pytest

from cyclesoft_async import errors
from cyclesoft_async.bridges import ppw as ppw_bridge
from cyclesoft_async.sandbox import PpwSandbox
from tests.support.bridges import an_invoice, example, ppw
from tests.support.http_server import Reply, answering, failure, pickled

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


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
