"""Sandbox of Fleetio: creation of a work order, version 1.

Vendor page: "Create Work Order".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated, Final, Literal, cast

import msgspec
from aiohttp import web
from msgspec import Meta

from cyclesoft_async.sandbox.faults import Faults

from .vendor_sandbox import Reply, VendorApiError, VendorSandbox, json_response, read_json_object

_ACCOUNT: Final = 1
_RETRY_AFTER: Final = "30"
_REQUIRED: Final = ("issued_at", "work_order_status_id", "vehicle_id")
_ID: Final = Annotated[int, Meta(ge=1)]
_TEXT: Final = Annotated[str, Meta(max_length=255)]
_METER: Final = msgspec.defstruct("Meter", [("value", float, 0.0), ("void", bool, False)])
_FIELDS: Final[Mapping[str, object]] = {
    "issued_at": datetime,
    "started_at": datetime,
    "completed_at": datetime,
    "work_order_status_id": _ID,
    "work_order_status_name": str,
    "invoice_number": _TEXT,
    "vendor_id": _ID,
    "vendor_name": _TEXT,
    "vehicle_id": _ID,
    "vehicle_name": _TEXT,
    "discount_type": Literal["percentage", "amount"],
    "discount": float,
    "discount_percentage": float,
    "tax_1_percentage": float,
    "tax_1_type": Literal["fixed", "percentage"],
    "tax_1": float,
    "tax_2_percentage": float,
    "tax_2_type": Literal["fixed", "percentage"],
    "tax_2": float,
    "issued_by_id": _ID,
    "contact_id": _ID,
    "label_list": _TEXT,
    "purchase_order_number": str,
    "description": str,
    "number": int,
    "custom_fields": dict[str, object],
    "ending_meter_same_as_start": bool,
    "vmrs_repair_priority_class_id": _ID,
    "meter_entry_attributes": _METER,
    "secondary_meter_entry_attributes": _METER,
}
_AS_GIVEN: Final = (
    *("issued_at", "started_at", "completed_at", "work_order_status_id", "invoice_number", "vendor_id"),
    *("vehicle_id", "issued_by_id", "contact_id", "purchase_order_number", "description", "number"),
    *("custom_fields", "ending_meter_same_as_start", "vmrs_repair_priority_class_id"),
)


class FleetioSandbox(VendorSandbox):
    """A Fleetio server on loopback, open during its `async with` block.

    ::

        async with FleetioSandbox() as sandbox:
            Fleetio("key", "account", base_url=sandbox.url)

    A work order's number is unique, as documented. The vendor's message for a taken number is a guess.

    Args:
        api_key: The expected API key.
        account_token: The expected account token.
        port: The port on 127.0.0.1; 0 takes a free one.
        faults: Faults to inject; none by default. Faults of CycleSoftware's payloads have no effect.

    Attributes:
        work_orders: Responses of the requests that created a work order, oldest first.
    """

    def __init__(
        self,
        *,
        api_key: str = "key",
        account_token: str = "account",  # noqa: S107 - protects nothing
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(base_path="", port=port, faults=faults)
        self.work_orders: list[dict[str, object]] = []
        self._credentials = f"Token {api_key}\n{account_token}".encode()

    def refuse(self, status: int, fields: Mapping[str, list[str]] | None = None) -> None:
        """Queue an error for the next request.

        Args:
            status: HTTP status.
            fields: Errors by the field, for 422.
        """
        reply = self._error_reply(status) if fields is None else _validation_error_reply(fields)
        self._queued_replies.append(reply)

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/work_orders", self._create)]

    def _error_reply(self, status: int) -> Reply:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            payload = {"error": "Too many requests detected from your account token."}
            return Reply(status, payload, {"Retry-After": _RETRY_AFTER})
        title = HTTPStatus(status).phrase
        return Reply(status, {"status": status, "title": title, "detail": title, "instance": "/problems/1"})

    async def _create(self, request: web.Request) -> web.Response:
        given = "\n".join(request.headers.get(name, "") for name in ("Authorization", "Account-Token"))
        if not compare_digest(given.encode(), self._credentials):
            raise VendorApiError(self._error_reply(HTTPStatus.UNAUTHORIZED))
        order = await read_json_object(request)
        if order is None:
            raise VendorApiError(self._error_reply(HTTPStatus.BAD_REQUEST))
        faults = _field_errors(order)
        if any(created["number"] == order.get("number") for created in self.work_orders):
            faults["number"] = ["has already been taken"]
        if faults:
            raise VendorApiError(_validation_error_reply(faults))
        created = _work_order(order, len(self.work_orders) + 1)
        self.work_orders.append(created)
        return json_response(Reply(HTTPStatus.CREATED, created))


def _validation_error_reply(fields: Mapping[str, list[str]]) -> Reply:
    return Reply(HTTPStatus.UNPROCESSABLE_ENTITY, {"errors": fields})


def _field_errors(order: Mapping[str, object]) -> dict[str, list[str]]:
    faults = {name: ["can't be blank"] for name in _REQUIRED if name not in order}
    for name, value in order.items():
        try:
            msgspec.convert(value, cast("type[object]", _FIELDS.get(name, object)))
        except msgspec.ValidationError:
            faults[name] = ["is invalid"]
    return faults


def _work_order(order: Mapping[str, object], number: int) -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    created: dict[str, object] = {name: order.get(name) for name in _AS_GIVEN}
    created |= {
        "id": number,
        "account_id": _ACCOUNT,
        "number": order.get("number", number),
        "created_at": now,
        "updated_at": now,
        "state": "completed" if "completed_at" in order else "active",
        "label_list": [label.strip() for label in str(order.get("label_list", "")).split(",") if label],
        "currency": "USD",
    }
    for name in ("tax_1", "tax_2", "discount"):
        percentage, amount = order.get(f"{name}_percentage"), order.get(name)
        is_fixed = order.get(f"{name}_type") in {"fixed", "amount"}
        created[f"{name}_type"] = "fixed" if is_fixed else "percentage"
        created[f"{name}_percentage"] = None if percentage is None else str(percentage)
        created[f"{name}_cents"] = int(Decimal(str(amount or 0)) * 100) if is_fixed else 0
    return created
