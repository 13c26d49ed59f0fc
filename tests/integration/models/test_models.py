"""The models: the vendor's examples, Dutch time, and the content of documents."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async import models
from cyclesoft_async.codec.datetimes import AMSTERDAM, in_amsterdam, to_wire
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import ResponseDecodeError
from tests.support.http_server import answering, example, page, session

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
DECIMALS = {"quantity", "discount_percentage", "vat_percentage"}


def as_documented(key: str, value: object) -> object:
    """The Python value of a property in the vendor's JSON."""
    if key.startswith("datetime_"):
        return datetime.fromisoformat(str(value)).replace(tzinfo=AMSTERDAM)
    return Decimal(str(value)) if key in DECIMALS else value


def assert_same(read: object, written: Mapping[str, object]) -> None:
    """Every property of the JSON is there, with its value and its type."""
    for key, value in written.items():
        if key == "order_items":
            continue
        expected = as_documented(key, value)
        assert (key, getattr(read, key)) == (key, expected)
        assert type(getattr(read, key)) is type(expected)


def assert_same_order(order: models.WorkshopOrder, written: Mapping[str, object]) -> None:
    assert_same(order, written)
    lines = cast("list[dict[str, object]]", written["order_items"])
    assert len(order.order_items) == len(lines)
    for item, line in zip(order.order_items, lines, strict=True):
        assert_same(item, line)


async def test_the_list_example() -> None:
    body = example("list-workshop-orders-response")
    async with answering(body) as server, session(server.url) as cs:
        first = await cs.workshop_orders.list()
    (order,) = first.items
    assert_same_order(order, json.loads(body)["data"])
    assert first.rejected == []


@pytest.mark.parametrize("call", ["get", "create", "update"])
async def test_the_examples_of_one_order(call: str) -> None:
    name = f"{call}-workshop-order-response"
    async with answering(example(name)) as server, session(server.url) as cs:
        orders = cs.workshop_orders
        answers = {
            "get": lambda: orders.get(24, 978768),
            "create": lambda: orders.create(24, models.WorkshopOrderCreate()),
            "update": lambda: orders.update(24, 397876, models.WorkshopOrderUpdate()),
        }
        order = await answers[call]()
    assert_same_order(order, json.loads(example(name)))
    assert not order.is_invoiced


async def test_the_create_invoices_example() -> None:
    async with (
        answering(example("create-invoices-response")) as server,
        session(server.url) as cs,
    ):
        split = await cs.workshop_orders.create_invoices(1000, employee_id=1005)
    assert [(made.invoice_number, made.customer_id) for made in split] == [(20173382, 6298), (20173383, 9011)]
    assert [made.sent_messages for made in split] == [
        models.SentMessages(phone_message=True, email_message=False),
        models.SentMessages(phone_message=False, email_message=False),
    ]
    (document,) = split[0].documents
    assert document.document_mime_type == "application/pdf"
    # The vendor's sample is cut off; what is printed there is no base64.
    with pytest.raises(ResponseDecodeError, match="not base64"):
        _ = document.content


LISTS = {"order_items", "repair_codes", "service_card_codes"}
ORDER_FIELDS = set(models.WorkshopOrder.__struct_encode_fields__) - {"workshop_order_id", *LISTS}
ITEM_FIELDS = set(models.WorkshopOrderItem.__struct_encode_fields__)


@pytest.mark.parametrize("key", sorted(ORDER_FIELDS))
def test_every_property_of_an_order_may_be_null_or_absent(key: str) -> None:
    null = decode(json.dumps({"workshop_order_id": 1, key: None}).encode(), models.WorkshopOrder)
    absent = decode(b'{"workshop_order_id": 1}', models.WorkshopOrder)
    assert getattr(null, key) is getattr(absent, key) is None


@pytest.mark.parametrize("key", sorted(ITEM_FIELDS))
def test_every_property_of_a_line_may_be_null_or_absent(key: str) -> None:
    null = decode(json.dumps({key: None}).encode(), models.WorkshopOrderItem)
    assert getattr(null, key) is getattr(decode(b"{}", models.WorkshopOrderItem), key) is None


@pytest.mark.parametrize("given_lines", ['"order_items": null', '"order_items": []', '"is_active": true'])
def test_no_lines_are_an_empty_list(given_lines: str) -> None:
    order = decode(b'{"workshop_order_id": 1, %b}' % given_lines.encode(), models.WorkshopOrder)
    assert order.order_items == []


@pytest.mark.parametrize(("number", "invoiced"), [(20230303, True), (0, False), (None, False)])
def test_whether_an_order_is_invoiced(number: int | None, *, invoiced: bool) -> None:
    assert models.WorkshopOrder(workshop_order_id=1, invoice_number=number).is_invoiced is invoiced


def hours(value: float) -> timedelta:
    return timedelta(hours=value)


@pytest.mark.parametrize(
    ("on_the_wire", "in_utc", "offset"),
    [
        ("2023-03-07 16:54:23", "2023-03-07 15:54:23", hours(1)),
        ("2023-07-07 16:54:23", "2023-07-07 14:54:23", hours(2)),
        ("2023-03-07T16:56:32+01:00", "2023-03-07 15:56:32", hours(1)),
        ("2023-03-07T15:56:32Z", "2023-03-07 15:56:32", hours(1)),
        ("2023-03-07", "2023-03-06 23:00:00", hours(1)),
        # The hour that October has twice is read as its first pass.
        ("2024-10-27 02:30:00", "2024-10-27 00:30:00", hours(2)),
        # The hour that March skips is still some moment: an hour later by the summer clock.
        ("2024-03-31 02:30:00", "2024-03-31 01:30:00", hours(2)),
    ],
)
async def test_times_are_dutch_and_aware(on_the_wire: str, in_utc: str, offset: timedelta) -> None:
    body = page({"workshop_order_id": 1, "datetime_modified": on_the_wire})
    async with answering(body) as server, session(server.url) as cs:
        (order,) = await cs.workshop_orders.list().collect()
    moment = order.datetime_modified
    assert moment is not None
    assert moment.tzinfo is AMSTERDAM
    assert moment.utcoffset() == offset
    assert moment.astimezone(UTC) == datetime.fromisoformat(in_utc).replace(tzinfo=UTC)


@given(st.dates(date(1, 1, 2), date(9999, 12, 30)), st.times())
def test_a_wall_time_survives_the_way_through_python(day: date, time: time) -> None:
    moment = in_amsterdam(datetime.combine(day, time.replace(fold=0)))
    assert moment is not None
    assert to_wire(moment) == f"{day} {time:%H:%M:%S}"


@given(st.floats(-1e9, 4e9), st.timezones())
def test_a_moment_survives_the_way_over_the_wire(unix: float, zone: tzinfo) -> None:
    moment = datetime.fromtimestamp(unix, zone)
    back = in_amsterdam(datetime.fromisoformat(to_wire(moment)))
    assert back is not None
    lost = moment.astimezone(UTC).replace(microsecond=0) - back.astimezone(UTC)
    # The wire can't tell the two passes of an October hour apart.
    second_pass = moment.astimezone(AMSTERDAM).fold == 1
    assert lost == hours(1 if second_pass else 0)


@pytest.mark.parametrize(
    ("written", "content"),
    [
        (b64encode(PDF).decode(), PDF),
        ("\r\n".join([b64encode(PDF).decode()[:76], b64encode(PDF).decode()[76:]]), PDF),
        ("", b""),
        (None, b""),
    ],
)
def test_the_content_of_a_document(written: str | None, content: bytes) -> None:
    assert models.InvoiceDocument(document_base64=written).content == content


@pytest.mark.parametrize("damaged", ["VBERi0xLjcKJ...", "JVBERi0xLjQ", "JVBERi0\u00e9", "JVBE*i0x", "<html>"])
def test_a_damaged_document_says_so(damaged: str) -> None:
    document = models.InvoiceDocument(document_mime_type="application/pdf", document_base64=damaged)
    with pytest.raises(ResponseDecodeError, match="the document is not base64") as caught:
        _ = document.content
    assert damaged not in str(caught.value)


def test_a_document_is_too_long_to_show() -> None:
    document = models.InvoiceDocument(document_mime_type="application/pdf", document_base64="JVBERi0x")
    assert repr(document) == "InvoiceDocument('application/pdf', 8 characters)"
    assert repr(models.InvoiceDocument()) == "InvoiceDocument(None, 0 characters)"
