"""ShopCtrl: the invoice of an order.

Vendor page: "POST v1/Orders/{orderId}/Invoices" (its API help).
"""

from __future__ import annotations

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

from .base import Bridge, BridgeOptions

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
        if self.invoice_date is not None:
            force_setattr(self, "invoice_date", in_amsterdam(self.invoice_date))
        if self.change_timestamp is not None:
            force_setattr(self, "change_timestamp", in_amsterdam(self.change_timestamp))


class ShopCtrl(Bridge):
    """Invoices of orders in ShopCtrl.

    ::

        async with ShopCtrl(BasicAuth(username, password), base_url="https://api.shop.example") as shopctrl:
            made = await shopctrl.create_invoice(12122)

    Args:
        auth: The page says that the call is authorized, and not how: `BasicAuth`, or whatever your
            installation wants.
        base_url: Your installation's.
        options: See `BridgeOptions`; ShopCtrl states no limit.
    """

    def __init__(self, auth: Auth, *, base_url: str, **options: Unpack[BridgeOptions]) -> None:
        super().__init__(base_url, auth, **options)

    async def create_invoice(self, order_id: int) -> Invoice | None:
        """Make one invoice of all rows of an order that have none yet; None when there are no such rows.

        Raises:
            UsageError: `order_id` is not a whole number; nothing was sent.
            StatusError: ShopCtrl says no, by its status alone: it documents no errors.
            ResponseDecodeError: The answer is XML, although JSON was asked for, or not what the page says.
            AmbiguousWriteError: The invoice may or may not have been made. No row is invoiced twice, so here
                it is safe to send it again: None then means that it was made, or that there was nothing to.
        """
        if type(order_id) is not int or order_id < 0:
            raise UsageError(f"order_id must be a whole number, not {type(order_id).__name__}")
        call = Call(
            method="POST",
            path=fill_path(CREATE_INVOICE, {"order_id": order_id}),
            template=CREATE_INVOICE,
            how_to_check="read the order's invoices; rows that have one are not invoiced again",
        )
        return await self._execute(call, _read)


def _read(response: Response) -> Invoice | None:
    if not response.is_success:
        raise status_error(response, status_error_class(response.status), None)
    if "xml" in response.headers.get("Content-Type", "") or response.body.lstrip().startswith(b"<"):
        raise ResponseDecodeError("the answer is XML, although JSON was asked for", status=response.status)
    if response.body.strip() == b"null":
        return None
    return read_body(response, Invoice)
