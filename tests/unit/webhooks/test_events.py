"""From payloads of the vendor's page to typed events."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cyclesoft_async import models
from cyclesoft_async.webhooks import events
from cyclesoft_async.webhooks.envelope import ordering_key, read
from tests.support.webhook_server import sample

SAMPLES = {
    "sales_order": "sales_order.updated",
    "workshop_order": "workshop_order.updated",
    "workshop_order_roadworthy": "workshop_order.updated",
    "sales_transaction": "sales_transaction.created",
    "store_order": "store_order.created",
    "payments": "payments.created",
    "customer": "customer.updated",
    "warehouse_outbound_order": "warehouse_outbound_order.created_or_updated",
    "warehouse_stock_item": "warehouse_stock_item.updated",
}


def named(name: str, **changes: Any) -> bytes:
    """The sample of an event's kind under this name."""
    genuine = json.loads(sample(SAMPLES.get(name.partition(".")[0], "customer.updated")))
    return json.dumps({**genuine, "event_name": name, **changes}).encode()


def test_all_events_of_the_vendors_page_have_a_type() -> None:
    assert len(events.EVENT_TYPES) == len(set(events.EVENT_TYPES.values())) == 20


@pytest.mark.parametrize("name", events.EVENT_TYPES)
def test_every_event_is_typed(name: str) -> None:
    event = read(named(name))
    assert type(event) is events.EVENT_TYPES[name]
    assert event.event_name == name
    assert not event.stale
    assert not event.is_redelivery
    assert event.entity is not None
    assert ordering_key(event) == f"{event.account_id}/{event.entity.kind}/{event.entity.id}"


@pytest.mark.parametrize("name", events.EVENT_TYPES)
def test_class_names_follow_the_event_names(name: str) -> None:
    assert events.EVENT_TYPES[name].__name__ == name.replace(".", "_").title().replace("_", "")


def test_every_exported_name_exists() -> None:
    assert all(hasattr(events, name) for name in events.__all__)


def test_nothing_of_a_sales_order_is_lost() -> None:
    event = read(sample("sales_order.updated.docs"))
    assert isinstance(event, events.SalesOrderUpdated)
    assert event.id == "2f4de380-f2be-4143-bbdf-1174c5d47991"
    assert event.occurred_at == datetime(2022, 4, 20, 10, 29, 23, 309_000, UTC)
    assert event.entity == ("sales_order", 1442)
    order = event.payload
    assert order.datetime_created == datetime(2013, 9, 5, 12, tzinfo=models.AMSTERDAM)
    assert order.datetime_modified == datetime(2022, 4, 20, 12, 29, 23, tzinfo=models.AMSTERDAM)
    assert [item.price_in_vat_cents for item in order.order_items] == [5995, 225]
    assert order.order_items[0].assigned_to_customer_id == 6667
    assert (order.cancelled_order_items, order.deleted_order_items, order.labels) == ([], [], ["label1"])
    assert order.delivery_address is not None
    assert order.delivery_address.city == "Deventer"
    assert order.customer is not None
    assert order.customer.datetime_created is None
    assert [number.phone_number_id for number in order.customer.phone_numbers] == ["mob", "tel", "10589"]


def test_the_other_kinds() -> None:
    workshop = read(named("workshop_order.deleted"))
    assert isinstance(workshop, events.WorkshopOrderDeleted)
    assert workshop.payload.datetime_scheduled_start == datetime(2019, 6, 7, 14, 30, tzinfo=models.AMSTERDAM)
    assert workshop.payload.datetime_scheduled_finished is not None
    assert workshop.payload.sales_order is not None
    assert workshop.payload.sales_order.has_invoice
    invoice = read(named("sales_transaction.updated"))
    assert isinstance(invoice, events.SalesTransactionEvent)
    assert (invoice.entity.id, invoice.payload.book_date) == (20210047, date(2022, 4, 29))
    assert invoice.payload.sales_items[0].vat_percentage == Decimal(21)
    delivery = read(named("store_order.updated"))
    assert isinstance(delivery, events.StoreOrderEvent)
    assert delivery.payload.processed_at == datetime(2012, 5, 25, 15, 17, tzinfo=models.AMSTERDAM)
    assert delivery.payload.related_to_sales_order_ids == [123223]
    assert delivery.payload.related_to_supplier_order_ids == [2443]
    assert [item.object_id for item in delivery.payload.items] == [None, 1000]
    paid = read(named("payments.created"))
    assert isinstance(paid, events.PaymentsEvent)
    assert sum(payment.amount_cents or 0 for payment in paid.payload.payments) == 14400
    assert paid.payload.payments[0].book_date == paid.occurred_at.replace(microsecond=0)
    customer = read(named("customer.created"))
    assert isinstance(customer, events.CustomerEvent)
    assert customer.payload.customer.date_of_birth == date(1992, 11, 22)


@pytest.mark.parametrize(
    ("type_id", "kind"), [(5, "sales_transaction_payments"), (7, "sales_order_payments"), (9, "payments_9")]
)
def test_payments_are_an_entity_apart(type_id: int, kind: str) -> None:
    event = read(named("payments.created", payload={"entity_type_id": type_id, "entity_id": 3}))
    assert event.entity == (kind, 3)
    assert isinstance(event, events.PaymentsEvent)
    assert event.payload.payments == []


def test_absent_lists_are_empty() -> None:
    store = read(named("store_order.created", payload={"store_order_id": 1}))
    assert isinstance(store, events.StoreOrderEvent)
    assert (store.payload.items, store.payload.related_to_sales_order_ids) == ([], [])
    assert store.payload.related_to_supplier_order_ids == []
    sale = read(named("sales_transaction.created", payload={"invoice_number": 1, "sales_items": None}))
    assert isinstance(sale, events.SalesTransactionEvent)
    assert sale.payload.sales_items == []
    customer = read(named("customer.created", payload={"customer": {"customer_id": 1}}))
    assert isinstance(customer, events.CustomerEvent)
    assert customer.payload.customer.phone_numbers == []


def test_the_drift_of_a_php_server_is_put_right() -> None:
    event = read(
        b'{"id": 5, "account_id": "1", "event_timestamp": "1640787926.323",'
        b' "event_name": "sales_order.updated", "payload": {"sales_order_id": "7",'
        b' "order_items": {"item_id": "1", "quantity": "1.5"},'
        b' "datetime_created": "", "datetime_preferred_pickup": "2022-04-20 00:00:00"}}'
    )
    assert isinstance(event, events.SalesOrderUpdated)
    assert (event.id, event.account_id, event.event_timestamp) == ("5", 1, 1640787926.323)
    assert event.payload.order_items[0].quantity == Decimal("1.5")
    assert event.payload.datetime_preferred_pickup == date(2022, 4, 20)
    assert event.payload.datetime_created is None


def test_the_vendors_stock_item_under_another_events_name_is_unknown() -> None:
    event = read(sample("warehouse_stock_item.as_documented"))
    assert event.event_name == "warehouse_outbound_order.created_or_updated"
    assert isinstance(event, events.UnknownEvent)
    assert "outbound_order_id" in event.problem


def test_nothing_of_the_warehouse_is_lost() -> None:
    order = read(sample("warehouse_outbound_order.created_or_updated"))
    assert isinstance(order, events.WarehouseOutboundOrderCreatedOrUpdated)
    assert str(order.payload.created_at) == "2022-07-05 11:07:48+02:00"
    assert [item.outbound_order_item_id for item in order.payload.order_items] == [605491]
    assert order.entity == events.Entity("warehouse_outbound_order", 463681)
    item = read(sample("warehouse_stock_item.updated"))
    assert isinstance(item, events.WarehouseStockItemUpdated)
    assert item.payload.warehouse_location == models.WarehouseLocation(location="R-1-2", rack_name="R")
    assert [part.quantity for part in item.payload.sub_order_items] == [2, 3]
    assert item.entity == events.Entity("warehouse_stock_item", 285)


def test_unknown_names_and_payloads_keep_the_raw_payload() -> None:
    event = read(named("sales_order.updated", event_name="sales_order.archived"))
    assert isinstance(event, events.UnknownEvent)
    assert msgspec.json.decode(event.payload)["sales_order_id"] == 1442
    assert event.entity is None
    assert ordering_key(event) == f"1/?/{event.id}"
    misfit = read(named("workshop_order.updated", payload={"workshop_order_id": "about 50032"}))
    assert isinstance(misfit, events.UnknownEvent)
    assert "workshop_order_id" in misfit.problem
    assert "about" not in misfit.problem


@pytest.mark.parametrize("customer", [{}, [], {"customer_id": None}, {"customer_id": 0}, "", None], ids=repr)
def test_an_order_without_a_known_customer_is_typed(customer: object) -> None:
    event = read(named("sales_order.updated", payload={"sales_order_id": 7, "customer": customer}))
    assert isinstance(event, events.SalesOrderUpdated)
    assert event.payload.customer is None or not event.payload.customer.customer_id
    assert event.problems == ()


def test_an_odd_value_costs_only_itself_and_is_named() -> None:
    event = read(
        named("sales_order.updated", payload={"sales_order_id": 7, "remarks": ["x"], "customer": "y"})
    )
    assert isinstance(event, events.SalesOrderUpdated)
    assert (event.payload.remarks, event.payload.customer) == (None, None)
    assert event.problems == (
        "Expected `str`, got `array` - at `$.remarks`",
        "Expected `object`, got `str` - at `$.customer`",
    )


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize(
    ("text", "read_as"), [(rb"half of a pair: \ud83d", None), (b"caf\xe9", None), (b"a\nline", "a\nline")]
)
def test_a_text_that_json_does_not_allow_costs_itself_only(
    start: bytes, text: bytes, read_as: str | None
) -> None:
    body = start + named(
        "sales_order.updated", payload={"sales_order_id": 7, "remarks": "@", "labels": ["x"]}
    )
    event = read(body.replace(b"@", text))
    assert isinstance(event, events.SalesOrderUpdated)
    assert (event.payload.remarks, event.payload.labels) == (read_as, ["x"])
    assert event.problems == (() if read_as else ("Expected `str`, got `str` - at `$.remarks`",))
    unknown = read(start + named("brand.new", payload={"a": "@"}).replace(b"@", text))
    assert isinstance(unknown, events.UnknownEvent)
    assert unknown.problem == "no such event name is known"
    if text.isascii():
        assert set(msgspec.json.decode(unknown.payload)) == {"a"}


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("sales_order.updated", {"store_id": 1}),
        ("sales_order.updated", {"sales_order_id": "", "store_id": "1"}),
        ("customer.updated", {"customer": {}}),
        ("customer.updated", {"customer": []}),
        ("workshop_order.updated", {"status_id": 7}),
    ],
)
def test_an_event_without_its_entity_is_unknown(name: str, payload: object) -> None:
    event = read(named(name, payload=payload))
    assert isinstance(event, events.UnknownEvent)
    assert "_id" in event.problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"id": "\xff"}',
        b"[" * 100_000,
        b"{}",
        b"[]",
        b"null",
        b'{"id": "", "account_id": 1, "event_name": "a.b", "event_timestamp": 1, "payload": {}}',
        b'{"id": "x", "account_id": 9223372036854775808, "event_name": "a.b", "event_timestamp": 1}',
        b'{"id": "x", "account_id": 1, "event_name": "a.b", "event_timestamp": 1e300}',
        b'{"id": "x", "account_id": 1, "event_name": "a.b", "event_timestamp": 1, "payload": '
        + b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_body_without_an_envelope_is_not_an_event(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(body)
