"""What holds for every model of the library: of the vendor's API, its webhooks, and the bridges."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from cyclesoft_async import models
from cyclesoft_async.codec.decode import decode, decode_with_problems
from cyclesoft_async.pagination import Page
from cyclesoft_async.resources.resource import Listing
from cyclesoft_async.transport import Call, Response
from cyclesoft_async.webhooks import envelope
from cyclesoft_async.webhooks.events import EVENT_TYPES, Event
from tests.support.http_server import wire
from tests.support.models import BRIDGES, LISTINGS, MODELS, READ, instances, json_of, name_of, samples

# Some properties exclude each other, so that most random objects of two models are none.
rejecting = [HealthCheck.filter_too_much]
few = settings(max_examples=20, suppress_health_check=rejecting)  # for each of more than a hundred models
fewer = settings(max_examples=5, suppress_health_check=rejecting)  # for what is read by way of these models


@pytest.mark.parametrize("model", [*MODELS, *BRIDGES], ids=name_of)
@few
@given(data=st.data())
def test_decoding_what_was_encoded_gives_the_same(model: type[Struct], data: st.DataObject) -> None:
    made = data.draw(instances(model))
    once = msgspec.json.decode(msgspec.json.encode(made), type=model)
    twice = msgspec.json.decode(msgspec.json.encode(once), type=model)
    assert once == twice
    # Offsets count. Python calls times of two zones unequal in a doubled hour: `made == once` would not do.
    assert msgspec.json.encode(made) == msgspec.json.encode(once) == msgspec.json.encode(twice)


@pytest.mark.parametrize("model", READ, ids=name_of)
@few
@given(data=st.data())
def test_no_odd_value_of_an_optional_property_costs_the_object(
    model: type[Struct], data: st.DataObject
) -> None:
    odd = data.draw(json_of(model))
    found, problems, losses = decode_with_problems(wire(odd), model)
    assert set(losses) <= set(problems)
    for problem in problems:
        key = re.split(r"[.\[]", problem.rpartition(" - at `$.")[2].rstrip("`"))[0]
        assert key in odd, "each problem names what it is about"
    plain = decode(wire(samples(model)), model)
    for field in fields(model):
        if field.encode_name not in odd:
            assert getattr(found, field.name) == getattr(plain, field.name), "the others stay as they were"
    again = msgspec.json.decode(msgspec.json.encode(found), type=model)
    assert again == found, "what was made of it is read the same when it is encoded"


def read_page(listing: Listing[Any], row: object) -> Page[Any]:
    response = Response(status=200, headers={}, body=wire({listing.rows.key: [row]}))
    return listing.rows.read(response, call=Call(method="GET", path="/"), whole=False)


@pytest.mark.parametrize("path", LISTINGS)
@fewer
@given(data=st.data())
def test_no_odd_value_of_an_optional_property_rejects_a_row(path: str, data: st.DataObject) -> None:
    listing = LISTINGS[path]
    row = data.draw(json_of(listing.rows.row_type)) | {"customer_id": 7}
    page = read_page(listing, row)
    assert (len(page.items), page.rejected) == (1, [])
    for problem in page.problems:
        assert problem.startswith("row 0: ")


def delivery(name: str, payload: object) -> bytes:
    return wire(
        {"id": "a", "account_id": 1, "event_name": name, "event_timestamp": 1_700_000_000, "payload": payload}
    )


def payload_of(name: str) -> type[Struct]:
    found: type[Struct] = next(field.type for field in fields(EVENT_TYPES[name]) if field.name == "payload")
    return found


IDS = {"sales_order_id": 7, "customer_id": 7, "workshop_order_id": 7, "store_order_id": 7}
"""What the events' entities are. A customer's stands one level deeper."""


@pytest.mark.parametrize("name", EVENT_TYPES)
@fewer
@given(data=st.data())
def test_no_odd_value_of_an_optional_property_costs_an_event(name: str, data: st.DataObject) -> None:
    payload = data.draw(json_of(payload_of(name))) | IDS
    if name.startswith("customer."):
        payload["customer"] = data.draw(json_of(models.Customer)) | IDS
    event = envelope.read(delivery(name, payload))
    assert type(event) is EVENT_TYPES[name]
    again: Event = msgspec.json.decode(msgspec.json.encode(event), type=type(event))
    assert again == event
