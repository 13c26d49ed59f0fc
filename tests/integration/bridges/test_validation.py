"""Requests are validated against the vendors' pages before they are sent, and by the sandboxes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from math import inf
from typing import Any

import aiohttp
import pytest

from cyclesoft_async.bridges import Fleetio, Ppw
from cyclesoft_async.bridges.fleetio import MeterEntry, WorkOrderCreate
from cyclesoft_async.bridges.ppw import ClientItem, ContractorItem, InvoiceCreate
from cyclesoft_async.errors import UsageError
from cyclesoft_async.sandbox import FleetioSandbox, PpwSandbox, ShopCtrlSandbox
from tests.support.http_server import answering

NOON = datetime(2025, 6, 2, 12, tzinfo=timezone(timedelta(hours=2)))
NAIVE = NOON.replace(tzinfo=None)

pytestmark = pytest.mark.filterwarnings("ignore:(PPW|Fleetio) deprecates:DeprecationWarning")


def work_order(fields: dict[str, Any]) -> WorkOrderCreate:
    required: dict[str, Any] = {"issued_at": NOON, "work_order_status_id": 1, "vehicle_id": 1}
    return WorkOrderCreate(**required | fields)


def client_item(fields: dict[str, Any]) -> ClientItem:
    required: dict[str, Any] = {"invoice_item_id": 1, "qty": 1, "price": 1}
    return ClientItem(**required | fields)


def meter(**fields: Any) -> MeterEntry:
    return MeterEntry(**fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, NAIVE) for name in ("issued_at", "started_at", "completed_at")),
        ("issued_at", "2025-06-02"),
        *((name, 0) for name in ("work_order_status_id", "vendor_id", "vehicle_id", "issued_by_id")),
        *((name, 0) for name in ("contact_id", "vmrs_repair_priority_class_id")),
        ("vehicle_id", "1"),
        ("vehicle_id", True),
        ("vehicle_id", None),
        *((name, "x" * 256) for name in ("invoice_number", "vendor_name", "vehicle_name", "label_list")),
        ("work_order_status_name", 1),
        ("purchase_order_number", 1),
        ("description", b"x"),
        ("number", Decimal("1.5")),
        ("discount_type", "fixed"),
        ("tax_1_type", "amount"),
        ("tax_2_type", "amount"),
        *((name, "a") for name in ("discount", "discount_percentage", "tax_1", "tax_1_percentage")),
        *((name, Decimal("NaN")) for name in ("tax_2", "tax_2_percentage")),
        ("tax_2", inf),
        ("ending_meter_same_as_start", 1),
        ("custom_fields", [1]),
        ("custom_fields", {"a": [1, {"b": inf}]}),
        ("meter_entry_attributes", meter(value=Decimal("Infinity"))),
        ("secondary_meter_entry_attributes", meter(void="yes")),
    ],
)
async def test_a_work_order_outside_its_bounds_is_not_sent(field: str, value: object) -> None:
    async with answering() as server, Fleetio("key", "account", base_url=server.url) as bridge:
        with pytest.raises(UsageError, match=rf"^WorkOrderCreate can't be sent: .*\$\.{field}"):
            await bridge.create_work_order(work_order({field: value}))
    assert server.requests == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("invoice_item_id", "42921"),
        ("qty", "een"),
        ("qty", "NaN"),
        ("qty", Decimal("NaN")),
        ("qty", None),
        ("price", inf),
        ("uom_id", Decimal("1.5")),
        ("flat_fee", 1),
    ],
)
async def test_an_invoice_outside_its_bounds_is_not_sent(field: str, value: object) -> None:
    wrong = client_item({field: value})
    async with answering() as server, Ppw("token", base_url=server.url) as bridge:
        with pytest.raises(UsageError, match=rf"\$\.client_items\[1\]\.{field}"):
            await bridge.create_invoice(InvoiceCreate(report_id=1, client_items=[client_item({}), wrong]))
    assert server.requests == []


async def test_values_that_json_cannot_express_are_not_sent() -> None:
    async with answering() as server, Fleetio("key", "account", base_url=server.url) as bridge:
        with pytest.raises(UsageError, match="WorkOrderCreate can't be sent"):
            await bridge.create_work_order(work_order({"custom_fields": {"a": object()}}))
    assert server.requests == []


async def test_an_adjustment_is_for_contractors_only() -> None:
    item = ContractorItem(
        invoice_item_other="Band", qty=1, price=Decimal("9.99"), price_sub_adj=-1, adj_comment="Korting"
    )
    either: Any = item
    async with PpwSandbox() as sandbox, Ppw("token", base_url=sandbox.url) as bridge:
        with pytest.raises(UsageError, match=r"unknown field .* - at `\$\.client_items\[0\]`"):
            await bridge.create_invoice(InvoiceCreate(report_id=1, client_items=[either]))
        assert sandbox.requests == 0
        await bridge.create_invoice(InvoiceCreate(report_id=1, contractor_items=[item]))
    assert sandbox.invoices[1] == {
        "report_id": 1,
        "contractor_items": [
            {
                "invoice_item_other": "Band",
                "qty": 1,
                "price": 9.99,
                "price_sub_adj": -1,
                "adj_comment": "Korting",
            }
        ],
    }


@pytest.mark.parametrize("fields", [{}, {"invoice_item_id": 1, "invoice_item_other": "Band"}])
def test_an_item_has_either_an_id_or_a_text(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="either invoice_item_id or invoice_item_other"):
        ClientItem(qty=1, price=1, **fields)


async def test_boundary_values_are_sent() -> None:
    fields = {"vehicle_name": "x" * 255, "vendor_id": 1, "tax_1": Decimal("1E-9"), "discount": 0.1}
    async with FleetioSandbox() as sandbox, Fleetio("key", "account", base_url=sandbox.url) as bridge:
        made = await bridge.create_work_order(work_order(fields))
    assert made.vendor_id == 1


GOOD_ITEM: dict[str, object] = {"invoice_item_id": 1, "qty": 1, "price": 1}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in GOOD_ITEM.items() if key != name}


@pytest.mark.parametrize(
    ("item", "error_type"),
    [
        (1, "invalid_fields"),
        (GOOD_ITEM | {"adj_comment": "x"}, "invalid_fields"),
        (without("invoice_item_id") | {"invoice_item_other": 1}, "invalid_fields"),
        (GOOD_ITEM | {"invoice_item_other": "x"}, "invoice_item_id_not_allowed"),
        (without("invoice_item_id"), "invoice_item_id_required"),
        (GOOD_ITEM | {"invoice_item_id": 9}, "invoice_item_id_invalid"),
        (without("qty"), "qty_required"),
        (GOOD_ITEM | {"qty": True}, "qty_invalid"),
        (GOOD_ITEM | {"uom_id": 9}, "uom_invalid"),
        (without("price"), "price_required"),
        (GOOD_ITEM | {"price": "1"}, "price_invalid"),
        (GOOD_ITEM | {"flat_fee": 1}, "flat_fee_invalid"),
    ],
)
async def test_the_ppw_sandbox_rejects_invalid_items(item: object, error_type: str) -> None:
    await refused_by_ppw({"report_id": 1, "client_items": [item]}, error_type)


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (b"{", "invalid_fields"),
        ([], "invalid_fields"),
        ({"report_id": 1, "more": 1}, "invalid_fields"),
        ({}, "wo_invalid"),
        ({"report_id": "1"}, "wo_invalid"),
        ({"report_id": 0}, "wo_invalid"),
        ({"report_id": 1, "client_items": {}}, "invalid_fields"),
        ({"report_id": 1, "contractor_items": [GOOD_ITEM | {"adj_comment": 1}]}, "invalid_fields"),
        ({"report_id": 1, "contractor_items": [GOOD_ITEM | {"price_sub_adj": "1"}]}, "invalid_fields"),
    ],
)
async def test_the_ppw_sandbox_rejects_invalid_bodies(body: object, error_type: str) -> None:
    await refused_by_ppw(body, error_type)


async def refused_by_ppw(body: object, error_type: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": "Bearer token"}
    async with (
        PpwSandbox(invoice_items=[1], uoms=[1]) as sandbox,
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{sandbox.url}/invoice/create", data=raw) as response,
    ):
        assert (await response.json())["error"] == error_type
    assert (response.status, sandbox.invoices) == (400, {})


ORDER = {"issued_at": "2025-06-02T12:00:00Z", "work_order_status_id": 1, "vehicle_id": 1}


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ([], 400, None),
        ({}, 422, {"issued_at", "work_order_status_id", "vehicle_id"}),
        (ORDER | {"issued_at": "gisteren", "vehicle_id": 0}, 422, {"issued_at", "vehicle_id"}),
        (ORDER | {"more": 1}, 201, None),
    ],
)
async def test_the_fleetio_sandbox_rejects_invalid_bodies(
    body: object, status: int, fields: set[str] | None
) -> None:
    headers = {"Authorization": "Token key", "Account-Token": "account"}
    async with (
        FleetioSandbox() as sandbox,
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{sandbox.url}/api/v1/work_orders", json=body) as response,
    ):
        answer = await response.json()
    assert response.status == status
    assert set(answer.get("errors", ())) == (fields or set())


async def test_shopctrl_responds_in_xml_to_a_client_that_accepts_no_json() -> None:
    headers = {"Authorization": "Basic dXNlcjpwYXNz"}
    namespaces = (
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    )
    async with ShopCtrlSandbox({3: Decimal(5)}) as sandbox, aiohttp.ClientSession(headers=headers) as http:
        async with http.post(f"{sandbox.url}/v1/Orders/3/Invoices") as response:
            assert response.content_type == "application/xml"
            xml = await response.text()
        assert xml.startswith(f"<InvoiceBase {namespaces}><Id>1</Id><InvoiceCode>F1</InvoiceCode><OrderId>3<")
        assert "<InvoiceTotalIncVat>5</InvoiceTotalIncVat><InvoiceTotalExVat>4.13<" in xml
        assert "<Deleted>false</Deleted>" in xml
        async with http.post(f"{sandbox.url}/v1/Orders/3/Invoices") as response:
            assert await response.text() == f'<InvoiceBase {namespaces} xsi:nil="true" />'
        async with http.get(f"{sandbox.url}/elsewhere") as response:
            assert (response.status, await response.json()) == (404, {"Message": "HTTP 404"})


async def test_a_sandbox_has_its_own_port_while_it_runs() -> None:
    async with PpwSandbox() as sandbox:
        port = int(sandbox.url.removesuffix("/svc").rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with FleetioSandbox(port=port):
                pass
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url
