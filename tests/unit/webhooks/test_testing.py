"""The helpers for users' own tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cyclesoft_async import models
from cyclesoft_async.errors import UsageError
from cyclesoft_async.webhooks import events, testing, verify


def test_a_delivery_is_signed_and_readable() -> None:
    moment = datetime(2025, 6, 1, 12, tzinfo=UTC)
    payload = models.StoreOrder(store_order_id=3)
    signed = testing.delivery(events.StoreOrderCreated, payload, secret="s", id="x", occurred_at=moment)
    assert verify(signed.body, signed.headers["X-CycleSoftware-Signature"], "s")
    assert signed.headers["X-CycleSoftware-Event"] == "store_order.created"
    assert signed.headers["X-CycleSoftware-Delivery"] == "x"
    made = testing.event(events.StoreOrderCreated, payload, id="x", occurred_at=moment, stale=True)
    assert (made.id, made.occurred_at, made.stale, made.is_redelivery) == ("x", moment, True, False)
    assert made.payload == payload


def test_other_algorithms_and_encodings() -> None:
    signed = testing.delivery("a.b", {}, secret="s", algorithm="sha1", encoding="base64")
    assert verify(signed.body, signed.headers["X-CycleSoftware-Signature"], "s", "sha1")


def test_payloads_that_do_not_fit_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="subclasses"):
        testing.delivery(events.StoreOrderEvent, {}, secret="s")
    with pytest.raises(UsageError, match="store_order_id"):
        testing.event(events.StoreOrderCreated, {"store_order_id": "no number"})
