"""Create, update and create-invoices of the sandbox, with the quirks of PHP."""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.sandbox import Sandbox
from cyclesoft_async.sandbox.orders.invoicing import read_invoice_request
from cyclesoft_async.sandbox.orders.mutations import create
from cyclesoft_async.sandbox.orders.pdf import render_page
from cyclesoft_async.sandbox.responses import ApiError
from cyclesoft_async.sandbox.times import read_wall

Json: TypeAlias = dict[str, Any]
AUTH = {"Authorization": "Basic dXNlcjpwYXNz"}
ORDERS_OF_ANNA = "/api/v1/customers/1001/workshop-order"
NOW = datetime(2026, 3, 7, 16, 48, 43, tzinfo=ZoneInfo("Europe/Amsterdam")).timestamp()
LINE: Json = {
    "item_id": 1,
    "item_type_id": 4,
    "special_type_id": 0,
    "quantity": 1,
    "barcode": "102",
    "pos_group_id": 2,
    "description": "In- en uitbouwen electromotor in- en uitbouwen accu",
    "unit_price_in_vat_cents": 9000,
    "unit_discount_amount_in_vat_cents": 0,
    "price_in_vat_cents": 9000,
    "discount_percentage": 0,
    "vat_code": 1,
    "vat_percentage": 6,
    "vat_amount_cents": 509,
    "item_status_id": 0,
    "item_status_text": "Geen status",
    "unit_work_time_minutes": 0,
}
# The vendor's own example of a create body, readonly fields and all, with ids that the sandbox has.
EXAMPLE: Json = {
    "customer_id": 1001,
    "store_id": None,
    "repair_object_id": 10001,
    "is_active": True,
    "reference_text": "work_number",
    "datetime_scheduled_start": "2023-03-07T16:56:32+01:00",
    "datetime_scheduled_finished": None,
    "datetime_created": None,
    "mechanic_employee_id": 12,
    "created_by_employee_id": None,
    "phone_number_id": "tel",
    "repair_description": "posted repair",
    "status_id": 7,
    "status_text": None,
    "invoice_number": None,
    "total_repair_time_minutes": 999,
    "custom_repair_time_minutes": None,
    "delivery_method_id": 0,
    "repair_codes": ["999"],
    "service_card_codes": [],
    "order_items": [LINE, LINE | {"item_id": 2, "item_type_id": 1}],
}


def sandbox_in_2026(orders: int = 0) -> Sandbox:
    return Sandbox(orders=orders, clock=lambda: NOW)


async def send(sandbox: Sandbox, method: str, path: str, body: object = None) -> tuple[int, Json]:
    async with aiohttp.request(method, sandbox.url + path, headers=AUTH, json=body) as response:
        return response.status, await response.json()


async def created(sandbox: Sandbox, body: Json) -> Json:
    status, order = await send(sandbox, "POST", f"{ORDERS_OF_ANNA}.json", body)
    assert status == 200, order
    return order


async def updated(sandbox: Sandbox, order: Json, body: Json, query: str = "") -> Json:
    path = f"{ORDERS_OF_ANNA}/{order['workshop_order_id']}.json{query}"
    status, answer = await send(sandbox, "PUT", path, body)
    assert status == 200, answer
    return answer


async def invoiced(sandbox: Sandbox, order: Json, **form: str) -> tuple[int, Json]:
    path = f"{sandbox.url}/api/v1/workshop/orders/{order['workshop_order_id']}/create-invoices.json"
    async with aiohttp.request("POST", path, headers=AUTH, data=form) as response:
        return response.status, await response.json()


async def fetched(sandbox: Sandbox, order: Json) -> Json:
    _, answer = await send(sandbox, "GET", f"{ORDERS_OF_ANNA}/{order['workshop_order_id']}.json")
    return answer


async def test_the_vendors_example_creates_the_order_that_the_vendor_shows() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        line = LINE | {"vat_percentage": 9, "vat_amount_cents": 743}
        repair = {
            "item_id": 3,
            "barcode": "999",
            "description": "Test Title",
            "unit_price_in_vat_cents": 12000,
            "price_in_vat_cents": 12000,
            "vat_amount_cents": 991,
            "unit_work_time_minutes": 60,
        }
        assert order == {
            "workshop_order_id": 900_001,
            "sales_order_id": 900_001,
            "customer_id": 1001,
            "store_id": 1,
            "repair_object_id": 10001,
            "is_active": True,
            "reference_text": "work_number",
            "datetime_scheduled_start": "2023-03-07 16:56:32",
            "datetime_scheduled_finished": "2023-03-07 17:56:32",
            "datetime_created": "2026-03-07 16:48:43",
            "datetime_modified": "2026-03-07 16:48:43",
            "mechanic_employee_id": 12,
            "created_by_employee_id": 1,
            "last_update_employee_id": 1,
            "phone_number_id": "tel",
            "repair_description": "posted repair",
            "status_id": 7,
            "status_text": "Reparatie voltooid",
            "invoice_number": 0,
            "borrowed_object_reference": "",
            "total_repair_time_minutes": 60,
            "custom_repair_time_minutes": 0,
            "delivery_method_id": 0,
            "workshop_order_type_id": 1,
            "order_items": [line, line | {"item_id": 2, "item_type_id": 1}, line | repair],
        }
        read = await fetched(sandbox, order)
        assert [line.pop("assigned_to_customer_id") for line in read["order_items"]] == [1001] * 3
        assert read == order
        assert sandbox.orders == 1


async def test_an_empty_body_creates_an_order_of_defaults_that_lists_find() -> None:
    async with sandbox_in_2026(orders=3) as sandbox:
        order = await created(sandbox, {})
        assert (order["workshop_order_id"], order["status_id"], order["order_items"]) == (900_004, 10, [])
        assert order["datetime_scheduled_start"] == order["datetime_created"] == "2026-03-07 16:48:43"
        for query in (
            "customer_id=1001&date_from=2026-01-01",
            "date_from=2026-01-01",
            "repair_object_id=0",
            "status_ids=10&store_id=1",
        ):
            _, answer = await send(sandbox, "GET", f"/api/v1/workshop/orders.json?{query}")
            assert answer["data"]["workshop_order_id"] == 900_004
        assert sandbox.orders == 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"customer_id": 1002}, "customer_id"),
        ({"store_id": "1"}, "store_id"),
        ({"store_id": True}, "store_id"),
        ({"repair_object_id": 2**31}, "repair_object_id"),
        ({"is_active": 1}, "is_active"),
        ({"reference_text": 5}, "reference_text"),
        ({"datetime_scheduled_start": "07-03-2023 12:00"}, "datetime_scheduled_start"),
        ({"datetime_scheduled_start": "2023-02-30 12:00:00"}, "datetime_scheduled_start"),
        ({"datetime_scheduled_start": "0000-00-00 00:00:00"}, "datetime_scheduled_start"),
        ({"datetime_scheduled_start": "0001-01-01T00:00:00+14:00"}, "datetime_scheduled_start"),
        (
            {"custom_repair_time_minutes": 2**31 - 1, "datetime_scheduled_start": "9999-01-01 00:00:00"},
            "start",
        ),
        ({"status_id": 99}, "status"),
        ({"repair_codes": ["120", "nope"]}, "nope"),
        ({"repair_codes": "120"}, "repair_codes"),
        ({"service_card_codes": ["8701"]}, "8701"),
        ({"order_items": {}}, "order_items"),
        ({"order_items": [{"discount_percentage": "10"}]}, "discount_percentage"),
        ({"order_items": [{"vat_code": 7}]}, "vat_code"),
        ({"order_items": [{"item_status_id": 7}]}, "item_status_id"),
        ([], "object"),
        (None, "JSON"),
    ],
)
async def test_an_invalid_body_is_rejected_and_creates_nothing(body: object, words: str) -> None:
    async with sandbox_in_2026() as sandbox:
        status, answer = await send(sandbox, "POST", f"{ORDERS_OF_ANNA}.json", body)
        assert (status, answer["error"]) == (400, True)
        assert words in answer["error_message"]
        assert sandbox.orders == 0


@given(
    st.binary(max_size=30) | st.sampled_from([b"[" * 100_000, b'{"a":"\xff"}', b'{"store_id":1e999}', b"NaN"])
)
def test_any_bytes_are_read_or_rejected(raw: bytes) -> None:
    with suppress(ApiError):
        create(raw, customer_id=1, order_id=1, now="2026-01-01 00:00:00", service_item=lambda _: None)


@pytest.mark.parametrize(
    ("sent", "wall"),
    [
        ("2023-03-07 16:56:32", "2023-03-07 16:56:32"),
        ("2023-03-07T16:56:32", "2023-03-07 16:56:32"),
        ("2023-07-07T16:56:32Z", "2023-07-07 18:56:32"),
        ("2023-03-07T16:56:32.987654-05:00", "2023-03-07 22:56:32"),
    ],
)
def test_datetimes_become_dutch_wall_time(sent: str, wall: str) -> None:
    assert str(read_wall(sent)) == wall


async def test_put_changes_only_the_given_fields() -> None:
    async with sandbox_in_2026(orders=40) as sandbox:
        _, answer = await send(sandbox, "GET", "/api/v1/workshop/orders.json")
        before: Json = answer["data"][20]
        path = f"/api/v1/customers/{before['customer_id']}/workshop-order/{before['workshop_order_id']}.json"
        readonly = {"reference_text": "x", "store_id": 9, "total_repair_time_minutes": 1, "status_text": "x"}
        status, after = await send(sandbox, "PUT", path, {"mechanic_employee_id": 22, **readonly})
        assert status == 200
        changed = {"mechanic_employee_id": 22, "datetime_modified": "2026-03-07 16:48:43"}
        _, read = await send(sandbox, "GET", path)
        assert read == before | changed
        assert {**after, "order_items": []} == {**read, "order_items": []}
        _, answer = await send(sandbox, "GET", "/api/v1/workshop/orders.json")
        assert answer["data"][20] == read
        assert len(answer["data"]) == sandbox.orders == 40


async def test_put_moves_an_order_and_deletes_it() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        moved = await updated(sandbox, order, {"datetime_scheduled_start": "2020-03-13 18:15:45"})
        assert moved["datetime_scheduled_finished"] == "2020-03-13 19:15:45"
        _, answer = await send(sandbox, "GET", "/api/v1/workshop/orders.json?date_until=2020-03-13")
        assert answer["data"]["workshop_order_id"] == order["workshop_order_id"]
        deleted = await updated(sandbox, order, {"is_active": False})
        assert (deleted["is_active"], sandbox.orders) == (False, 1)
        status, answer = await invoiced(sandbox, order)
        assert (status, answer["error_message"]) == (400, "Workshop order 900001 is deleted")


async def test_put_matches_lines_by_item_id_adds_new_ones_and_keeps_the_rest() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        first, second, third = order["order_items"]
        lines: list[Json] = [
            {"item_id": 2, "quantity": 3, "discount_percentage": 12.5},
            {"item_id": None, "description": "Bel", "unit_price_in_vat_cents": 995, "quantity": 2},
            {"item_id": 3, "item_status_id": 5},
        ]
        after = await updated(sandbox, order, {"order_items": lines})
        items = after["order_items"]
        assert items[0] == first
        assert items[1] == second | {
            "quantity": 3,
            "discount_percentage": 12.5,
            "unit_discount_amount_in_vat_cents": 1125,
            "price_in_vat_cents": 23_625,
            "vat_amount_cents": 1951,
        }
        assert items[2] == third | {"item_status_id": 5, "item_status_text": "Geannuleerd"}
        assert after["total_repair_time_minutes"] == 0
        assert len(items) == 4
        added = {
            name: items[3][name] for name in ("item_id", "vat_code", "price_in_vat_cents", "vat_amount_cents")
        }
        assert added == {"item_id": 4, "vat_code": 2, "price_in_vat_cents": 1990, "vat_amount_cents": 345}
        path = f"{ORDERS_OF_ANNA}/{order['workshop_order_id']}.json"
        status, answer = await send(sandbox, "PUT", path, {"status_id": 1, "order_items": [{"item_id": 9}]})
        assert (status, answer["error_message"]) == (400, "Unknown item_id: 9")
        assert (await fetched(sandbox, order))["status_id"] == 7


async def test_a_line_is_assigned_to_another_payer_and_back() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, {"order_items": [{"assigned_to_customer_id": 501}]})
        assert order["order_items"][0]["assigned_to_customer_id"] == 501
        back = {"order_items": [{"item_id": 1, "assigned_to_customer_id": 0}]}
        assert "assigned_to_customer_id" not in (await updated(sandbox, order, back))["order_items"][0]
        assert (await fetched(sandbox, order))["order_items"][0]["assigned_to_customer_id"] == 1001


@pytest.mark.parametrize(
    ("query", "status", "messages"),
    [("?send_customer_messages=true", 4, 1), ("?send_customer_messages=true", 7, 0)]
    + [(query, 4, 0) for query in ("", "?send_customer_messages=false", "?send_customer_messages=1")],
)
async def test_put_messages_the_customer_about_a_new_status_only_if_requested(
    query: str, status: int, messages: int
) -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        await updated(sandbox, order, {"status_id": status}, query)
        assert sandbox.messages_sent == messages


async def test_put_to_another_customers_order_is_not_found() -> None:
    async with sandbox_in_2026(orders=1) as sandbox:
        status, _ = await send(sandbox, "PUT", "/api/v1/customers/1002/workshop-order/900001.json", {})
        assert status == 404


async def test_create_invoices_creates_one_per_payer_and_only_once() -> None:
    async with sandbox_in_2026() as sandbox:
        lease = {
            "assigned_to_customer_id": 501,
            "description": "Ketting (KMC)\n",
            "unit_price_in_vat_cents": 2995,
        }
        order = await created(sandbox, EXAMPLE | {"order_items": [lease, LINE]})
        form = {"employee_id": "2", "workshop_order_status_id": "9", "book": "1"}
        status, answer = await invoiced(sandbox, order, **form)
        assert (status, answer["error"], answer["error_message"]) == (200, False, None)
        own, other = answer["invoices"]
        assert [own["customer_id"], other["customer_id"]] == [1001, 501]
        assert own["sent_messages"] == {"phone_message": True, "email_message": False}
        assert other["sent_messages"] == {"phone_message": False, "email_message": False}
        numbers = [own["invoice_number"], other["invoice_number"]]
        assert numbers == [20_000_000, 20_000_001]
        for made in (own, other):
            (document,) = made["documents"]
            assert document["document_mime_type"] == "application/pdf"
            content = b64decode(document["document_base64"], validate=True)
            assert content.startswith(b"%PDF-1.7")
            assert b"(Factuur %d)" % made["invoice_number"] in content
            assert rb"Ketting \(KMC\) " in content
        read = await fetched(sandbox, order)
        assert (read["invoice_number"], read["status_id"], read["last_update_employee_id"]) == (
            numbers[0],
            9,
            2,
        )
        assert [line["invoice_number"] for line in read["order_items"]] == [
            numbers[1],
            numbers[0],
            numbers[0],
        ]
        assert sandbox.messages_sent == 1

        status, answer = await invoiced(sandbox, order)
        assert status == 400
        assert answer == {"error": True, "error_message": "Workshop order 900001 is already invoiced"}
        await updated(sandbox, order, {"order_items": [{"description": "Bel"}]})
        _, answer = await invoiced(sandbox, order)
        (later,) = answer["invoices"]
        assert later["invoice_number"] == 20_000_002
        assert later["sent_messages"]["phone_message"] is False  # the customer knows already
        assert (await fetched(sandbox, order))["invoice_number"] == numbers[0]


async def test_an_order_without_open_lines_is_not_invoiced() -> None:
    async with sandbox_in_2026() as sandbox:
        for lines in ([], [{"item_status_id": 5}]):
            order = await created(sandbox, {"order_items": lines})
            status, answer = await invoiced(sandbox, order)
            assert (status, answer["error"]) == (400, True)
            assert "no items" in answer["error_message"]


@pytest.mark.parametrize(
    ("form", "messages"),
    [
        ({}, 2),
        ({"customer_messages": "1"}, 2),
        ({"customer_messages": "false"}, 2),
        ({"customer_messages": "0"}, 1),
        ({"customer_messages": ""}, 1),
        ({"allow_resend_messages": "1"}, 2),
    ],
)
async def test_form_booleans_are_read_the_php_way(form: dict[str, str], messages: int) -> None:
    async with sandbox_in_2026() as sandbox:
        first = await created(sandbox, EXAMPLE)
        await updated(sandbox, first, {"status_id": 4}, "?send_customer_messages=true")
        await invoiced(sandbox, first)
        assert sandbox.messages_sent == 1
        second = await created(sandbox, EXAMPLE)
        await invoiced(sandbox, second, **form)
        assert sandbox.messages_sent == messages


async def test_messages_are_resent_if_the_form_allows() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        await updated(sandbox, order, {"status_id": 4}, "?send_customer_messages=true")
        _, answer = await invoiced(sandbox, order, allow_resend_messages="1")
        assert answer["invoices"][0]["sent_messages"]["phone_message"] is True
        assert sandbox.messages_sent == 2


async def test_create_invoices_requires_a_form_and_numbers() -> None:
    async with sandbox_in_2026() as sandbox:
        order = await created(sandbox, EXAMPLE)
        path = f"/api/v1/workshop/orders/{order['workshop_order_id']}/create-invoices.json"
        status, answer = await send(sandbox, "POST", path, {"book": True})
        assert (status, answer["error"]) == (400, True)
        assert "x-www-form-urlencoded" in answer["error_message"]
        for form in ({"employee_id": "x"}, {"workshop_order_status_id": "99"}, {"employee_id": "9" * 5000}):
            status, answer = await invoiced(sandbox, order, **form)
            assert (status, answer["error"]) == (400, True)
        assert (await fetched(sandbox, order))["invoice_number"] == 0
        status, answer = await send(sandbox, "POST", path.replace("900001", "900002"))
        assert status == 404


@given(st.binary(max_size=60))
def test_any_form_is_read_or_rejected(raw: bytes) -> None:
    with suppress(ApiError):
        read_invoice_request("application/x-www-form-urlencoded", raw)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_document_is_a_pdf_whose_table_points_at_its_objects(lines: list[str]) -> None:
    content = render_page(lines)
    start = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert content[start:].startswith(b"xref\n0 6\n")
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n \n", content[start:])]
    assert [content[offset:].split(b" ", 1)[0] for offset in offsets] == [b"1", b"2", b"3", b"4", b"5"]
    length = re.search(rb"/Length (\d+) >>\nstream\n", content)
    assert length is not None
    assert content[length.end() + int(length[1]) :].startswith(b"endstream")
