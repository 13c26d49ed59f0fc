"""ShopCtrl over real sockets: the example and every documented error of the vendor's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from cyclesoft_async import errors
from cyclesoft_async.bridges import (
    BasicAuth,
    ShopCtrl,
)
from cyclesoft_async.bridges import shopctrl as shopctrl_bridge
from cyclesoft_async.sandbox import ShopCtrlSandbox
from tests.support.bridges import example, shopctrl
from tests.support.http_server import Reply, answering, failure, pickled, wire

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


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
