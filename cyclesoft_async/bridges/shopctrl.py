"""ShopCtrl: the invoice of an order.

Vendor page: "POST v1/Orders/{orderId}/Invoices" (its API help).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from datetime import datetime
from decimal import Decimal
from typing import Unpack

from msgspec import Struct
from msgspec.structs import force_setattr

from cyclesoft_async.codec.datetimes import in_amsterdam
from cyclesoft_async.errors import ResponseDecodeError, UsageError
from cyclesoft_async.transport import (
    Auth,
    Call,
    Response,
    fill_path,
    read_body,
    status_error,
    status_error_class,
)

from .base import Bridge, BridgeOptions, as_text, read_or_default

CREATE_INVOICE = "/v1/Orders/{order_id}/Invoices"


class Invoice(Struct, frozen=True, kw_only=True, rename="pascal"):
    """An invoice. Amounts are in units of the currency, not cents.

    Every datetime is aware, in Amsterdam time. ShopCtrl's .NET server may leave the offset out, and is Dutch.
    Vendor page: the same, "InvoiceBase".
    """

    id: int
    """Id of the invoice."""
    order_id: int
    """The order."""
    invoice_total_inc_vat: Decimal
    """Total with VAT."""
    invoice_total_ex_vat: Decimal
    """Total without VAT."""
    invoice_code: str | None = None
    """Number of the invoice."""
    order_code: str | None = None
    """Number of the order."""
    invoice_date: datetime | None = None
    """Date and time of the invoice."""
    currency_id: int | None = None
    """Currency of the amounts."""
    currency_code: str | None = None
    """Currency of the amounts, such as "EUR"."""
    deleted: bool | None = None
    """Whether the invoice was deleted."""
    change_timestamp: datetime | None = None
    """When the invoice was last changed."""
    main_status_id: int | None = None
    """Status of the invoice."""
    document_file_id: int | None = None
    """Id of the PDF."""

    def __post_init__(self) -> None:
        force_setattr(self, "invoice_date", _moment(self.invoice_date))
        force_setattr(self, "change_timestamp", _moment(self.change_timestamp))


def _moment(given: datetime | None) -> datetime | None:
    """Return the time in Amsterdam. .NET's default value, in the year 1, means that there is none."""
    return None if given is None or given.year == 1 else in_amsterdam(given)


class ShopCtrl(Bridge):
    """Invoices of orders in ShopCtrl.

    ::

        async with ShopCtrl(BasicAuth(username, password), base_url="https://api.shop.example") as shopctrl:
            invoice = await shopctrl.create_invoice(12122)

    Args:
        auth: Credentials. The page does not document the scheme; `BasicAuth` is common.
        base_url: URL of your installation's API.
        options: See `BridgeOptions`. ShopCtrl documents no limit.
    """

    def __init__(self, auth: Auth, *, base_url: str, **options: Unpack[BridgeOptions]) -> None:
        try:
            super().__init__(base_url, auth, **options)
        finally:
            del base_url  # a traceback can show it, and it may hold a password

    async def create_invoice(self, order_id: int) -> Invoice | None:
        """Create one invoice for all rows of an order without one. Return None if there are no such rows.

        Args:
            order_id: ShopCtrl's id of the order.

        Raises:
            UsageError: `order_id` is not an int >= 0. Nothing was sent.
            StatusError: The class of the status. ShopCtrl documents no errors.
            ResponseDecodeError: The response is XML, or differs from the page.
            AmbiguousWriteError: The invoice may have been created. It is safe to send the request again, as a
                row is invoiced once. None then means that it was created before, or that no row was left.
        """
        if type(order_id) is not int or order_id < 0:
            raise UsageError(f"order_id must be an int >= 0, got a {type(order_id).__name__}")
        call = Call(
            method="POST",
            path=fill_path(CREATE_INVOICE, {"order_id": order_id}),
            template=CREATE_INVOICE,
            how_to_check="read the order's invoices; rows that have one are not invoiced again",
        )
        return await self._execute(call, _read)


class _ErrorBody(Struct, rename="pascal"):
    """Error of ASP.NET Web API. `Message` is general, the others are specific."""

    message: object = None
    message_detail: object = None
    exception_message: object = None
    model_state: object = None

    @property
    def text(self) -> str | None:
        """All that it says, in one line."""
        details = (self.message, self.message_detail, self.exception_message, self.model_state)
        return " ".join(map(as_text, filter(None, details))) or None


def _read(response: Response) -> Invoice | None:
    if not response.is_success:
        message = read_or_default(response, _ErrorBody).text
        raise status_error(response, status_error_class(response.status), message)
    body = response.body.removeprefix(BOM_UTF8).strip()
    if "xml" in response.headers.get("Content-Type", "") or body.startswith(b"<"):
        raise ResponseDecodeError("the response is XML, expected JSON", status=response.status)
    if body in {b"", b"null"}:  # no row is left to invoice; some servers send null as 204
        return None
    return read_body(response, Invoice)
