"""The typed sections against tests/data/documented.json: nothing is missing, and nothing is invented."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from types import GenericAlias, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest
from msgspec import Struct

from cyclesoft_async import models
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.pagination import next_offset, next_resultset, next_url
from cyclesoft_async.resources import Endpoint, Listing, salesdata
from cyclesoft_async.webhooks import events
from tests.support.calls import CALLS
from tests.support.documented import (
    DEPRECATED,
    DOCUMENTED,
    ENDPOINTS_IN_ALL,
    EVENTS,
    OBJECTS,
    Documented,
)

SCOPES = {
    # The vendor's chapter gives one scope, its box another: ERRATA I5.
    "service_items.close": "resources or service-data",
}
PAGERS = {
    "next_url": next_url,
    "next_offset": next_offset,
    "next_resultset": next_resultset,
}
FOLLOWS = {
    # The next page is at version 2 of the path: ERRATA B8.
    "salesdata.transactions": salesdata.next_transactions,
}
WHOLE = {
    # The table knows the payments only; the example has totals beside them: ERRATA C4.
    "payments.add_to_order",
    "payments.add_to_invoice",
}
NOT_SENT = {
    # The path names the customer; the body may too: ERRATA F3.
    "workshop_orders.create": {"customer_id"},
    # `readonly` in the table, and yet how an update finds a line: ERRATA F1.
    "workshop_orders.update": {"order_items[].item_id"},
}
EXTRA_PROPERTIES: dict[str, set[str]] = {
    # Of the webhooks' customer, which is the same model: ERRATA H8.
    "customer": {"iban", "date_of_birth", "customer_barcode", "prefix", "country", "name_prefix"},
    # In the example only: ERRATA C4.
    "payments.add_to_order": {"total_amount_cents", "unpaid_amount_cents"},
    "payments.add_to_invoice": {"total_amount_cents", "unpaid_amount_cents"},
    "stock.pos_items": {"supplier", "is_new"},
    "salesdata.transactions": {
        *(f"customer.{name}" for name in models.Buyer.__struct_fields__),
        *(f"customer.phone_numbers[].{name}" for name in models.PhoneNumber.__struct_fields__),
        # The numbers of a bike are one model, here those that another page has: ERRATA K22.
        "workshop_order.identification.stock_object_id",
        "workshop_order.identification.warehouse_stock_item_id",
        "workshop_order.identification.warehouse_outbound_shipment_id",
    },
    "stock_objects.get": {
        "identification.stock_object_id",
        "identification.warehouse_stock_item_id",
        "identification.warehouse_outbound_shipment_id",
        # Its table is that of the other call of the page.
        *(f"object.{name}" for name in models.Bike.__struct_fields__),
    },
}
MISNAMED = {
    # The table says `authorization`, the answer `authorizations`: ERRATA C5.
    "data[].authorization[]": "data[].authorizations",
}
MISPLACED = {
    # A table without the path before its names: ERRATA C5, L8.
    "salesdata.transactions": ("workshop_order.", "data[].workshop_order."),
    "stock_objects.batch_update": ("updates[].", "results[].object."),
    "payments.add_to_order": ("payments.", "payments[]."),
    "payments.add_to_invoice": ("payments.", "payments[]."),
}


def test_every_documented_endpoint_has_a_description_and_none_is_invented() -> None:
    assert set(CALLS) == set(DOCUMENTED)


def test_this_much_of_what_the_vendor_documents_is_typed() -> None:
    assert (len(DOCUMENTED), len(DEPRECATED), ENDPOINTS_IN_ALL) == (57, 1, 94)
    assert (len(EVENTS), len(events.EVENT_TYPES)) == (20, 20)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_description_is_what_the_page_says(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name].description
    assert unnamed(typed.path) == unnamed(page.path)
    assert typed.scope == SCOPES.get(name, any_of(page.scopes))
    if isinstance(typed, Listing):
        assert page.method == "GET"
        assert typed.rows.follow is FOLLOWS.get(name, PAGERS[page.pagination])
        assert typed.rows.key == key_of(page)
    else:
        assert isinstance(typed, Endpoint)
        assert typed.method == page.method
        assert page.pagination == "none"
        assert typed.answer.key == key_of(page)
        assert (get_origin(typed.answer.type) is list) == is_list(name)


def unnamed(path: str) -> str:
    """A path whose ids have no names; the vendor calls most of them `id`."""
    return re.sub(r"\{\w+\}", "{}", path)


def any_of(scopes: list[str]) -> str | None:
    """The scopes in words: the vendor's comma most likely means that any of them will do (ERRATA A17)."""
    return " or ".join(filter(None, [", ".join(scopes[:-1]), *scopes[-1:]])) or None


def key_of(page: Documented) -> str | None:
    """Name of the result in the body; None when the body is the result, or there is none."""
    if page.id in WHOLE or page.envelope.startswith("bare:"):
        return None
    key = page.envelope.removeprefix("wrapped:").partition(" ")[0].partition(".")[0]
    return None if key in {"inline", "status-only"} else key


def is_list(name: str) -> bool:
    page = DOCUMENTED[name]
    body, key = json.loads(page.example("response") or b"{}"), key_of(page)
    return isinstance(body if key is None else body.get(key), list)


def properties(model: type[Struct], prefix: str = "") -> set[str]:
    """Paths of a model's properties, e.g. "order_items[].quantity"."""
    found: set[str] = set()
    for field in msgspec.structs.fields(model):
        name = f"{prefix}{field.encode_name}"
        found.add(name)
        inner, is_list = _struct_of(field.type)
        if inner is not None:
            found |= properties(inner, f"{name}[]." if is_list else f"{name}.")
    return found


def _struct_of(annotation: Any) -> tuple[type[Struct] | None, bool]:
    if get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            found = _struct_of(member)
            if found[0] is not None:
                return found
    if get_origin(annotation) is list:
        return _struct_of(get_args(annotation)[0])[0], True
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation, False
    return None, False


OBJECT_MODELS: dict[str, type[Struct]] = {
    "workshop_order": models.WorkshopOrder,
    "repair_object": models.RepairObject,
    "customer": models.Customer,
    "trading_hours": models.TradingDay,
    "service_item": models.ServiceItem,
    "comment": models.Comment,
}
NESTS_AN_OBJECT = {"workshop.trading_hours_per_store": "trading_hours[]"}
WITHOUT_A_TABLE = {
    # Its rows are an object's.
    *(name for name, page in DOCUMENTED.items() if page.object is not None and name not in NESTS_AN_OBJECT),
    # An example is all that the page has.
    *(name for name, page in DOCUMENTED.items() if not page.properties),
}


def test_every_object_has_a_model() -> None:
    assert set(OBJECT_MODELS) == set(OBJECTS)


@pytest.mark.parametrize("name", OBJECT_MODELS)
def test_a_model_has_the_properties_of_its_table(name: str) -> None:
    documented = {item["name"] for item in OBJECTS[name]}
    assert properties(OBJECT_MODELS[name]) - EXTRA_PROPERTIES.get(name, set()) == documented


@pytest.mark.parametrize(
    "name", [name for name, typed in CALLS.items() if typed.response and name not in WITHOUT_A_TABLE]
)
def test_a_model_has_the_properties_of_the_answers_table(name: str) -> None:
    model = CALLS[name].response
    assert model is not None
    documented = documented_properties(DOCUMENTED[name])
    found: set[str] = properties(model) if issubclass(model, Struct) else set()
    nested = NESTS_AN_OBJECT.get(name)
    if nested is not None:
        found = {path for path in found if not path.startswith(nested)}
    extra = EXTRA_PROPERTIES.get(name, set())
    assert extra <= found
    assert found - extra == documented


def documented_properties(page: Documented) -> set[str]:
    """Paths of the properties of the result, from the tables of the page."""
    path = page.envelope.removeprefix("wrapped:").partition(" ")[0]
    prefix = "" if key_of(page) is None else f"{path}[]." if is_rows(page) else f"{path}."
    wrong, right = MISPLACED.get(page.id, ("", ""))
    found: set[str] = set()
    for written in page.properties:
        name = MISNAMED.get(written, written)
        name = (right + name.removeprefix(wrong) if name.startswith(wrong) else name).removesuffix("[]")
        if written not in {"error", "error_message"} and name.startswith(prefix):
            found |= with_parents(name.removeprefix(prefix))
    return found


def with_parents(path: str) -> set[str]:
    """A path, and those of the objects and lists that hold it, which not every table names."""
    parent = path.rpartition(".")[0].removesuffix("[]")
    return {path} | (with_parents(parent) if parent else set())


def is_rows(page: Documented) -> bool:
    body = json.loads(page.example("response") or b"{}")
    for key in page.envelope.removeprefix("wrapped:").partition(" ")[0].split("."):
        body = body[key]
    return isinstance(body, list) or page.id == "common.enums"


@pytest.mark.parametrize("name", [name for name, typed in CALLS.items() if typed.request])
def test_a_write_model_has_what_may_be_written(name: str) -> None:
    page, model = DOCUMENTED[name], CALLS[name].request
    assert page.body is not None
    assert model is not None
    not_sent = NOT_SENT.get(name, set())
    fields = {field.removeprefix("updates[].") for field in page.body["fields"]} - {"updates"}
    assert properties(model) - not_sent - {"order_items[].item_id"} == fields - not_sent


@pytest.mark.parametrize("name", [name for name, typed in CALLS.items() if typed.response])
def test_the_example_of_a_response_loses_nothing(name: str) -> None:
    body, typed = DOCUMENTED[name].example("response"), CALLS[name]
    assert body is not None
    assert typed.response is not None
    data = json.loads(body)
    for key in [] if key_of(DOCUMENTED[name]) is None else envelope_path(DOCUMENTED[name]):
        data = data[key]
    rows = list(data.values()) if name == "common.enums" else [data]
    for row in rows:
        items = cast("list[object]", row if isinstance(row, list) else [row])
        for item in items:
            read = decode(json.dumps(item).encode(), typed.response)
            if isinstance(item, dict):
                assert_same(read, cast("dict[str, Any]", item))
            else:
                assert read == item


LENIENT = {
    # One object where a list is promised: ERRATA F2.
    "workshop_orders.list",
    # Dutch days in ten barcodes' stock: ERRATA D5.
    "stock.info",
    # Their Dutch dates are turned before the fast pass.
    "salesdata.payments",
    "salesdata.insurances",
}


@pytest.mark.parametrize("name", [name for name, typed in CALLS.items() if typed.response])
def test_the_example_of_a_response_is_read_in_the_fast_pass(name: str) -> None:
    """The lenient pass takes 60 times as long, and the event loop stands still meanwhile."""
    page, description = DOCUMENTED[name], CALLS[name].description
    data = json.loads(page.example("response") or b"{}")
    key = key_of(page)
    row = CALLS[name].response
    expected = GenericAlias(list, (row,)) if isinstance(description, Listing) else description.answer.type
    try:
        msgspec.json.decode(json.dumps(data if key is None else data[key]).encode(), type=expected)
    except msgspec.ValidationError:
        assert name in LENIENT
    else:
        assert name not in LENIENT


def envelope_path(page: Documented) -> list[str]:
    return page.envelope.removeprefix("wrapped:").partition(" ")[0].split(".")


def assert_same(read: object, written: dict[str, Any]) -> None:
    """Every property of the JSON is in the object, with its value."""
    hints = get_type_hints(type(read))
    for key, value in written.items():
        if key in {"error", "error_message"} and not hasattr(read, key):
            continue  # beside the result
        assert key in hints, f"{type(read).__name__} has no {key}"
        assert_same_value(getattr(read, key), value)


def assert_same_value(found: Any, value: Any) -> None:
    if isinstance(value, list):
        for one, other in zip(found, cast("list[object]", value), strict=True):
            assert_same_value(one, other)
    elif isinstance(value, dict):
        assert_same(found, cast("dict[str, Any]", value))
    elif value is None or isinstance(value, bool):
        assert found is value
    elif isinstance(found, date):
        day, time = value[:10], value[10:]
        written = "-".join(reversed(day.split("-"))) if day[2] == "-" else day
        assert str(found).replace("T", " ").startswith(written + time.replace("T", " ")[:9])
    elif isinstance(found, str):
        assert found == str(value)  # an id can be a number once and a text the next time
    else:
        assert found == Decimal(str(value))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event["event_name"]))
def test_an_event_has_the_properties_of_its_page(event: dict[str, Any]) -> None:
    payload = next(
        field.type
        for field in msgspec.structs.fields(events.EVENT_TYPES[event["event_name"]])
        if field.name == "payload"
    )
    found = properties(payload)
    # The page writes nested objects as tables of their own: their names stand at the top.
    missing = {path for path in event["properties"] if path not in found}
    nested = {path.rpartition(".")[2].removesuffix("[]") for path in found} | {
        path.replace("[]", "") for path in found
    }
    assert {path for path in missing if path.rpartition(".")[2].removesuffix("[]") not in nested} == set()


def test_every_documented_event_is_typed() -> None:
    assert {event["event_name"] for event in EVENTS} == set(events.EVENT_TYPES)
