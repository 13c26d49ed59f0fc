"""What the server means when its JSON is not what its documents promise."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import ResponseError
from cyclesoft_async.models import CreatedInvoice, WorkshopOrder, WorkshopOrderItem
from cyclesoft_async.transport import Answer, read_answer, read_page
from tests.support.http_server import wire

DEEP = b"[" * 100_000


def read(key: str, written: str) -> object:
    """What a property is read as, the JSON of which is `written`."""
    return getattr(
        decode(b'{"workshop_order_id": 1, "%b": %b}' % (key.encode(), written.encode()), WorkshopOrder), key
    )


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("store_id", '"12"', 12),
        ("store_id", "12.0", 12),
        ("store_id", "1.2e1", 12),
        ("store_id", '""', None),
        ("store_id", '"-3"', -3),
        ("status_id", "4711", 4711),
        ("phone_number_id", "75189", "75189"),
        ("phone_number_id", '"tel"', "tel"),
        ("reference_text", '""', ""),
        ("reference_text", "20.50", "20.50"),
        ("is_active", '"1"', True),
        ("is_active", "0", False),
        ("is_active", '"false"', False),
        ("is_active", '""', None),
        ("repair_codes", '[999, "A1"]', ["999", "A1"]),
        ("repair_codes", '""', None),
        ("datetime_created", '""', None),
        ("datetime_created", '"0000-00-00"', None),
        ("datetime_created", '"0000-00-00 00:00:00"', None),
    ],
)
def test_one_property_in_another_form(key: str, written: str, value: object) -> None:
    found = read(key, written)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("written", ["12", "12.5", '"12.50"', "-1", '"0.1"', "0.1", "1e2"])
def test_decimals_are_exact(written: str) -> None:
    for key in ("quantity", "discount_percentage", "vat_percentage"):
        for elsewhere in ("null", '""'):  # the second makes the line deviate, so that it is read forgivingly
            raw = f'{{"{key}": {written}, "item_id": {elsewhere}}}'.encode()
            assert getattr(decode(raw, WorkshopOrderItem), key) == Decimal(written.strip('"'))


LINE = {"item_id": 2, "quantity": 1}
LINES: list[tuple[object, list[int | None]]] = [
    (LINE, [2]),
    ([LINE, LINE], [2, 2]),
    ({"0": LINE, "2": LINE}, [2, 2]),
    ({}, []),
    ([[]], [None]),
]


@pytest.mark.parametrize(("lines", "ids"), LINES)
def test_lines_in_another_form(lines: object, ids: list[int | None]) -> None:
    order = decode(wire({"workshop_order_id": 1, "order_items": lines}), WorkshopOrder)
    assert [item.item_id for item in order.order_items] == ids


def test_an_empty_list_for_an_object() -> None:
    invoice = decode(b'{"invoice_number": 1, "sent_messages": [], "documents": null}', CreatedInvoice)
    assert invoice.sent_messages is not None
    assert invoice.sent_messages.phone_message is None


@pytest.mark.parametrize("id_", ["1", '"1"'])
def test_unknown_properties_are_ignored(id_: str) -> None:
    raw = f'{{"workshop_order_id": {id_}, "new": {{"a": [1]}}, "status_id": 987654, "": null}}'.encode()
    assert decode(raw, WorkshopOrder) == WorkshopOrder(workshop_order_id=1, status_id=987654)


class Days(Struct):
    """A type that an integrator could pass to the escape hatch."""

    day: date | None = None
    value: int | str | None = None
    amount: int | float | None = None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"day": "2022-04-20"}', Days(day=date(2022, 4, 20))),
        (b'{"day": "2022-04-20 12:29:23"}', Days(day=date(2022, 4, 20))),
        (b'{"day": "0000-00-00"}', Days()),
        (b'{"day": "", "value": ""}', Days(value="")),
        (b'{"day": "", "value": "12", "amount": 3}', Days(value="12", amount=3)),
        (b"[]", Days()),
    ],
)
def test_types_of_a_callers_own(raw: bytes, expected: Days) -> None:
    assert decode(raw, Days) == expected


@pytest.mark.parametrize(
    "raw",
    [
        DEEP,
        b'{"workshop_order_id": 1, "new": ' + DEEP,
        b'{"workshop_order_id": "1", "new": ' + DEEP + b"]" * 100_000 + b"}",
        b'{"workshop_order_id": 1, "status_id": 1e999999999999999999999}',
        b'{"workshop_order_id": 1, "status_id": 1e999999}',
        b'{"workshop_order_id": 1, "order_items": [{"quantity": 1e999999999999999999999}]}',
        b'{"workshop_order_id": 1, "status_text": %b}' % (b"9" * 5_000),
        b'{"workshop_order_id": 1, "status_text": "\xff"}',
        b'{"workshop_order_id": "1", "\xff": 1}',
        rb'{"workshop_order_id": 1, "status_text": "\ud800"}',
        b'{"workshop_order_id": 1, "datetime_created": "2021-01-01 12:00:99"}',
        b'{"workshop_order_id": 1, "repair_codes": "999"}',
        b'{"workshop_order_id": "x"}',
        b'{"workshop_order_id": null}',
        b"{}",
        b"[]",
        b"",
        b"nul",
    ],
)
def test_what_has_no_meaning_is_a_decode_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw, WorkshopOrder)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["", "0", "12", "12.5", "0000-00-00", "2023-03-07 16:54:23", "2023-03-07", "null"]),
    st.sampled_from(["\ud83d", "\ude00 \U0001f600"]),  # half of a pair is JSON, and no text
    st.datetimes().map(str),
)
fields = st.sampled_from(
    [*WorkshopOrder.__struct_encode_fields__, *WorkshopOrderItem.__struct_encode_fields__, "0", "1", "data"]
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(fields | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


def outcome(raw: bytes) -> object:
    try:
        return decode(raw, WorkshopOrder)
    except msgspec.DecodeError as error:
        return error


@given(st.dictionaries(fields, values, max_size=12) | values)
def test_any_json_is_an_order_or_a_decode_error(value: object) -> None:
    assert isinstance(outcome(wire(value)), WorkshopOrder | msgspec.DecodeError)


@given(
    st.binary(max_size=60)
    | st.binary(max_size=20).map(lambda junk: b'{"workshop_order_id": "1"' + junk + b"}")
)
@example(b'{"workshop_order_id": "1", "status_id": 1e40000}')
def test_any_bytes_are_an_order_or_a_decode_error(raw: bytes) -> None:
    assert isinstance(outcome(raw), WorkshopOrder | msgspec.DecodeError)


def answered(data: object) -> Answer:
    return Answer(status=200, headers={}, body=wire({"data": data}))


rows = st.fixed_dictionaries(
    {"workshop_order_id": st.integers(1, 9) | scalars}, optional={"status_id": scalars}
)


@given(st.lists(rows | values, max_size=12))
def test_a_page_loses_no_row(data: list[object]) -> None:
    page = read_page(answered(data), WorkshopOrder)
    assert len(page.items) + len(page.rejected) == len(data)
    assert [json.loads(row.raw) for row in page.rejected] == [data[row.index] for row in page.rejected]
    assert [decode(raw, WorkshopOrder) for raw in page.raw_items] == page.items


@given(st.lists(rows, min_size=1, max_size=5))
def test_a_page_keyed_by_index_loses_no_row(data: list[object]) -> None:
    keyed = read_page(answered({str(2 * index): row for index, row in enumerate(data)}), WorkshopOrder)
    listed = read_page(answered(data), WorkshopOrder)
    assert keyed.items == listed.items
    assert [row.index for row in keyed.rejected] == [row.index for row in listed.rejected]


envelopes = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("error", "error_message", "message", "data", "pagination", "invoices"), values),
)


@given(
    st.sampled_from([200, 204, 302, 404, 429, 500]),
    (envelopes | values).map(wire) | st.binary(max_size=40),
    st.fixed_dictionaries({}, optional={"Retry-After": st.text(), "Content-Type": st.text()}),
)
def test_any_answer_is_read_or_an_error_of_the_tree(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    answer = Answer(status=status, headers=headers, body=body)
    assert repr(answer) == f"Answer({status}, {len(body)} bytes)"
    for read, type_ in ((read_page, WorkshopOrder), (read_answer, CreatedInvoice), (read_answer, list[Days])):
        with suppress(ResponseError):
            read(answer, type_)


def test_the_moments_of_a_row_that_deviates_elsewhere() -> None:
    raw = b'{"workshop_order_id": "1", "datetime_created": "2023-03-07 16:54:23"}'
    assert str(decode(raw, WorkshopOrder).datetime_created) == "2023-03-07 16:54:23+01:00"
