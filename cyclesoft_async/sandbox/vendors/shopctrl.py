"""Sandbox of ShopCtrl: the invoice of an order, as JSON or XML.

Vendor page: "POST v1/Orders/{orderId}/Invoices".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hmac import compare_digest
from http import HTTPStatus
from typing import Final
from xml.sax.saxutils import escape

from aiohttp import web

from cyclesoft_async.sandbox.faults import Faults

from .vendor_sandbox import Reply, VendorApiError, VendorSandbox, json_response

_VAT: Final = Decimal("1.21")
_CENT: Final = Decimal("0.01")
_EURO: Final = 1
_NAMESPACES: Final = (
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


class ShopCtrlSandbox(VendorSandbox):
    """A ShopCtrl server on loopback, open during its `async with` block.

    ::

        async with ShopCtrlSandbox({12122: Decimal("44.95")}) as sandbox:
            ShopCtrl(BasicAuth("user", "pass"), base_url=sandbox.url)

    The open amount of an order is invoiced once. After that the response is null. The vendor documents no
    errors: the sandbox answers 401, and 404 for an order that does not exist.

    Args:
        orders: Open amount of each order, in euros, VAT included.
        username: The expected username.
        password: The expected password.
        only_xml: Respond in XML, also to clients that accept JSON.
        port: The port on 127.0.0.1; 0 takes a free one.
        faults: Faults to inject; none by default. Faults of CycleSoftware's payloads have no effect.

    Attributes:
        orders: Open amount of each order. Invoicing sets it to 0, and a test may add to it.
        invoices: Order ids of the created invoices, oldest first.
    """

    def __init__(
        self,
        orders: Mapping[int, Decimal],
        *,
        username: str = "user",
        password: str = "pass",  # noqa: S107 - protects nothing
        only_xml: bool = False,
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(base_path="", port=port, faults=faults)
        self.orders: dict[int, Decimal] = dict(orders)
        self.invoices: list[int] = []
        self._authorization = b"Basic " + b64encode(f"{username}:{password}".encode())
        self._only_xml = only_xml

    def refuse(self, status: int) -> None:
        """Queue an error for the next request.

        Args:
            status: HTTP status.
        """
        self._queued_replies.append(self._error_reply(status))

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/Orders/{order_id:[0-9]{1,18}}/Invoices", self._create)]

    def _error_reply(self, status: int) -> Reply:
        return Reply(status, {"Message": f"HTTP {status}"})

    async def _create(self, request: web.Request) -> web.Response:
        if not compare_digest(request.headers.get("Authorization", "").encode(), self._authorization):
            raise VendorApiError(self._error_reply(HTTPStatus.UNAUTHORIZED))
        order_id = int(request.match_info["order_id"])
        if order_id not in self.orders:
            raise VendorApiError(self._error_reply(HTTPStatus.NOT_FOUND))
        invoice = self._invoice(order_id, self.orders[order_id])
        if self._only_xml or "json" not in request.headers.get("Accept", ""):
            return web.Response(body=_xml(invoice), content_type="application/xml")
        return json_response(Reply(HTTPStatus.OK, invoice))

    def _invoice(self, order_id: int, total: Decimal) -> dict[str, object] | None:
        if not total:
            return None
        self.orders[order_id] = Decimal(0)
        self.invoices.append(order_id)
        number = len(self.invoices)
        now = datetime.now(UTC).isoformat()
        return {
            "Id": number,
            "InvoiceCode": f"F{number}",
            "OrderId": order_id,
            "OrderCode": f"O{order_id}",
            "InvoiceDate": now,
            "InvoiceTotalIncVat": float(total),
            "InvoiceTotalExVat": float((total / _VAT).quantize(_CENT)),
            "CurrencyId": _EURO,
            "CurrencyCode": "EUR",
            "Deleted": False,
            "ChangeTimestamp": now,
            "MainStatusId": 1,
            "DocumentFileId": number,
        }


def _xml(invoice: dict[str, object] | None) -> bytes:
    """Return the invoice as .NET's XmlSerializer writes it, and as the vendor's page shows it."""
    if invoice is None:
        return f'<InvoiceBase {_NAMESPACES} xsi:nil="true" />'.encode()
    fields = "".join(f"<{name}>{_xml_text(value)}</{name}>" for name, value in invoice.items())
    return f"<InvoiceBase {_NAMESPACES}>{fields}</InvoiceBase>".encode()


def _xml_text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return str(int(value)) if value.is_integer() else str(value)
        case _:
            return escape(str(value))
