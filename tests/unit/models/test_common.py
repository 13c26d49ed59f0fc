"""Helpers of the models of the section "Common", and enums."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import pytest

from cyclesoft_async import models
from cyclesoft_async.codec.encode import json_body

HASH = hmac.new(b"api-key", b"1234", hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("stored", "code", "key", "same"),
    [
        (HASH, "1234", "api-key", True),
        (HASH.upper(), "1234", "api-key", True),
        (HASH, "1235", "api-key", False),
        (HASH, "1234", "another-key", False),
        (HASH, "", "api-key", False),
        (None, "1234", "api-key", False),
        ("", "", "", False),
        ("no hash: é", "1234", "api-key", False),
    ],
)
def test_the_code_of_an_employee(stored: str | None, code: str, key: str, *, same: bool) -> None:
    employee = models.Employee(employee_id=1, verification_hash=stored)
    assert employee.has_code(code, key) is same
    assert "canary" not in repr(models.Employee(employee_id=1, verification_hash="canary"))


def test_ids_of_enums_are_compared_and_written_as_numbers() -> None:
    ready = models.WorkshopOrderStatus.COMPLETED
    assert models.WorkshopOrder(workshop_order_id=1, status_id=7).status_id == ready
    changes = models.WorkshopOrderUpdate(
        status_id=ready,
        delivery_method_id=models.DeliveryMethod.DELIVERY,
        order_items=[models.WorkshopOrderItemInput(item_id=1, item_status_id=models.ItemStatus.CANCELLED)],
    )
    assert msgspec.json.decode(json_body(changes)) == {
        "status_id": 7,
        "delivery_method_id": 3,
        "order_items": [{"item_id": 1, "item_status_id": 5}],
    }
    unknown = msgspec.json.decode(b'{"workshop_order_id": 1, "status_id": 4711}', type=models.WorkshopOrder)
    assert unknown.status_id == 4711
