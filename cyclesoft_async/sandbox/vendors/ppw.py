"""Sandbox of Property Pres Wizard: `/invoice/create` and its error types.

Vendor pages: "/invoice/create", "PPW API Services".
"""

from __future__ import annotations

from collections.abc import Collection
from hmac import compare_digest
from typing import Final, cast

from aiohttp import web

from cyclesoft_async.sandbox.faults import Faults

from .vendor_sandbox import Reply, VendorApiError, VendorSandbox, json_response, read_json_object

_FIRST_INVOICE: Final = 427
_ERRORS: Final = {
    "access_denied": (401, "Access token is invalid or expired"),
    "scope_invalid": (403, "Client app does not have the required OAuth scope"),
    "wo_invalid": (400, "Work order is invalid"),
    "invoice_exists": (400, "Invoice already exists"),
    "invoice_item_id_not_allowed": (400, "invoice_item_id cannot be set"),
    "invoice_item_id_required": (400, "invoice_item_id is required"),
    "invoice_item_id_invalid": (400, "Invoice item is invalid"),
    "qty_required": (400, "Quantity is not in the request"),
    "qty_invalid": (400, "Quantity is invalid"),
    "uom_invalid": (400, "Unit of Measure (UOM) is invalid"),
    "uom_not_allowed": (400, "Unit of Measure (UOM) cannot be set"),
    "price_required": (400, "Price is required"),
    "price_invalid": (400, "Price is invalid"),
    "flat_fee_invalid": (400, "Flat Fee is invalid"),
    "invalid_fields": (400, "Some fields in the request are invalid"),
}
_LISTS: Final = ("contractor_items", "client_items")
_OF_A_CLIENT: Final = frozenset(
    {"invoice_item_id", "invoice_item_other", "qty", "uom_id", "price", "flat_fee"}
)
_OF_A_CONTRACTOR: Final = _OF_A_CLIENT | {"price_sub_adj", "adj_comment"}


class PpwSandbox(VendorSandbox):
    """A Property Pres Wizard server on loopback, open during its `async with` block.

    ::

        async with PpwSandbox() as sandbox:
            Ppw("token", base_url=sandbox.url)

    It creates one invoice per work order. The vendor does not document the cause of `uom_not_allowed` and
    `scope_invalid`: only `refuse` produces them.

    Args:
        access_token: The expected access token.
        work_orders: Ids of existing work orders; any by default.
        invoice_items: Ids of existing invoice items; any by default.
        uoms: Ids of existing units of measure; any by default.
        port: The port on 127.0.0.1; 0 takes a free one.
        faults: Faults to inject; none by default. Faults of CycleSoftware's payloads have no effect.

    Attributes:
        invoices: Bodies of the requests that created an invoice, by work order.
    """

    def __init__(
        self,
        *,
        access_token: str = "token",  # noqa: S107 - protects nothing
        work_orders: Collection[int] | None = None,
        invoice_items: Collection[int] | None = None,
        uoms: Collection[int] | None = None,
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(base_path="/svc", port=port, faults=faults)
        self.invoices: dict[int, dict[str, object]] = {}
        self._authorization = f"Bearer {access_token}".encode()
        self._work_orders = work_orders
        self._invoice_items = invoice_items
        self._uoms = uoms

    def refuse(self, error_type: str) -> None:
        """Queue an error for the next request.

        Args:
            error_type: An error type of the vendor's page, such as `invoice_exists`.
        """
        self._queued_replies.append(_error_reply(error_type))

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/svc/invoice/create", self._create)]

    def _error_reply(self, status: int) -> Reply:
        return Reply(status, {"error": "", "error_description": f"HTTP {status}"})

    async def _create(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode()
        if not compare_digest(given, self._authorization):
            raise _api_error("access_denied")
        invoice = await read_json_object(request)
        if invoice is None or not set(invoice) <= {"report_id", *_LISTS}:
            raise _api_error("invalid_fields")
        report_id = invoice.get("report_id")
        if not _is_one_of(report_id, self._work_orders):
            raise _api_error("wo_invalid")
        for name in _LISTS:
            self._check_items(name, invoice.get(name, []))
        number = cast("int", report_id)
        if number in self.invoices:
            raise _api_error("invoice_exists")
        self.invoices[number] = invoice
        return json_response(Reply(200, {"invoice_id": _FIRST_INVOICE + len(self.invoices) - 1}))

    def _check_items(self, name: str, items: object) -> None:
        known = _OF_A_CONTRACTOR if name == "contractor_items" else _OF_A_CLIENT
        if not isinstance(items, list):
            raise _api_error("invalid_fields")
        for item in cast("list[object]", items):
            if not isinstance(item, dict) or not set(cast("dict[str, object]", item)) <= known:
                raise _api_error("invalid_fields")
            self._check_item(cast("dict[str, object]", item))

    def _check_item(self, item: dict[str, object]) -> None:
        faults = {
            "invoice_item_id_not_allowed": "invoice_item_id" in item and "invoice_item_other" in item,
            "invoice_item_id_required": not {"invoice_item_id", "invoice_item_other"} & set(item),
            "invoice_item_id_invalid": "invoice_item_id" in item
            and not _is_one_of(item["invoice_item_id"], self._invoice_items),
            "qty_required": "qty" not in item,
            "qty_invalid": not _is_number(item.get("qty")),
            "uom_invalid": "uom_id" in item and not _is_one_of(item["uom_id"], self._uoms),
            "price_required": "price" not in item,
            "price_invalid": not _is_number(item.get("price")),
            "flat_fee_invalid": not isinstance(item.get("flat_fee", False), bool),
            "invalid_fields": not _is_number(item.get("price_sub_adj", 0))
            or not isinstance(item.get("adj_comment", ""), str)
            or not isinstance(item.get("invoice_item_other", ""), str),
        }
        for error_type, applies in faults.items():
            if applies:
                raise _api_error(error_type)


def _error_reply(error_type: str) -> Reply:
    status, description = _ERRORS[error_type]
    return Reply(status, {"error": error_type, "error_description": description})


def _api_error(error_type: str) -> VendorApiError:
    return VendorApiError(_error_reply(error_type))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_one_of(value: object, known: Collection[int] | None) -> bool:
    return type(value) is int and (value > 0 if known is None else value in known)
