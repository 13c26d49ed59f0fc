"""The typed sections against tests/data/documented.json: nothing is missing, and nothing is invented."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest
from msgspec import Struct

from cyclesoft_async import models
from cyclesoft_async.codec.decode import decode
from cyclesoft_async.pagination import next_offset, next_url
from cyclesoft_async.resources import Endpoint, Listing
from cyclesoft_async.webhooks import events
from tests.support.documented import CALLS, DOCUMENTED, EVENTS, OBJECTS

SCOPES = {
    # The vendor's chapter gives one scope, its box another: ERRATA I5.
    "service_items.close": "resources or service-data",
}
PAGERS = {"next_url": next_url, "next_offset": next_offset}
NOT_SENT = {
    # The path names the customer; the body may too: ERRATA F3.
    "workshop_orders.create": {"customer_id"},
    # `readonly` in the table, and yet how an update finds a line: ERRATA F1.
    "workshop_orders.update": {"order_items[].item_id"},
}
EXTRA_PROPERTIES: dict[str, set[str]] = {
    # Of the webhooks' customer, which is the same model: ERRATA H8.
    "customer": {"iban", "date_of_birth", "customer_barcode", "prefix", "country", "name_prefix"},
}
MISNAMED = {
    # The table says `authorization`, the answer `authorizations`: ERRATA C5.
    "data[].authorization[]": "data[].authorizations",
}


def test_every_documented_endpoint_has_a_description_and_none_is_invented() -> None:
    assert set(CALLS) == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_description_is_what_the_page_says(name: str) -> None:
    page, typed = DOCUMENTED[name], CALLS[name].description
    assert typed.path == page.path
    assert typed.scope == SCOPES.get(name, page.scopes[0])
    if isinstance(typed, Listing):
        assert page.method == "GET"
        assert typed.rows.follow is PAGERS[page.pagination]
        assert typed.rows.key == page.envelope.removeprefix("wrapped:").partition(" ")[0]
    else:
        assert isinstance(typed, Endpoint)
        assert typed.method == page.method
        assert page.pagination == "none"
        bare = page.envelope.startswith("bare:")
        key = None if bare else page.envelope.removeprefix("wrapped:").partition(" ")[0]
        assert typed.answer.key == key
        assert (get_origin(typed.answer.type) is list) == (
            page.envelope == "bare:array" or (not bare and _is_list(name))
        )


def _is_list(name: str) -> bool:
    body = json.loads(DOCUMENTED[name].example("response") or b"{}")
    key = CALLS[name].description
    assert isinstance(key, Endpoint)
    return isinstance(body.get(key.answer.key), list)


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
}


@pytest.mark.parametrize("name", OBJECT_MODELS)
def test_a_model_has_the_properties_of_its_table(name: str) -> None:
    documented = {item["name"] for item in OBJECTS[name]}
    assert properties(OBJECT_MODELS[name]) - EXTRA_PROPERTIES.get(name, set()) == documented


@pytest.mark.parametrize(
    "name",
    [
        "workshop.trading_hours_per_store",
        "workshop.repair_codes",
        *[name for name in DOCUMENTED if name.startswith("common.") and DOCUMENTED[name].properties],
        "service_items.list",
    ],
)
def test_a_model_has_the_properties_of_the_answers_table(name: str) -> None:
    model = CALLS[name].response
    assert model is not None
    paths = (MISNAMED.get(path, path).removesuffix("[]") for path in DOCUMENTED[name].properties)
    documented = {
        path.removeprefix("data[].")
        for path in paths
        if path not in {"data", "error", "error_message"} and not path.startswith("pagination")
    }
    found = properties(model)
    if name == "workshop.trading_hours_per_store":
        found = {path for path in found if not path.startswith("trading_hours[]")}
    assert found == documented


@pytest.mark.parametrize("name", [name for name, typed in CALLS.items() if typed.request])
def test_a_write_model_has_what_may_be_written(name: str) -> None:
    page, model = DOCUMENTED[name], CALLS[name].request
    assert page.body is not None
    assert model is not None
    written = properties(model) - NOT_SENT.get(name, set())
    assert written - {"order_items[].item_id"} == set(page.body["fields"]) - NOT_SENT.get(name, set())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_of_a_response_loses_nothing(name: str) -> None:
    body, typed = DOCUMENTED[name].example("response"), CALLS[name]
    assert body is not None
    assert typed.response is not None
    found = json.loads(body)
    description = typed.description
    key = description.rows.key if isinstance(description, Listing) else description.answer.key
    data = found if key is None else found[key]
    rows = list(data.values()) if name == "common.enums" else [data]
    for row in rows:
        items = cast("list[dict[str, Any]]", row if isinstance(row, list) else [row])
        for item in items:
            assert_same(decode(json.dumps(item).encode(), typed.response), item)


def assert_same(read: object, written: dict[str, Any]) -> None:
    """Every property of the JSON is in the object, with its value."""
    hints = get_type_hints(type(read))
    for key, value in written.items():
        assert key in hints, f"{type(read).__name__} has no {key}"
        found, kind = getattr(read, key), type(value)
        if kind is list:
            assert len(found) == len(value)
            for one, other in zip(found, value, strict=True):
                if type(other) is dict:
                    assert_same(one, other)
                else:
                    assert one == other
        elif kind is dict:
            assert_same(found, value)
        elif value is None or kind is bool:
            assert found is value
        elif kind is str:
            assert str(found).startswith(value[:10])
        else:
            assert found == value


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
