"""What the server means when its JSON is not what its documents promise."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import IntEnum

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from cyclesoft_async import models
from cyclesoft_async.codec.decode import decode, decode_with_problems
from cyclesoft_async.models import CreatedInvoice, Customer, SalesOrder, WorkshopOrder, WorkshopOrderItem
from tests.support.http_server import wire
from tests.support.json_values import properties, values

DEEP = b"[" * 100_000


def read(key: str, written: str) -> tuple[object, list[str]]:
    """What a property is read as, the JSON of which is `written`, and the problems of the order."""
    raw = b'{"workshop_order_id": 1, "%b": %b}' % (key.encode(), written.encode())
    order, problems, _ = decode_with_problems(raw, WorkshopOrder)
    return getattr(order, key), problems


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("store_id", '"12"', 12),
        ("store_id", '" 12 "', 12),
        ("store_id", "12.0", 12),
        ("store_id", '"12.0"', 12),
        ("store_id", "1.2e1", 12),
        ("store_id", '"-3"', -3),
        ("store_id", '""', None),
        ("store_id", "false", None),
        ("status_id", "4711", 4711),
        ("phone_number_id", "75189", "75189"),
        ("phone_number_id", '"tel"', "tel"),
        ("reference_text", '""', ""),
        ("reference_text", "20.50", "20.50"),
        ("reference_text", "0", "0"),
        ("reference_text", "false", None),
        ("is_active", '"1"', True),
        ("is_active", "0", False),
        ("is_active", '"false"', False),
        ("is_active", '""', None),
        ("repair_codes", '[999, "A1"]', ["999", "A1"]),
        ("repair_codes", '{"0": "A1", "2": "B2"}', ["A1", "B2"]),
        ("repair_codes", '""', []),
        ("repair_codes", "false", []),
        ("repair_codes", "0", []),
        ("repair_codes", "{}", []),
        ("order_items", "false", []),
        ("order_items", "null", []),
    ],
)
def test_a_value_in_another_form(key: str, written: str, value: object) -> None:
    found, problems = read(key, written)
    assert found == value
    assert type(found) is type(value)
    assert problems == []


NO_TIMES = ["", "0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "-0001-11-30 00:00:00", 0, False]


@pytest.mark.parametrize("written", [*NO_TIMES, "00-00-0000", None], ids=repr)
def test_no_time_and_no_date(written: object) -> None:
    assert read("datetime_created", json.dumps(written)) == (None, [])
    raw = wire({"customer_id": 1, "date_of_birth": written})
    customer, problems, _ = decode_with_problems(raw, Customer)
    assert (customer.date_of_birth, problems) == (None, [])


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("01-04-2022 10:09:26", "2022-04-01 10:09:26+02:00"),
        ("1-4-2022 10:09", "2022-04-01 10:09:00+02:00"),
        ("01-04-2022", "2022-04-01 00:00:00+02:00"),
        ("2022-12-01 10:09", "2022-12-01 10:09:00+01:00"),
        ("2022-12-01T10:09", "2022-12-01 10:09:00+01:00"),
        ("2022-12-01 9:05:00", "2022-12-01 09:05:00+01:00"),
        ("2022-12-01", "2022-12-01 00:00:00+01:00"),
        (" 2022-12-01 10:09:26 ", "2022-12-01 10:09:26+01:00"),
        ("2022-12-01T10:09:26-05:00", "2022-12-01 16:09:26+01:00"),
        ("2022-12-01T10:09-05:00", "2022-12-01 16:09:00+01:00"),
    ],
)
def test_times_in_another_form(written: str, moment: str) -> None:
    found, problems = read("datetime_created", json.dumps(written))
    assert (str(found), problems) == (moment, [])
    raw = wire({"customer_id": 1, "date_of_birth": written})
    assert decode(raw, Customer).date_of_birth == date.fromisoformat(decoded_day(written))


def decoded_day(written: str) -> str:
    return "2022-04-01" if "2022-" not in written else "2022-12-01"


@pytest.mark.parametrize(
    ("key", "written", "problem"),
    [
        ("store_id", "12.5", "Expected `int`, got a fraction - at `$.store_id`"),
        ("store_id", '"12.5"', "Expected `int`, got `str` - at `$.store_id`"),
        ("store_id", "1e999999999999999999999", "Expected `int`, got `str` - at `$.store_id`"),
        ("store_id", "1e999999", "Expected `int`, got a fraction - at `$.store_id`"),
        ("store_id", "9" * 5_000, "Expected `int`, got `str` - at `$.store_id`"),
        ("store_id", "true", "Expected `int`, got `bool` - at `$.store_id`"),
        ("status_id", "[1]", "Expected `int`, got `array` - at `$.status_id`"),
        ("status_text", '{"a": 1}', "Expected `str`, got `object` - at `$.status_text`"),
        ("status_text", r'"half a pair: \ud800"', "Expected `str`, got `str` - at `$.status_text`"),
        ("is_active", "[]", "Expected `bool`, got `array` - at `$.is_active`"),
        ("is_active", '"maybe"', "Expected `bool`, got `str` - at `$.is_active`"),
        (
            "datetime_created",
            '"2021-01-01 12:00:99"',
            "Expected `datetime`, got `str` - at `$.datetime_created`",
        ),
        ("datetime_created", '"2021-02-30"', "Expected `datetime`, got `str` - at `$.datetime_created`"),
        ("datetime_created", "1650450563", "Expected `datetime`, got `int` - at `$.datetime_created`"),
        ("repair_codes", '"999"', "Expected `array`, got `str` - at `$.repair_codes`"),
        ("repair_codes", '{"a": "999"}', "Expected `array`, got `object` - at `$.repair_codes`"),
        ("repair_codes", "[[]]", "Expected `str`, got `array` - at `$.repair_codes[0]`"),
    ],
)
def test_an_odd_value_of_an_optional_property_costs_only_itself(key: str, written: str, problem: str) -> None:
    found, problems = read(key, written)
    assert found == ([] if key == "repair_codes" else None)
    assert problems == [problem]


def test_bytes_that_are_not_utf_8_cost_only_their_text() -> None:
    raw = b'{"workshop_order_id": 1, "status_text": "Gereed \xff", "reference_text": "R1", "caf\xe9": 1}'
    order, problems, _ = decode_with_problems(raw, WorkshopOrder)
    assert (order.status_text, order.reference_text) == (None, "R1")
    assert problems == ["Expected `str`, got `str` - at `$.status_text`"]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_a_byte_order_mark_is_passed_over(start: bytes) -> None:
    raw = start + b'{"workshop_order_id": 1, "status_text": "Gereed\x01"}'
    assert decode(raw, WorkshopOrder) == WorkshopOrder(workshop_order_id=1, status_text="Gereed\x01")


@pytest.mark.parametrize("written", ["12", "12.5", '"12.50"', "-1", '"0.1"', "0.1", "1e2"])
def test_decimals_are_exact(written: str) -> None:
    for key in ("quantity", "discount_percentage", "vat_percentage"):
        for elsewhere in ("null", '""'):  # the second makes the line deviate, so that it is read leniently
            raw = f'{{"{key}": {written}, "item_id": {elsewhere}}}'.encode()
            assert getattr(decode(raw, WorkshopOrderItem), key) == Decimal(written.strip('"'))


@pytest.mark.parametrize("written", ['"NaN"', '"Infinity"', '"twaalf"', "true", "[]"])
def test_what_is_no_number_is_no_decimal(written: str) -> None:
    raw = f'{{"quantity": {written}, "item_id": ""}}'.encode()
    line, problems, _ = decode_with_problems(raw, WorkshopOrderItem)
    assert line.quantity is None
    assert [problem.rpartition(" - at ")[2] for problem in problems] == ["`$.quantity`"]


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


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ({"error": "no lines today"}, "$.order_items"),
        ("veel", "$.order_items"),
        (17, "$.order_items"),
        ([LINE, 17], "$.order_items[1]"),
        ([LINE, None], "$.order_items[1]"),
        ({"0": LINE, "1": "veel"}, "$.order_items[1]"),
    ],
)
def test_an_order_whose_lines_cannot_be_read_does_not_pass_for_one_without(lines: object, path: str) -> None:
    raw = wire({"workshop_order_id": 1, "order_items": lines})
    with pytest.raises(msgspec.ValidationError) as caught:
        decode(raw, WorkshopOrder)
    assert str(caught.value).endswith(f" - at `{path}`")
    decoded = decode_with_problems(raw, WorkshopOrder)
    assert decoded.value == WorkshopOrder(workshop_order_id=1)
    assert decoded.problems == decoded.losses == [str(caught.value)]


@pytest.mark.parametrize("customer", [{}, [], {"customer_id": None}, {"customer_id": 0}], ids=repr)
def test_an_anonymous_customer_inside_an_order(customer: object) -> None:
    raw = wire({"sales_order_id": 1, "customer": customer})
    order, problems, _ = decode_with_problems(raw, SalesOrder)
    assert order.customer is not None
    assert not order.customer.customer_id
    assert problems == []


@pytest.mark.parametrize("customer", ["", 0, False, None], ids=repr)
def test_no_customer_inside_an_order(customer: object) -> None:
    order, problems, _ = decode_with_problems(wire({"sales_order_id": 1, "customer": customer}), SalesOrder)
    assert (order.customer, problems) == (None, [])


def test_an_odd_object_inside_an_order_is_none_and_named() -> None:
    odd = {"sales_order_id": 1, "customer": "Jansen", "delivery_address": {"city": ["Ede"], "name": "Jansen"}}
    order, problems, _ = decode_with_problems(wire(odd), SalesOrder)
    assert order.customer is None
    assert order.delivery_address == models.DeliveryAddress(name="Jansen")
    assert problems == [
        "Expected `object`, got `str` - at `$.customer`",
        "Expected `str`, got `array` - at `$.delivery_address.city`",
    ]


def test_an_empty_list_for_an_object() -> None:
    invoice = decode(b'{"invoice_number": 1, "sent_messages": [], "documents": null}', CreatedInvoice)
    assert invoice.sent_messages == models.SentMessages()
    assert invoice.documents == []


@pytest.mark.parametrize("id_", ["1", '"1"'])
def test_unknown_properties_are_ignored(id_: str) -> None:
    raw = f'{{"workshop_order_id": {id_}, "new": {{"a": [1]}}, "status_id": 987654, "": null}}'.encode()
    assert decode(raw, WorkshopOrder) == WorkshopOrder(workshop_order_id=1, status_id=987654)


class Kind(IntEnum):
    """An enum of a caller's own."""

    ONE = 1


class Days(Struct):
    """A type that an integrator could pass to the escape hatch."""

    day: date | None = None
    value: int | str | None = None
    amount: int | float | None = None
    by_name: dict[str, int | None] | None = None
    anything: object = None
    kind: Kind | None = None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"day": "2022-04-20"}', Days(day=date(2022, 4, 20))),
        (b'{"day": "2022-04-20 12:29:23"}', Days(day=date(2022, 4, 20))),
        (b'{"day": "0000-00-00"}', Days()),
        (b'{"day": "", "value": ""}', Days(value="")),
        (b'{"day": "", "value": "12", "amount": 3}', Days(value="12", amount=3)),
        (b'{"day": "", "value": 12, "amount": 3.5}', Days(value=12, amount=3.5)),
        (b'{"by_name": []}', Days(by_name={})),
        (b'{"by_name": {"a": "1", "b": "", "c": [2]}}', Days(by_name={"a": 1, "b": None, "c": None})),
        (
            rb'{"day": "", "anything": {"a": ["\ud800", 0, "", false]}}',
            Days(anything={"a": ["?", 0, "", False]}),
        ),
        (b'{"day": "", "kind": 1}', Days(kind=Kind.ONE)),
        (b"[]", Days()),
    ],
)
def test_types_of_a_callers_own(raw: bytes, expected: Days) -> None:
    assert decode(raw, Days) == expected


@pytest.mark.parametrize("written", ["1.50", "1", "[1.5, {}]", '{"a": -2e3}', '"1.50"', "true", "null"])
def test_an_untyped_value_does_not_depend_on_the_pass(written: str) -> None:
    strict = decode(f'{{"anything": {written}}}'.encode(), Days).anything
    lenient = decode(f'{{"day": "", "anything": {written}}}'.encode(), Days).anything
    assert repr(lenient) == repr(strict)


def test_an_untyped_number_that_no_float_holds_is_its_text() -> None:
    assert decode(b'{"day": "", "anything": 1e999}', Days).anything == "1E+999"


@pytest.mark.parametrize(
    "raw",
    [
        DEEP,
        b'{"workshop_order_id": 1, "new": ' + DEEP,
        b'{"workshop_order_id": "1", "new": ' + DEEP + b"]" * 100_000 + b"}",
        b'{"workshop_order_id": "1", "new": NaN}',
        b'{"workshop_order_id": "x"}',
        b'{"workshop_order_id": null}',
        b'{"workshop_order_id": 1.5}',
        b'[{"workshop_order_id": 1}]',
        b"{}",
        b"[]",
        b"",
        b"nul",
        b"<html>",
    ],
    ids=range(13),
)
def test_what_has_no_meaning_is_a_decode_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw, WorkshopOrder)


def test_an_error_holds_nothing_of_the_body() -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode(b'{"workshop_order_id": "canary", "status_text": nul}', WorkshopOrder)
    error: BaseException | None = caught.value
    while error is not None:
        assert "canary" not in f"{error!r} {vars(error)}"
        error = error.__context__


def test_an_array_where_an_object_is_wanted_is_refused_unparsed() -> None:
    broken_later = b'[{"a": 1}, ' + b"x" * 100
    with pytest.raises(msgspec.ValidationError, match="Expected `object`, got `array`"):
        decode(broken_later, WorkshopOrder)


def outcome(raw: bytes) -> object:
    try:
        return decode(raw, WorkshopOrder)
    except msgspec.DecodeError as error:
        return error


@given(st.dictionaries(properties, values, max_size=12) | values)
def test_any_json_is_an_order_or_a_decode_error(value: object) -> None:
    assert isinstance(outcome(wire(value)), WorkshopOrder | msgspec.DecodeError)


@given(
    st.binary(max_size=60)
    | st.binary(max_size=20).map(lambda junk: b'{"workshop_order_id": "1"' + junk + b"}")
)
@example(b'{"workshop_order_id": "1", "status_id": 1e40000}')
def test_any_bytes_are_an_order_or_a_decode_error(raw: bytes) -> None:
    assert isinstance(outcome(raw), WorkshopOrder | msgspec.DecodeError)


def test_the_times_of_a_row_that_deviates_elsewhere() -> None:
    raw = b'{"workshop_order_id": "1", "datetime_created": "2023-03-07 16:54:23"}'
    assert str(decode(raw, WorkshopOrder).datetime_created) == "2023-03-07 16:54:23+01:00"
